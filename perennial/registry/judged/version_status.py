"""What a version is by the ledger: its status, how it was judged, whether it may be gone back to.

Tags say it for people, and whoever may write to MLflow can write them; so they are never believed where there is a
ledger.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from perennial.registry import tags
from perennial.registry.judged.judgings import Judging
from perennial.registry.ledger import MOVES, Action, Entry, State

PROMOTIONS = frozenset({Action.PROMOTE, Action.APPROVE})
"""Moves of a version that passed its gates."""
OBSERVING = "registry.mode is observe"
"""By these words older ledgers tell an observed version from one that is held."""


@dataclass(frozen=True)
class VersionStatus:
    """What the ledger says of one version."""

    version: str
    status: str | None = None
    """As `tags` names it; None: the ledger knows nothing of it."""
    judging: Judging | None = None
    """The newest; None: an older Perennial judged it, or it was not registered to the end."""
    decision_digest: str | None = None
    """Of the decision it was judged by last; None: not known."""
    was_promoted: bool = False
    """It was champion after its gates were passed."""
    was_accepted: bool = False
    """A person, or an older Perennial, took it for the champion after it was put there by hand."""
    superseded_by: str | None = None
    """The challenger that took its place."""

    @property
    def decision(self) -> str | None:
        """PROMOTE, HOLD or REJECT; None: not known."""
        return self.judging.outcome.value if self.judging else None


def version_statuses(entries: Sequence[Entry], judgings: Sequence[Judging]) -> dict[str, VersionStatus]:
    """What `entries` and `judgings` of a model (each oldest first) say of its versions."""
    statuses: dict[str, VersionStatus] = {}
    events: list[Entry | Judging] = [*entries, *judgings]
    for event in sorted(events, key=_order):
        if isinstance(event, Judging):
            statuses[event.version] = _judged(statuses.get(event.version), event)
        elif event.to_version is not None and event.state is State.DONE:
            after = _after(statuses.get(event.to_version, VersionStatus(event.to_version)), event)
            if event.action is Action.PARK:
                statuses |= _superseded(statuses, event.to_version)
            statuses[event.to_version] = after
    return statuses


def _order(event: Entry | Judging) -> tuple[int, int]:
    return (event.after_entry, 1) if isinstance(event, Judging) else (event.id, 0)


def _judged(before: VersionStatus | None, judging: Judging) -> VersionStatus:
    if before is None or (before.judging and before.judging.run_id != judging.run_id):
        # A model that was made anew counts from 1 again: what the ledger has of that number was another version.
        before = VersionStatus(judging.version)
    kept = before.status if before.status in (tags.PARKED, tags.PROMOTED, tags.BY_HAND) else tags.REGISTERED
    return replace(before, judging=judging, decision_digest=judging.decision_digest, status=kept)


def _after(before: VersionStatus, entry: Entry) -> VersionStatus:
    promoted = before.was_promoted or entry.action in PROMOTIONS
    accepted = before.was_accepted or entry.action in (Action.FOUND, Action.RECONCILE)
    return replace(
        before,
        status=_status(before, entry, promoted),
        decision_digest=entry.decision_digest or before.decision_digest,
        was_promoted=promoted,
        was_accepted=accepted,
        superseded_by=None if entry.action in MOVES or entry.action is Action.PARK else before.superseded_by,
    )


def _status(before: VersionStatus, entry: Entry, promoted: bool) -> str | None:
    if entry.status is not None:
        return entry.status
    if entry.action in MOVES:
        # What was put on the alias by hand stays so, whoever accepts it or goes back to it.
        return tags.PROMOTED if promoted else tags.BY_HAND
    if entry.action is Action.HOLD:
        return tags.OBSERVED if OBSERVING in entry.reason else tags.HELD
    return {Action.PARK: tags.PARKED, Action.REJECT: tags.REJECTED}.get(entry.action, before.status)


def _superseded(statuses: dict[str, VersionStatus], by: str) -> dict[str, VersionStatus]:
    return {
        version: replace(status, status=tags.SUPERSEDED, superseded_by=by)
        for version, status in statuses.items()
        if status.status == tags.PARKED and version != by
    }
