"""What the ledger says: the moves of a champion, which version served when, and whether the registry agrees."""

from collections.abc import Sequence
from datetime import datetime

from perennial.core.record import Record
from perennial.registry.ledger import MOVES, Action, Entry, State

OUTSIDE = frozenset({Action.FOUND, Action.RECONCILE})
"""After these the champion had been moved outside of Perennial before."""


class Event(Record):
    """One thing that was done, its intent and its conclusion as one."""

    id: int
    moment: datetime
    """When it was begun."""
    action: Action
    state: State
    """intent: begun, and not known how it came out."""
    from_version: str | None
    to_version: str | None
    who: str
    reason: str
    decision_digest: str | None


class Reign(Record):
    """Which version was champion at a moment."""

    version: str | None
    """None: there was no champion, or the ledger does not know."""
    since: datetime | None
    by: Action | None
    """What made it champion; None: nothing that the ledger knows of."""
    doubt: str = ""
    """Why it may have been another version."""


def ledger_events(entries: Sequence[Entry]) -> list[Event]:
    """What was done, oldest first."""
    ends = {entry.intent: entry for entry in entries if entry.intent is not None}
    return [_event(entry, ends.get(entry.id, entry)) for entry in entries if entry.intent is None]


def moves(entries: Sequence[Entry]) -> list[Event]:
    """The events that made another version champion, oldest first."""
    return [event for event in ledger_events(entries) if event.action in MOVES and event.state is State.DONE]


def rollbacks(entries: Sequence[Entry]) -> list[Event]:
    """Those by which a version was left, oldest first; `from_version` is that version.

    It is the ledger's champion where somebody had moved or taken away the alias by hand before the rollback was said.
    """
    left, serving = [], None
    for move in moves(entries):
        away = next((one for one in (move.from_version, serving) if one not in (None, move.to_version)), None)
        if move.action is Action.ROLLBACK and away:
            left.append(move.model_copy(update={"from_version": away}))
        serving = move.to_version
    return left


def champions(entries: Sequence[Entry]) -> list[str]:
    """Every version that was ever champion, the latest first."""
    versions = [version for move in moves(entries) for version in (move.from_version, move.to_version) if version]
    return list(dict.fromkeys(reversed(versions)))


def reign_at(entries: Sequence[Entry], moment: datetime) -> Reign:
    """Which version was champion at `moment` (aware)."""
    moved = moves(entries)
    before = [move for move in moved if move.moment <= moment]
    after = [move for move in moved if move.moment > moment]
    if before:
        last = before[-1]
        return Reign(version=last.to_version, since=last.moment, by=last.action, doubt=_moved(last, after))
    if after and after[0].to_version and after[0].action in OUTSIDE:
        move_before = after[0]
        doubt = (
            f"The ledger does not go back so far: version {move_before.to_version} was found serving at "
            f"{moment_of(move_before)}."
        )
        return Reign(version=move_before.to_version, since=None, by=None, doubt=doubt)
    return Reign(version=None, since=None, by=None)


def unfinished(entries: Sequence[Entry]) -> str | None:
    """What was begun and is not concluded, in a sentence; None: nothing."""
    begun = [event for event in ledger_events(entries) if event.state is State.INTENT]
    if not begun:
        return None
    last = begun[-1]
    return (
        f"The {last.action.value} of version {last.to_version} that {last.who} began at {moment_of(last)} is still on "
        "its way, or was cut short."
    )


def cut_short(entries: Sequence[Entry]) -> list[Event]:
    """The moves that were begun and came to nothing, as far as could be seen afterwards; oldest first."""
    return [event for event in ledger_events(entries) if event.action in MOVES and event.state is State.ABANDONED]


def named(version: str | None) -> str:
    """The version in words."""
    return f"version {version}" if version else "no version"


def moment_of(event: Event) -> str:
    """When it was begun, in words."""
    return f"{event.moment:%Y-%m-%d %H:%M:%SZ}"


def _event(begun: Entry, ended: Entry) -> Event:
    kept = ("id", "moment", "action", "from_version", "to_version", "who", "decision_digest")
    return Event(**{name: getattr(begun, name) for name in kept}, state=ended.state, reason=ended.reason)


def _moved(last: Event, after: Sequence[Event]) -> str:
    if not after or after[0].action not in OUTSIDE:
        return ""
    outside = after[0]
    # A champion that was put back was away before.
    to = outside.from_version if outside.to_version == last.to_version else outside.to_version
    return (
        f"Some time between {moment_of(last)} and {moment_of(outside)} it was moved outside of Perennial, "
        f"to {named(to)}."
    )
