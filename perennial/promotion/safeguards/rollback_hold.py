"""After a rollback: nothing is promoted without a person, until one says otherwise.

The next night's run has nearly the same rows as the one whose candidate was left, and its gates don't know what was
wrong with it: without this it would bring the same fault back. A candidate that answers the rows rightly that were
complained of is unlike what was left, and is let through.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from perennial.core.errors import RegistryError
from perennial.promotion.safeguards import complaint_rows
from perennial.promotion.safeguards.complaint_rows import Complaint
from perennial.promotion.session import AliasSession
from perennial.registry import history
from perennial.registry.history import Event
from perennial.registry.judged.version_status import PROMOTIONS
from perennial.registry.ledger import Action, Entry, State


@dataclass(frozen=True)
class PromotionHold:
    """Whether a candidate that passed its gates may be promoted without a person, and why, in sentences."""

    holds: bool
    words: str


def rollback_hold(entries: Sequence[Entry]) -> Event | None:
    """The rollback after which nobody has said yet that runs may promote again; None: there is none."""
    held, rollbacks = None, {event.id: event for event in history.rollbacks(entries)}
    for event in history.ledger_events(entries):
        if event.state is not State.DONE:
            continue
        if event.id in rollbacks:
            held = rollbacks[event.id]
        elif event.action in PROMOTIONS or event.action is Action.RESUME:
            held = None
    return held


def hold_on(session: AliasSession, version: str) -> PromotionHold | None:
    """Whether `version`, which passed its gates, may be promoted without a person; None: nothing is in its way.

    Its package is asked the rows that were complained of.
    """
    entries = session.ledger.entries(session.model)
    hold, complaints = rollback_hold(entries), complaint_rows.complaints(entries)
    if hold is None and not complaints:
        return None
    left = f"{_left(hold)} " if hold else ""
    if not complaints:
        return PromotionHold(holds=True, words=f"{left}{_ways_out(session.model, version)}")
    return _asked(session, version, left, complaints)


def _asked(session: AliasSession, version: str, left: str, complaints: Sequence[Complaint]) -> PromotionHold:
    rows = sum(one.rows for one in complaints)
    about = f"the {rows:,} rows that were complained of after {_versions(complaints)}"
    try:
        right = sum(complaint_rows.answered_rightly(session, version, one) for one in complaints)
    except RegistryError as error:
        return PromotionHold(
            holds=True,
            words=f"{left}Whether it answers {about} rightly is not known: {error.problem} "
            f"{_ways_out(session.model, version)}",
        )
    if right == rows:
        return PromotionHold(holds=False, words=f"It answers all of {about} rightly.")
    return PromotionHold(
        holds=True,
        words=f"{left}It answers {right:,} of {about} rightly. {_ways_out(session.model, version)}",
    )


def _left(hold: Event) -> str:
    return (
        f"Version {hold.from_version} was left by a rollback at {history.moment_of(hold)} ({hold.reason}), and since "
        "then nothing is promoted without a person."
    )


def _versions(complaints: Sequence[Complaint]) -> str:
    return " and ".join(f"version {version}" for version in dict.fromkeys(one.version for one in complaints))


def _ways_out(model: str, version: str) -> str:
    return (
        f"`perennial approve {model} {version}` lets this one serve; `perennial resume {model} --reason …` lets runs "
        "promote by themselves again."
    )
