"""JSON Lines: an object a line; blank lines are passed over."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from perennial.data.sources.base import BATCH_BYTES, BATCH_ROWS, Batch, require_columns
from perennial.data.sources.lines import Lines
from perennial.errors import SourceError

Row = dict[str, Any]
_REMEDY = "Mend that line; a file that is one JSON array can be turned into lines with: jq -c '.[]'"


def read(lines: Lines, name: str, wanted: Sequence[str] | None) -> Iterator[Batch]:
    """The rows of a JSON Lines file, only the columns `wanted`; a key that a row lacks is None.

    `wanted` None: all columns that a batch has, with the types JSON gives them; else numbers with a fraction stay text
    as they are written. Raises SourceError, naming file and line, for what is no
    JSON object, and for a column that none of the first rows has.
    """
    decode = json.JSONDecoder(parse_float=float if wanted is None else str, parse_constant=_nothing).decode
    rows: list[Row] = []
    places: list[int] = []
    checked = False
    limit = lines.taken + BATCH_BYTES
    for line, text in enumerate(lines, 1):
        try:
            row = decode(text)
        except (ValueError, RecursionError) as error:
            if text.isspace():
                continue
            raise _broken(name, line, text, error) from error
        if type(row) is not dict:
            raise _no_object(name, line, row)
        rows.append(row)
        places.append(line)
        if len(rows) >= BATCH_ROWS or lines.taken >= limit:
            checked = checked or _check(name, rows, wanted)
            yield _batch(name, rows, places, wanted)
            rows, places, limit = [], [], lines.taken + BATCH_BYTES
    if rows:
        checked = checked or _check(name, rows, wanted)
    yield _batch(name, rows, places, wanted)


def _nothing(_: str) -> None:
    """NaN and the infinities, which JSON does not have, are no value."""


def _check(name: str, rows: list[Row], wanted: Sequence[str] | None) -> bool:
    if wanted is not None:
        require_columns(name, _keys(rows), wanted)
    return True


def _batch(name: str, rows: list[Row], places: list[int], wanted: Sequence[str] | None) -> Batch:
    columns = _keys(rows) if wanted is None else wanted
    return Batch(name, "line", places, {column: [row.get(column) for row in rows] for column in columns})


def _keys(rows: list[Row]) -> list[str]:
    return list(dict.fromkeys(key for row in rows for key in row))


def _broken(name: str, line: int, text: str, error: Exception) -> SourceError:
    reason = "it is nested too deep, or a number in it is too long"
    if isinstance(error, json.JSONDecodeError):
        reason = f"{error.msg}, column {min(error.pos, len(text.rstrip())) + 1:,}"
    return SourceError(
        f"{name}, line {line:,} is not JSON ({reason}); one JSON object a line was expected.", remedy=_REMEDY
    )


def _no_object(name: str, line: int, value: object) -> SourceError:
    kinds = {list: "an array", str: "a text", bool: "a truth value", int: "a number", type(None): "null"}
    return SourceError(
        f"{name}, line {line:,} holds {kinds.get(type(value), 'a value')}; "
        'one JSON object a line was expected, such as {"text": "…", "label": "…"}.',
        remedy=_REMEDY,
    )
