"""The rows that a training learns from, found by their keys, times and labels: no token is looked at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from perennial import kinds
from perennial.records.data import EncodedData, ValidatedData
from perennial.records.training import SampleSize, StartingPoint
from perennial.rows.columns import TIME
from perennial.settings.pipeline import PipelineSpec
from perennial.training import sampling
from perennial.training.encoding import dataset
from perennial.training.encoding.row_encoding import KEY
from perennial.training.sampling import NO_TIME, Candidates

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class SelectedRows:
    """What is learned from."""

    rows: int
    segments: np.ndarray | None = None
    """Their numbers among all encoded segments, ascending; None: all."""
    sample: SampleSize | None = None
    """None: all rows are learned from."""


@dataclass(frozen=True)
class _Batch:
    """The rows of one batch; segments of a row lie one after the other."""

    first: np.ndarray
    """The first segment of each row."""
    segments: int
    key: np.ndarray
    time: np.ndarray
    held: tuple[np.ndarray, np.ndarray]
    """Rows, and a label they hold."""
    new: bool


def select_rows(
    spec: PipelineSpec, data: EncodedData, validated: ValidatedData, start: StartingPoint | None, root: Path
) -> SelectedRows:
    """The rows of `data` that `spec.training` has the run learn from; `root`: the store's.

    Memory grows with the number of rows by some tens of bytes each.
    """
    if spec.training.max_rows is None and spec.training.replay is None:
        return SelectedRows(data.rows)
    parts_before = frozenset(start.parts) if start else frozenset()
    batches = [
        _batch(spec, batch, new=part.source.sha256 not in parts_before)
        for part, encoded in zip(validated.parts, data.parts, strict=True)
        for batch in dataset.batches_of(encoded, root)
    ]
    rows = _candidates(spec, batches)
    drawn = sampling.draw(rows, spec.training)
    fresh = int((drawn & rows.new).sum()) if parts_before else None
    sample = SampleSize(rows=int(drawn.sum()), of=len(rows), new=fresh)
    return SelectedRows(sample.rows, np.repeat(drawn, list(_lengths(batches))).nonzero()[0], sample)


def _batch(spec: PipelineSpec, batch: pa.RecordBatch, *, new: bool) -> _Batch:
    import pyarrow as pa

    keys = batch.column(KEY).to_numpy()
    # Keys 7 7 9 are two rows, the first of two segments: they begin at 0 and 2, and are rows 0 0 1 of the batch.
    begins = np.append(True, keys[1:] != keys[:-1])
    first = begins.nonzero()[0]
    times = batch.column(TIME).cast(pa.int64()).fill_null(NO_TIME).to_numpy()
    targets = batch.column("target")
    positions, labels = kinds.kind_named(spec.kind).labels_learned(dataset.target_numbers(targets), spec.data.labels)
    if pa.types.is_list(targets.type):
        positions = np.searchsorted(targets.offsets.to_numpy(), positions, "right") - 1
    row_of = np.cumsum(begins) - 1
    return _Batch(first, len(keys), keys[first], times[first], (row_of[positions], labels), new)


def _candidates(spec: PipelineSpec, batches: list[_Batch]) -> Candidates:
    sizes = [len(batch.first) for batch in batches]
    none = np.empty(0, np.int64)
    return Candidates(
        key=np.concatenate([none.astype(np.uint64), *(batch.key for batch in batches)]),
        time=np.concatenate([none, *(batch.time for batch in batches)]),
        label=sampling.rarest_labels([batch.held for batch in batches], sizes, max(1, len(spec.data.labels))),
        new=np.repeat([batch.new for batch in batches], sizes).astype(bool),
    )


def _lengths(batches: list[_Batch]) -> Iterator[int]:
    """Segments of each row."""
    for batch in batches:
        yield from np.diff(np.append(batch.first, batch.segments)).tolist()
