"""Rollback: a former champion serves again, after it was fetched, loaded and asked. No training, no judging."""

from perennial.core.errors import RegistryError, listing
from perennial.core.home import Home
from perennial.core.record import Record
from perennial.promotion import smoke_test
from perennial.promotion.alias_move import AliasMove, alias_session, move
from perennial.promotion.session import AliasSession
from perennial.registry import aliases, history, tags, versions
from perennial.registry.history import Event
from perennial.registry.ledger import Action


class RolledBack(Record):
    """Which version serves now, and which did before."""

    model: str
    version: str
    before: str | None
    moved: bool
    """False: it was champion already."""
    disagreement: str = ""
    """What ledger and registry still disagree about, and the ways out."""


def rollback(home: Home, model: str, to: str | None, reason: str) -> RolledBack:
    """Make `to` (None: the alias `previous`) champion again.

    Only a version that was champion before can be rolled back to: its gates were passed. Raises RegistryError when
    there is no such version, its package in the registry is not what was registered, or it gives no answers.
    """
    with alias_session(home, model) as session:
        moves, before = history.moves(session.ledger.entries(model)), session.champion()
        target = to or _previous(session, moves)
        if target == before and session.disagreement is None:
            return RolledBack(model=model, version=target, before=before, moved=False)
        _check_served(session, target)
        smoke_test.check(session, target, remedy="Name another version with --to.", compare=False)
        if target == before:
            # It was moved there by hand, which is right now.
            session.note(Action.ROLLBACK, target, reason, before=before)
        elif not move(session, AliasMove(Action.ROLLBACK, target, before, reason, verified=True)):
            raise RegistryError(
                f"The champion of {model} changed while version {target} was tried: it is "
                f"{history.named(session.champion())} now, and was {history.named(before)}. It was left so.",
                remedy=f"See `perennial history {model}`, and name the version with --to if it is still needed.",
            )
        rest = session.disagreement if session.disagreement and session.disagreement.is_of_whole else ""
        return RolledBack(model=model, version=target, before=before, moved=True, disagreement=str(rest))


def _previous(session: AliasSession, moves: list[Event]) -> str:
    previous = session.at(aliases.PREVIOUS)
    others = [
        version for version in history.champions(session.ledger.entries(session.model)) if version != session.champion()
    ]
    served = f"Champions so far, the latest first: {listing(others, 10)}." if others else "No other was ever champion."
    if previous is None:
        raise RegistryError(
            f"{session.model} has no alias `previous`, so there is nothing to roll back to. {served}",
            remedy=f"Name a version: `perennial rollback {session.model} --to N --reason …`." if others else "",
        )
    # Twice in a row would lead back to what was bad enough to be left the first time.
    if moves and moves[-1].action is Action.ROLLBACK and moves[-1].from_version == previous:
        raise RegistryError(
            f"The last thing done to {session.model} was a rollback from version {previous} ({moves[-1].reason}). "
            f"Whether to return to it or to go back further must be said. {served}",
            remedy=f"Name a version: `perennial rollback {session.model} --to N --reason …`.",
        )
    return previous


def _check_served(session: AliasSession, target: str) -> None:
    candidate = versions.candidate(session.client, session.model, target)
    served = history.champions(session.ledger.entries(session.model))
    # A tag is believed only where the ledger knows of no champion at all, as when it is a new one.
    if target in served or (not served and candidate.status == tags.PROMOTED):
        return
    raise RegistryError(
        f"Version {target} of {session.model} was never champion; it is {candidate.status or 'of unknown status'}. A "
        f"rollback returns to a version that was: {listing(served, 10) or 'there is none yet'}.",
        remedy=f"A new version comes in through its gates: `perennial promote {session.model} {target}`.",
    )
