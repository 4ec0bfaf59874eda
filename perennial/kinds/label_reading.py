"""Which of the pipeline's labels the rows' labels are, where they are written otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from perennial.kinds.protocols import ReadsRows
from perennial.rows import label_spelling
from perennial.settings.data import DataSpec

if TYPE_CHECKING:
    import pyarrow as pa

Changes = Mapping[tuple[str, str], int]
"""How often a spelling (first) stands for a label (second)."""


class ReadLabels(NamedTuple):
    """Targets with labels in the pipeline's spelling."""

    targets: pa.Array
    changed: Changes
    """What was written otherwise."""
    near: Changes
    """What differs from a label in no more than `data.fold_labels` would overlook, and was left."""


def read_labels(kind: ReadsRows, targets: pa.Array, data: DataSpec) -> ReadLabels:
    """`targets` with each other spelling of one of `data.labels` as that one: of blanks always, else as
    `data.fold_labels` says."""
    counts = label_counts(kind, targets)
    spelling = label_spelling.spellings(counts, data.labels, fold=data.fold_labels)
    left = [label for label in counts if label not in spelling]
    near = label_spelling.spellings(left, data.labels, fold=True)
    return ReadLabels(
        kind.respelled(targets, spelling) if spelling else targets,
        {(one, other): counts[one] for one, other in spelling.items()},
        {(one, other): counts[one] for one, other in near.items()},
    )


def label_counts(kind: ReadsRows, targets: pa.Array) -> dict[str, int]:
    """How often each label is there, as it is written."""
    counted = kind.label_rows(targets)[1].drop_null().value_counts()
    return dict(zip(counted.field(0).to_pylist(), counted.field(1).to_pylist(), strict=True))
