"""Rows of which nobody said which labels or spans they have: what tells them, and how one is made to have none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from perennial.kinds.target_cells import TargetCells
from perennial.rows import cells
from perennial.rows.batch import Batch


def rows_without_label(batch: Batch, target: TargetCells) -> list[int]:
    """The rows (from 0) whose target's cells are all empty."""
    if not target.columns:
        return []
    first, *others = (batch.columns[name] for name in target.columns)
    rows = [row for row, value in enumerate(first) if cells.is_missing(value)]
    return [row for row in rows if all(cells.is_missing(values[row]) for values in others)]


def with_none(batch: Batch, target: TargetCells, rows: Sequence[int]) -> Batch:
    """`batch` in which these rows say that they have no label or span."""
    chosen = frozenset(rows)
    filled = {
        name: [target.none if row in chosen else value for row, value in enumerate(batch.columns[name])]
        for name in target.columns
    }
    return replace(batch, columns={**batch.columns, **filled})


def says_not(batch: Batch, columns: Sequence[str], labels: Sequence[Sequence[str] | None]) -> bool:
    """Whether a cell of these columns, each of a label, says that it does not hold; `labels`: those that do, by row."""
    filled = sum(not cells.is_missing(value) for name in columns for value in batch.columns[name])
    return filled > sum(len(row or ()) for row in labels)
