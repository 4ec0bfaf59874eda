"""The record of one look at the champion's health."""

from datetime import datetime

from pydantic import Field

from perennial.core.record import Record
from perennial.records.interval import Interval


class HealthFigures(Record):
    """What a window of live texts says of the version that answered it."""

    looked: datetime
    model: str
    """The version."""
    texts: int
    first: datetime
    """The time of the window's earliest text."""
    last: datetime
    unsure_share: float
    """Of answers whose score is below `monitor.health.unsure_below`."""
    drift: dict[str, float] = Field(default_factory=dict)
    """How far the texts are from the champion's own, by the name of the limit in `monitor.health.drift`."""
    estimated_accuracy: float | None = None
    """Without labels; None: it can't be told, and `not_estimated` says why."""
    estimated_interval: Interval | None = None
    """Of it, at 95%."""
    not_estimated: str | None = None
    labelled: int = 0
    """Texts of the window whose labels came."""
    labelled_by_chance: int = 0
    """Of those, chosen by chance: the others say nothing of all texts."""
    accuracy: float | None = None
    """Of those by chance, weighted by how they were chosen; None: there are none."""
    accuracy_interval: Interval | None = None
    """Of it, at 95%."""
    violations: tuple[str, ...] = ()
    """A sentence for each limit that was passed."""
    calls_for_retraining: str | None = None
    """The reason, where enough of the last windows were in violation."""
