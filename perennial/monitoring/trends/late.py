"""Late rows: texts that arrive when their bucket was looked at already. They are counted, and that is said."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from perennial.core.record import Record
from perennial.monitoring.trends.series import Series


class Reopened(Record):
    """The buckets that were looked at before and have more texts now."""

    buckets: tuple[datetime, ...] = ()
    texts: int = 0

    def __str__(self) -> str:
        if not self.buckets:
            return "No text came late."
        first, many = min(self.buckets), len(self.buckets)
        return (
            f"{self.texts:,} texts came late: {many:,} {'bucket' if many == 1 else 'buckets'} "
            f"since {first:%Y-%m-%d %H:%M} UTC counted anew. Alarms that were given stay as they are."
        )


def with_late_rows(before: Series, arrived: Series, closed: datetime) -> tuple[Series, Reopened]:
    """`before` and the texts that `arrived` since, in one series; and the buckets begun before `closed` that grew.

    Both are of one key and one calendar. Buckets between them, and those that only one of them has, are there.
    """
    if (before.key, before.calendar) != (arrived.key, arrived.calendar):
        raise ValueError("late rows are of the same series, in buckets of the same calendar")
    edges = [*before.starts, *arrived.starts]
    starts = before.calendar.between(min(edges), max(edges)) if edges else ()
    names = sorted({*before.labels, *arrived.labels})
    labels = {name: _added(starts, _by_start(before, name), _by_start(arrived, name)) for name in names}
    texts = _added(starts, _by_start(before), _by_start(arrived))
    grown = {start: n for start, n in _by_start(arrived).items() if n and start < closed}
    merged = before.model_copy(update={"starts": starts, "texts": texts, "labels": labels})
    return merged, Reopened(buckets=tuple(sorted(grown)), texts=sum(grown.values()))


def _by_start(series: Series, label: str | None = None) -> Mapping[datetime, int]:
    counts = series.texts if label is None else series.counted(label).tolist()
    return dict(zip(series.starts, counts, strict=True))


def _added(starts: tuple[datetime, ...], one: Mapping[datetime, int], other: Mapping[datetime, int]) -> tuple[int, ...]:
    return tuple(one.get(start, 0) + other.get(start, 0) for start in starts)
