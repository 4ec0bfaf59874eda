"""What the rows of this run are like beside those there were before: label shares and lengths of text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from perennial import kinds
from perennial.core.store import Store
from perennial.ingest import retirements
from perennial.kinds.protocols import ReadsRows
from perennial.records.data import CheckedPart, ValidatedData
from perennial.records.run import Evidence
from perennial.settings.pipeline import PipelineSpec
from perennial.validation.read_rows import read_part

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

LENGTH_BINS = 30
LONGEST_SHOWN = 99
"""Percentile of the lengths where the histogram ends; a few endless texts would press all others into one bin."""


@dataclass(frozen=True)
class Side:
    """The new rows, or those before."""

    rows: int
    labels: Mapping[str, int]
    """Rows by label; empty for a kind without labels."""
    median_length: float
    """Characters."""
    lengths: tuple[float, ...]
    """Share of the rows in each bin."""


@dataclass(frozen=True)
class DataDrift:
    """Good rows of every split, the new ones and the older ones."""

    new: Side
    old: Side | None
    """None: there were no rows before."""
    edges: tuple[float, ...]
    """Of the bins of length, in characters; the last holds what is longer, too."""

    @property
    def label_distance(self) -> float | None:
        """Total variation distance of the label shares, 0 (alike) to 1; None: nothing to compare."""
        if self.old is None or not self.new.labels or not self.old.labels:
            return None
        names = {*self.new.labels, *self.old.labels}
        sides = [(side.labels, max(sum(side.labels.values()), 1)) for side in (self.new, self.old)]
        new, old = ({name: labels.get(name, 0) / total for name in names} for labels, total in sides)
        return sum(abs(new[name] - old[name]) for name in names) / 2


def data_drift(spec: PipelineSpec, evidence: Evidence, store: Store) -> DataDrift | None:
    """New and older rows, read from the checked parts; None: nothing is new, or the parts are not in this store."""
    validated, snapshot = evidence.validated, evidence.snapshot
    parts, gone = validated.parts, retirements.RetiredIds(validated.retired, store)
    first = _first_new(parts, snapshot.new_rows + snapshot.corrected_rows)
    if first == len(parts) or not all((store.root / part.path).is_file() for part in parts):
        return None
    kind = kinds.kind_named(spec.kind)
    numbers = range(first, len(parts)), range(first)
    new, old = (_PartRows.of(kind, validated, some, gone, store) for some in numbers)
    edges = _edges([new, old])
    return DataDrift(new.side(edges), old.side(edges) if old.rows else None, tuple(float(edge) for edge in edges))


def _first_new(parts: Sequence[CheckedPart], new_rows: int) -> int:
    """Where the parts begin that this run appended."""
    first, left = len(parts), new_rows
    while first and left > 0:
        first -= 1
        left -= parts[first].source.rows
    return first


@dataclass(frozen=True)
class _PartRows:
    rows: int
    labels: Counter[str]
    lengths: np.ndarray

    @classmethod
    def of(
        cls, kind: ReadsRows, data: ValidatedData, parts: Iterable[int], gone: retirements.RetiredIds, store: Store
    ) -> _PartRows:
        import numpy as np

        labels: Counter[str] = Counter()
        lengths = [np.zeros(0, dtype=np.int64)]
        for number in parts:
            for batch in read_part(data, store, number, [*kind.text_columns, kind.target_column], gone):
                labels.update(_labels(kind, batch))
                lengths.append(_lengths(kind, batch))
        joined = np.concatenate(lengths)
        return cls(len(joined), labels, joined)

    def side(self, edges: np.ndarray) -> Side:
        import numpy as np

        counts, _ = np.histogram(np.minimum(self.lengths, edges[-1]), edges)
        shares = counts / max(self.rows, 1)
        median = float(np.median(self.lengths)) if self.rows else 0.0
        return Side(self.rows, dict(self.labels), median, tuple(float(value) for value in shares))


def _labels(kind: ReadsRows, batch: pa.RecordBatch) -> dict[str, int]:
    labels = kind.labels_in(batch.column(kind.target_column))
    if labels is None:
        return {}
    return {row["values"]: row["counts"] for row in labels.value_counts().to_pylist() if row["values"] is not None}


def _lengths(kind: ReadsRows, batch: pa.RecordBatch) -> np.ndarray:
    import pyarrow.compute as pc

    columns = [pc.fill_null(pc.utf8_length(batch.column(name)), 0) for name in kind.text_columns]
    return sum(column.to_numpy(zero_copy_only=False).astype("int64") for column in columns)  # type: ignore[no-any-return]


def _edges(sides: Sequence[_PartRows]) -> np.ndarray:
    import numpy as np

    lengths = np.concatenate([side.lengths for side in sides])
    longest = float(np.percentile(lengths, LONGEST_SHOWN)) if len(lengths) else 1.0
    return np.linspace(0, max(longest, 1.0), LENGTH_BINS + 1)
