"""The first look at the stored texts: from when they are, which values their columns have, who answered them."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from perennial.monitoring.dashboard.columns import column_values, seconds_of
from perennial.monitoring.dashboard.figures import VersionMark
from perennial.settings.monitor.trends import TrendsSpec

if TYPE_CHECKING:
    import pyarrow as pa

MOST_VALUES = 5_000
"""Values of a column that are counted; beyond twice as many the rare ones are dropped, so that memory is bounded."""
MOST_MARKS = 40
FIRST_TEXTS = 15
"""A version is said to answer from the median time of its first so many texts: one that came late does not move it."""


@dataclass
class StreamSurvey:
    """What all stored texts have, without holding any."""

    trends: TrendsSpec
    now: datetime
    """Aware; texts of a later time are drawn nowhere."""
    texts: int = 0
    answered: int = 0
    toned: int = 0
    """Those whose label counts +1 or -1."""
    without_text: int = 0
    future: int = 0
    first: float = float("inf")
    """Seconds since 1970, of the earliest answered text, and the latest."""
    last: float = float("-inf")
    values: dict[str, Counter[str]] = field(default_factory=dict)
    """Of each column, how many texts each value has."""
    rare_dropped: set[str] = field(default_factory=set)
    """Columns with more values than are counted."""
    answerers: AnswererLog = field(default_factory=lambda: AnswererLog())

    def add(self, table: pa.Table) -> None:
        """Look at the next texts in the order in which they were read."""
        import pyarrow as pa
        import pyarrow.compute as pc

        self.texts += len(table)
        table = table.filter(pc.and_(pc.is_valid(table["time"]), pc.is_valid(table["label"]))).combine_chunks()
        self.answered += len(table)
        self.without_text += int(pc.sum(pc.equal(pc.fill_null(table["text"], ""), "")).as_py() or 0)
        seconds = seconds_of(table["time"])
        past = seconds <= self.now.timestamp()
        self.future += int(np.sum(~past))
        if past.any():
            self.first = min(self.first, float(seconds[past].min()))
            self.last = max(self.last, float(seconds[past].max()))
        toned = pa.array([*self.trends.positive, *self.trends.negative], pa.string())
        self.toned += int(pc.sum(pc.is_in(table["label"], value_set=toned)).as_py() or 0)
        for column in self.by:
            self._count(column, table)
        self.answerers.add(table["model"].to_pylist(), seconds)

    def _count(self, column: str, table: pa.Table) -> None:
        _, values = column_values(table, column)
        counts = self.values.setdefault(column, Counter())
        for one in values.value_counts().to_pylist():
            counts[one["values"]] += one["counts"]
        if len(counts) > 2 * MOST_VALUES:
            self.values[column] = Counter(dict(counts.most_common(MOST_VALUES)))
            self.rare_dropped.add(column)

    @property
    def by(self) -> tuple[str, ...]:
        """Columns whose values are counted."""
        return self.trends.by

    @property
    def span(self) -> tuple[datetime, datetime] | None:
        """The times of the earliest and the latest text that can be drawn; None: there is none."""
        if self.first > self.last:
            return None
        return datetime.fromtimestamp(self.first, UTC), datetime.fromtimestamp(self.last, UTC)


@dataclass
class AnswererLog:
    """Where, in the order in which texts were read, another version begins to answer."""

    stretches: deque[tuple[str, list[float]]] = field(default_factory=lambda: deque(maxlen=MOST_MARKS))
    """The newest: a version, and the times of its first texts."""
    changes: int = 0

    def add(self, models: Sequence[str | None], seconds: np.ndarray) -> None:
        """The versions and times of the next texts."""
        for model, at in zip(models, seconds.tolist(), strict=True):
            if model is None:
                continue
            if not self.stretches or self.stretches[-1][0] != model:
                self.changes += bool(self.stretches)
                self.stretches.append((model, []))
            if len(self.stretches[-1][1]) < FIRST_TEXTS:
                self.stretches[-1][1].append(at)

    @property
    def version(self) -> str | None:
        """The one that answered the text that was read last."""
        return self.stretches[-1][0] if self.stretches else None

    def marks(self) -> list[VersionMark]:
        """From when each version answered, the oldest first."""
        return [
            VersionMark(version=version, since=datetime.fromtimestamp(median(first), UTC), what="answers")
            for version, first in self.stretches
        ]
