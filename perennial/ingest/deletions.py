"""Rows that say of an id that its row is gone (tombstones), told from rows that are there."""

from __future__ import annotations

from collections.abc import Sequence

from perennial.core.errors import SourceError
from perennial.rows.batch import Batch

SAID = {"true", "yes", "y", "t", "1"}
NOT_SAID = {"", "false", "no", "n", "f", "0"}


def said(batch: Batch, column: str) -> list[bool]:
    """Of each row of `batch`, whether it says so in `column`: true, yes or 1; nothing, false, no or 0 says that it does
    not. Raises SourceError, naming file and line, for any other value."""
    return [_is_said(batch, row, column, value) for row, value in enumerate(batch.columns[column])]


def chosen(batch: Batch, rows: Sequence[int]) -> Batch:
    """The rows of `batch` at these places."""
    columns = {name: [values[row] for row in rows] for name, values in batch.columns.items()}
    return Batch(batch.file, batch.unit, [batch.places[row] for row in rows], columns)


def _is_said(batch: Batch, row: int, column: str, value: object) -> bool:
    # NaN is what a data frame has for nothing.
    if value is None or value != value:
        return False
    words = str(int(value) if isinstance(value, float) and value.is_integer() else value).strip().lower()
    if words in SAID:
        return True
    if words in NOT_SAID:
        return False
    shown = words[:20] + "…" * (len(words) > 20)
    raise SourceError(
        f"{batch.place(row)} has {shown!r} in column {column!r}, which says whether the row is deleted; expected true, "
        "yes or 1, or false, no, 0 or nothing.",
        remedy="Mend that cell, or name another column in data.columns.deleted.",
    )
