"""Making a version champion without judging it, for tests that need a champion."""

from perennial.core.home import Home
from perennial.promotion.alias_move import AliasMove, alias_session, move
from perennial.records.run import RegisteredVersion
from perennial.registry.ledger import Action


def promote(home: Home, registered: RegisteredVersion, reason: str = "") -> bool:
    """Make `registered` champion; False: the champion is not the one it says that it was judged against."""
    plan = AliasMove(Action.PROMOTE, registered.version, registered.champion_version, reason, None)
    with alias_session(home, registered.model) as session:
        return move(session, plan)
