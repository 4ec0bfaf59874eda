"""Cells as a source has them, read as what a kind of task expects: text, lists, numbers."""

from __future__ import annotations

import json
import math
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

from perennial.core.errors import SourceError
from perennial.inference.words import is_unicode
from perennial.rows.batch import Batch

if TYPE_CHECKING:
    import pyarrow as pa

_TEXT = {str, type(None)}


def is_missing(value: object) -> bool:
    """Whether a cell holds nothing: null, NaN (what a data frame has for nothing) or blank text."""
    return value is None or value != value or (isinstance(value, str) and not value.strip())


def text_array(batch: Batch, column: str) -> pa.Array:
    """The cells of `column` as an Arrow array of strings, null where there is nothing.

    Raises SourceError, naming file and line, for a nested value and text that is no Unicode.
    """
    import pyarrow as pa

    cells = batch.columns[column]
    if not set(map(type, cells)) <= _TEXT:
        cells = [cell if isinstance(cell, str) else _text(batch, row, column, cell) for row, cell in enumerate(cells)]
    try:
        return pa.array(cells, pa.string())
    except UnicodeEncodeError as error:
        row = next(row for row, text in enumerate(cells) if isinstance(text, str) and not is_unicode(text))
        raise no_unicode(batch, row, column) from error


def texts(batch: Batch, column: str) -> list[str | None]:
    """`text_array` as a list, None where there is nothing."""
    values: list[str | None] = text_array(batch, column).to_pylist()
    return values


def nested(value: object) -> object:
    """A cell that holds a list or an object, also as JSON text, as CSV must write it; else `value` as it is."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def alone(value: object) -> object:
    """What a list of one text or whole number holds, also as JSON text, as CSV must write it; else `value` as it is."""
    items = nested(value) if isinstance(value, str) and value[:1] == "[" else value
    if isinstance(items, list | tuple) and len(items) == 1 and type(items[0]) in (str, int):
        return items[0]
    return value


def each_alone(values: list[object]) -> list[object]:
    """`alone` of each value; of many texts that are seldom lists, in a fraction of the time."""
    if set(map(type, values)) <= _TEXT and not any(text[:1] == "[" for text in set(values) if isinstance(text, str)):
        return values
    return list(map(alone, values))


def number(value: object) -> float | None:
    """A cell as a number; None if it holds none that is finite."""
    if isinstance(value, bool):
        return None
    try:
        parsed = float(value)  # type: ignore[arg-type]  # what has no float is caught
    except (TypeError, ValueError, OverflowError):
        return None
    return parsed if math.isfinite(parsed) else None


def no_unicode(batch: Batch, row: int, column: str) -> SourceError:
    """What is said of a cell that holds half a surrogate pair."""
    return SourceError(
        f"{batch.where(row)}: column {column!r} holds half a surrogate pair (\\ud800 to \\udfff alone), "
        "which is no Unicode text.",
        remedy="Write the character itself, or both halves; in Python: "
        "text.encode('utf-16', 'surrogatepass').decode('utf-16', 'replace')",
    )


def _text(batch: Batch, row: int, column: str, value: object) -> str | None:
    if value is None or value != value:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | Decimal | UUID):
        return str(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError as error:
            raise SourceError(
                f"{batch.where(row)}: column {column!r} holds bytes that are not UTF-8.",
                remedy="Convert the column to text where it is written.",
            ) from error
    raise SourceError(
        f"{batch.where(row)}: column {column!r} holds a {type(value).__name__}; text was expected.",
        remedy="Name another column under data.columns, or write the value as text.",
    )
