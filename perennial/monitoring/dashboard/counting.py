"""The second look: how many texts each series has in each bucket, and how they sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from perennial.monitoring.dashboard.columns import NEGATIVE, POSITIVE, TextColumns
from perennial.monitoring.dashboard.figures import DrawnRange, IndexFigure, SeriesBuckets
from perennial.monitoring.dashboard.ranges import TimeRange
from perennial.monitoring.trends.intervals import index_interval
from perennial.monitoring.trends.series import Key

TEXTS, STORIES, IS_POSITIVE, IS_NEGATIVE, WATCHED = range(5)
"""What is counted in each bucket."""
DIGITS = 3
"""Behind the point, of an index: the page is smaller."""


@dataclass
class SeriesCounts:
    """Counts of some series in the buckets of some ranges; as large for any number of texts."""

    ranges: Sequence[TimeRange]
    keys: Sequence[Key]
    counts: list[np.ndarray] = field(init=False)
    """Of each range (series, buckets, 5) int64: TEXTS, STORIES, …"""

    def __post_init__(self) -> None:
        self.counts = [np.zeros((len(self.keys), len(one.starts), 5), np.int64) for one in self.ranges]

    def add(self, texts: TextColumns) -> None:
        """Count some more texts."""
        buckets = [one.buckets(texts.seconds) for one in self.ranges]
        kinds = (
            np.ones(len(texts.seconds), bool),
            texts.first,
            texts.sort == POSITIVE,
            texts.sort == NEGATIVE,
            texts.watched,
        )
        for row, key in enumerate(self.keys):
            inside = texts.has(key)
            for bucket_of, counts in zip(buckets, self.counts, strict=True):
                for column, kind in enumerate(kinds):
                    chosen = bucket_of[inside & kind & (bucket_of >= 0)]
                    counts[row, :, column] += np.bincount(chosen, minlength=counts.shape[1])

    def drawn(self) -> tuple[DrawnRange, ...]:
        """What was counted, with indexes and intervals."""
        return tuple(_drawn(one, counts) for one, counts in zip(self.ranges, self.counts, strict=True))


def index_figure(counts: np.ndarray) -> IndexFigure:
    """Of the five counts of a bucket, or of the sums of several."""
    texts, stories, positive, negative, watched = (int(one) for one in counts)
    index, low, high = index_interval(np.array([positive]), np.array([negative]), np.array([texts]))
    return IndexFigure(
        texts=texts,
        stories=stories,
        positive=positive,
        negative=negative,
        watched=watched,
        index=_rounded(index)[0],
        low=float(low[0]),
        high=float(high[0]),
    )


def _drawn(time_range: TimeRange, counts: np.ndarray) -> DrawnRange:
    local = time_range.calendar.local
    return DrawnRange(
        name=time_range.name,
        minutes=time_range.calendar.minutes,
        starts=tuple(local(start) for start in time_range.starts),
        end=local(time_range.end),
        series=tuple(_buckets(one) for one in counts),
    )


def _buckets(counts: np.ndarray) -> SeriesBuckets:
    texts, stories, positive, negative, watched = (tuple(column.tolist()) for column in counts.T)
    index, low, high = index_interval(counts[:, IS_POSITIVE], counts[:, IS_NEGATIVE], counts[:, TEXTS])
    return SeriesBuckets(
        total=index_figure(counts.sum(axis=0)),
        texts=texts,
        stories=stories,
        positive=positive,
        negative=negative,
        watched=watched,
        index=tuple(_rounded(index)),
        low=tuple(np.round(low, DIGITS).tolist()),
        high=tuple(np.round(high, DIGITS).tolist()),
    )


def _rounded(index: np.ndarray) -> list[float | None]:
    return [None if np.isnan(one) else round(float(one), DIGITS) for one in index]
