"""Challenges by the ledger: which version is tried on live traffic beside the champion, on what terms, since when."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from perennial.core.record import Record
from perennial.registry.ledger import MOVES, Action, Entry, State
from perennial.settings.rollout import RolloutSpec

ABOUT_THE_VERSION = frozenset({Action.PARK, Action.HOLD, Action.REJECT, Action.REMOVE})
"""What ends the challenge of the version that it is about, whoever did it."""


class ChallengeTerms(Record):
    """What a challenge begins with, and keeps to its end: the detail of its entry."""

    salt: str
    """By which users are chosen, and by which it is known."""
    terms: RolloutSpec
    only_observes: bool = False
    """Its gates did not let it through: it is only looked at, and never promoted by it."""


class Challenge(ChallengeTerms):
    """One that is under way."""

    version: str
    champion_version: str
    since: datetime
    who: str


class ChallengeEnd(Record):
    """How one ended: the detail of its entry."""

    salt: str
    end: Literal["dropped", "passed", "undecided", "stopped"]
    terms: RolloutSpec
    only_observes: bool = False
    words: str
    evidence: dict[str, Any] = Field(default={})
    """What was counted."""


class PendingEnd(ChallengeEnd):
    """One whose consequence is not written down yet: who wrote the end was cut short."""

    version: str


def current_challenge(entries: Sequence[Entry]) -> Challenge | None:
    """The challenge that is under way by `entries` of a model, oldest first; None: there is none.

    It also ends when another champion serves than it began beside, and when something else is said of its version.
    """
    current: Challenge | None = None
    for entry in entries:
        if entry.state is not State.DONE:
            continue
        if entry.action is Action.CHALLENGE and entry.detail:
            current = _challenge(entry)
        elif current and _ends(entry, current):
            current = None
    return current


def pending_end(entries: Sequence[Entry]) -> PendingEnd | None:
    """The end of the last challenge, where nothing was said of its version since; None: all was said."""
    pending: PendingEnd | None = None
    for entry in entries:
        if entry.action is Action.CHALLENGE_END and entry.detail:
            end = ChallengeEnd.model_validate_json(entry.detail)
            pending = PendingEnd(version=str(entry.to_version), **dict(end)) if end.end != "stopped" else None
        elif entry.action is Action.CHALLENGE or (pending and entry.to_version == pending.version):
            pending = None
    return pending


def _challenge(entry: Entry) -> Challenge:
    terms = ChallengeTerms.model_validate_json(entry.detail or "")
    return Challenge(
        **dict(terms),
        version=str(entry.to_version),
        champion_version=str(entry.from_version),
        since=entry.moment,
        who=entry.who,
    )


def _ends(entry: Entry, current: Challenge) -> bool:
    if entry.action in MOVES:
        return entry.to_version != current.champion_version
    if entry.action is Action.CHALLENGE_END:
        return True
    return entry.to_version == current.version and entry.action in ABOUT_THE_VERSION
