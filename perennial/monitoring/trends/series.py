"""A series: how many texts each bucket of time has, and of which labels; of all, or of one topic or other value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime

import numpy as np
from pydantic import model_validator

from perennial.core.record import Record
from perennial.monitoring.trends.calendar import Calendar

Key = tuple[tuple[str, str], ...]
"""Columns and their values, in the order in which they were asked for; empty: all texts."""


class Series(Record):
    """Counts by bucket, without a gap: a bucket in which nothing came has 0."""

    key: Key = ()
    minutes: int
    zone: str = "UTC"
    holidays: tuple[date, ...] = ()
    starts: tuple[datetime, ...]
    """When each bucket began, in UTC."""
    texts: tuple[int, ...]
    labels: Mapping[str, tuple[int, ...]]
    """Of each label, how many texts of each bucket."""

    @model_validator(mode="after")
    def _is_whole(self) -> Series:
        if {len(self.starts)} != {len(self.texts), *map(len, self.labels.values())}:
            raise ValueError("a series has as many counts as buckets")
        return self

    @property
    def calendar(self) -> Calendar:
        """Of its buckets."""
        return Calendar(self.minutes, self.zone, frozenset(self.holidays))

    def counted(self, label: str) -> np.ndarray:
        """How many texts of a label each bucket has; (n,). None of a label that never came."""
        return np.array(self.labels.get(label, (0,) * len(self.starts)), int)

    @property
    def name(self) -> str:
        """For people."""
        return ", ".join(f"{column} {value}" for column, value in self.key) or "all texts"


def bucketed(
    calendar: Calendar, key: Key, times: np.ndarray, labels: Sequence[str], first: datetime, last: datetime
) -> Series:
    """A series of texts with these times (datetime64, UTC) and labels, from the bucket of `first` to that of `last`.

    What lies outside is left out: who calls says which span counts.
    """
    starts = calendar.between(first, last)
    seconds = np.array([int(one.timestamp()) for one in starts])
    where = np.searchsorted(seconds, times.astype("datetime64[s]").astype(np.int64), side="right") - 1
    end = calendar.end(starts[-1]).timestamp()
    inside = (where >= 0) & (times.astype("datetime64[s]").astype(np.int64) < end)
    names = np.asarray(labels, dtype=object)

    def counts(chosen: np.ndarray) -> tuple[int, ...]:
        return tuple(np.bincount(where[chosen], minlength=len(starts)).tolist())

    by_label = {str(name): counts(inside & (names == name)) for name in sorted(set(labels))}
    return Series(
        key=key,
        minutes=calendar.minutes,
        zone=calendar.zone,
        holidays=tuple(sorted(calendar.holidays)),
        starts=starts,
        texts=counts(inside),
        labels=by_label,
    )
