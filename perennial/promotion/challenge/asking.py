"""What a server asks about a challenge: which version is to be tried now, if any."""

from perennial.core.home import Home
from perennial.core.record import Record
from perennial.registry import aliases, database, tracking
from perennial.registry.judged.challenges import Challenge, current_challenge, pending_end
from perennial.registry.ledger import Ledger


class ChallengeState(Record):
    """What the ledger has of challenges."""

    challenge: Challenge | None
    """The one that is under way."""
    is_pending: bool = False
    """One has ended, and its consequence is not written down."""


def challenge_state(home: Home, model: str) -> ChallengeState:
    """What is to be tried now. Takes some seconds at most. Raises RegistryError when that can't be told.

    Nothing is, where the alias `challenger` was taken from the version by hand, and where there is no ledger at hand,
    which alone says on what terms.
    """
    if not database.is_there(home):
        return ChallengeState(challenge=None)
    entries = Ledger.open(home).entries(model)
    challenge = current_challenge(entries)
    if challenge is None or _at(home, model) != challenge.version:
        return ChallengeState(challenge=None, is_pending=pending_end(entries) is not None)
    return ChallengeState(challenge=challenge)


def _at(home: Home, model: str) -> str | None:
    with tracking.session(home, patience=tracking.QUICK) as client:
        version = aliases.version_of(client, home, model, aliases.CHALLENGER)
    return str(version.version) if version else None
