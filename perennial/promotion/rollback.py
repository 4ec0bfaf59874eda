"""Rollback: a former champion serves again, after it was fetched, loaded and asked. No training, no judging."""

from perennial.core.errors import RegistryError, listing
from perennial.core.home import Home
from perennial.core.record import Record
from perennial.promotion import smoke_test
from perennial.promotion.alias_move import Move, at_desk, move
from perennial.promotion.session import Desk
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
    with at_desk(home, model) as desk:
        known, before = history.moves(desk.ledger.entries(model)), desk.champion()
        target = to or _previous(desk, known)
        if target == before and desk.disagreement is None:
            return RolledBack(model=model, version=target, before=before, moved=False)
        _check_served(desk, target)
        smoke_test.check(desk, target, remedy="Name another version with --to.", compare=False)
        if target == before:
            # It was moved there by hand, which is right now.
            desk.note(Action.ROLLBACK, target, reason, before=before)
        elif not move(desk, Move(Action.ROLLBACK, target, before, reason, verified=True)):
            raise RegistryError(
                f"The champion of {model} changed while version {target} was tried: it is "
                f"{history.named(desk.champion())} now, and was {history.named(before)}. It was left so.",
                remedy=f"See `perennial history {model}`, and name the version with --to if it is still needed.",
            )
        rest = desk.disagreement if desk.disagreement and desk.disagreement.is_of_whole else ""
        return RolledBack(model=model, version=target, before=before, moved=True, disagreement=str(rest))


def _previous(desk: Desk, known: list[Event]) -> str:
    previous = desk.at(aliases.PREVIOUS)
    others = [version for version in history.champions(desk.ledger.entries(desk.model)) if version != desk.champion()]
    served = f"Champions so far, the latest first: {listing(others, 10)}." if others else "No other was ever champion."
    if previous is None:
        raise RegistryError(
            f"{desk.model} has no alias `previous`, so there is nothing to roll back to. {served}",
            remedy=f"Name a version: `perennial rollback {desk.model} --to N --reason …`." if others else "",
        )
    # Twice in a row would lead back to what was bad enough to be left the first time.
    if known and known[-1].action is Action.ROLLBACK and known[-1].from_version == previous:
        raise RegistryError(
            f"The last thing done to {desk.model} was a rollback from version {previous} ({known[-1].reason}). Whether "
            f"to return to it or to go back further must be said. {served}",
            remedy=f"Name a version: `perennial rollback {desk.model} --to N --reason …`.",
        )
    return previous


def _check_served(desk: Desk, target: str) -> None:
    found = versions.candidate(desk.client, desk.model, target)
    served = history.champions(desk.ledger.entries(desk.model))
    # A tag is believed only where the ledger knows of no champion at all, as when it is a new one.
    if target in served or (not served and found.status == tags.PROMOTED):
        return
    raise RegistryError(
        f"Version {target} of {desk.model} was never champion; it is {found.status or 'of unknown status'}. A rollback "
        f"returns to a version that was: {listing(served, 10) or 'there is none yet'}.",
        remedy=f"A new version comes in through its gates: `perennial promote {desk.model} {target}`.",
    )
