"""Rows that say of an id that its row is gone (tombstones), told from rows that are there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from perennial.core.errors import SourceError
from perennial.rows.batch import Batch

DELETED = {"true", "yes", "y", "t", "1"}
NOT_DELETED = {"", "false", "no", "n", "f", "0"}


class Halves(NamedTuple):
    """A batch parted by what its rows say, with the position in it (from 0) of each row."""

    present: Batch
    present_positions: Sequence[int]
    deleted: Batch
    deleted_positions: Sequence[int]


def parted(batch: Batch, column: str | None) -> Halves:
    """The rows of `batch` that are there, and those that say in `column` that they are deleted.

    true, yes or 1 says so; nothing, false, no or 0 says that it is not. None: all are there. Raises SourceError, naming
    file and line, for any other value.
    """
    is_deleted = [_is_deleted(value) for value in batch.columns[column]] if column is not None else []
    if True not in is_deleted and None not in is_deleted:
        return Halves(batch, range(len(batch.numbers)), batch.take(()), ())
    if column is not None and None in is_deleted:
        raise _unclear(batch, is_deleted.index(None), column)
    present = [row for row, deleted in enumerate(is_deleted) if not deleted]
    deleted = [row for row, deleted in enumerate(is_deleted) if deleted]
    return Halves(batch.take(present), present, batch.take(deleted), deleted)


def _is_deleted(value: object) -> bool | None:
    """None: it can't be told."""
    # NaN is what a data frame has for nothing.
    if value is None or value != value:
        return False
    word = _word(value)
    return True if word in DELETED else False if word in NOT_DELETED else None


def _word(value: object) -> str:
    return str(int(value) if isinstance(value, float) and value.is_integer() else value).strip().lower()


def _unclear(batch: Batch, row: int, column: str) -> SourceError:
    word = _word(batch.columns[column][row])
    shown = word[:20] + "…" * (len(word) > 20)
    return SourceError(
        f"{batch.where(row)} has {shown!r} in column {column!r}, which says whether the row is deleted; expected true, "
        "yes or 1, or false, no, 0 or nothing.",
        remedy="Mend that cell, or name another column in data.columns.deleted.",
    )
