"""Test rows that a model can know by heart: near copies of train rows, and texts that rows of two splits share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from perennial import kinds
from perennial.core import progress
from perennial.core.home import Home
from perennial.metrics.near_copy_figures import NEAR, NONE, SHARED
from perennial.records.data import ValidatedData
from perennial.records.evaluation import NearCopies
from perennial.rows.folding import folded
from perennial.settings.pipeline import PipelineSpec
from perennial.validation.read_rows import read_split

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

LETTERS = 200_000_000
"""Of train rows, as `near_copies` counts them, with which others are compared; of more, a sample. Half a minute."""


@dataclass(frozen=True)
class SplitOverlap:
    """What splits have in common."""

    counted: NearCopies
    memberships: dict[str, np.ndarray]
    """Which test rows are in each slice (bool), by its name; NONE is always there."""


def measure_overlap(spec: PipelineSpec, data: ValidatedData, test: pa.Table, home: Home) -> SplitOverlap:
    """Which of the `test` rows, and how many validation rows, are near copies of train rows.

    Of kinds that read two texts together both must be as one row has them. A row of which only one text is in a train
    row, but for case, punctuation and the like, is counted by itself.
    """
    progress.advance(0, None, unit="row", detail="near copies")
    columns = list(kinds.kind_named(spec.kind).text_columns)
    train = read_split(data, home.store, "train", columns)
    every = _every(train)
    compared = _Texts(train if every == 1 else train.take(list(range(0, train.num_rows, every))))
    # Whole texts are compared with those of all train rows, which costs nothing.
    whole = _Texts(train) if every > 1 and len(columns) > 1 else compared
    near, shared = _overlap(_Texts(test.select(columns)), compared, whole)
    validation = _Texts(read_split(data, home.store, "validation", columns))
    near_there, _ = _overlap(validation, compared, None)
    counted = NearCopies(
        test=len(near),
        near=int(near.sum()),
        shared=int(shared.sum()),
        validation=len(near_there),
        validation_near=int(near_there.sum()),
        train=train.num_rows,
        compared=compared.count,
    )
    inside = {NONE: ~(near | shared)} | {name: rows for name, rows in ((NEAR, near), (SHARED, shared)) if rows.any()}
    return SplitOverlap(counted, inside)


class _Texts:
    """The folded texts of rows, by column."""

    def __init__(self, rows: pa.Table) -> None:
        self.count = rows.num_rows
        self.columns = [folded(rows[name].combine_chunks()) for name in rows.column_names]

    @property
    def joined(self) -> Sequence[str]:
        """All texts of each row as one."""
        return self.columns[0] if len(self.columns) == 1 else list(map("".join, zip(*self.columns, strict=True)))


def _overlap(rows: _Texts, compared: _Texts, train: _Texts | None) -> tuple[np.ndarray, np.ndarray]:
    """Which `rows` are near copies of `compared` ones, and which of the others share a text with `train` (None: not
    looked at)."""
    import numpy as np

    from perennial.rows.likeness import near_copies

    near = near_copies.near_copies(rows.joined, compared.joined)
    shared = np.zeros(rows.count, bool)
    if train is not None and len(rows.columns) > 1:
        for ours, theirs in zip(rows.columns, train.columns, strict=True):
            there = set(theirs)
            shared |= np.fromiter((text in there for text in ours), bool, rows.count)
    return near, shared & ~near


def _every(train: pa.Table) -> int:
    """Each how manieth train row is compared."""
    import pyarrow.compute as pc

    from perennial.rows.likeness import minhash, near_copies

    lengths = (pc.fill_null(pc.utf8_length(train[name]), 0) for name in train.column_names)
    letters: float = sum(pc.sum(pc.min_element_wise(each, near_copies.LETTERS)).as_py() or 0 for each in lengths)
    rows: int = train.num_rows
    return max(1, math.ceil((letters + rows * minhash.HASHES) / LETTERS))
