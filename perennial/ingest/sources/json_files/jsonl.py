"""JSON Lines: an object a line; blank lines are passed over."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from perennial.core.errors import SourceError
from perennial.ingest.sources import dotted
from perennial.ingest.sources.base import BATCH_BYTES, BATCH_ROWS, require_columns
from perennial.ingest.sources.lines import TextLines
from perennial.rows.batch import Batch

Row = dict[str, Any]
_PLAIN = {str, int, bool, type(None)}
_REMEDY = "Mend that line; other JSON can be turned into lines, an array in an object for example with: jq -c '.data[]'"


def read(lines: TextLines, name: str, wanted: Sequence[str] | None) -> Iterator[Batch]:
    """The rows of a JSON Lines file, only the columns `wanted`; a key that a row lacks is None.

    `wanted` None: all columns that a batch has, with the types JSON gives them; else numbers with a fraction stay text
    as they are written. Raises SourceError, naming file and line, for what is no
    JSON object, and for a column that none of the first rows has.
    """
    texts: list[str] = []
    numbers: list[int] = []
    checked = False
    limit = lines.taken + BATCH_BYTES
    for line, text in enumerate(lines, 1):
        texts.append(text)
        numbers.append(line)
        if len(texts) >= BATCH_ROWS or lines.taken >= limit:
            texts, numbers = _whole(lines, texts, numbers)
            batch = _batch(name, texts, numbers, wanted, checked=checked)
            checked = checked or bool(batch.numbers)
            yield batch
            texts, numbers, limit = [], [], lines.taken + BATCH_BYTES
    yield _batch(name, *_whole(lines, texts, numbers), wanted, checked=checked)


def _whole(lines: TextLines, texts: list[str], numbers: list[int]) -> tuple[list[str], list[int]]:
    """The lines, less the last one if it is half written."""
    if not (lines.is_open and texts) or _is_json(texts[-1]) or not lines.left_for_later(numbers[-1]):
        return texts, numbers
    return texts[:-1], numbers[:-1]


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return text.isspace()
    except RecursionError:
        pass  # no half line is nested so deep
    return True


def _batch(name: str, texts: list[str], numbers: list[int], wanted: Sequence[str] | None, *, checked: bool) -> Batch:
    if wanted is not None and (plain := _plainly(texts, wanted)) is not None:
        rows, columns = plain
    else:
        rows, numbers = _decoded(name, texts, numbers, wanted)
        columns = columns_of(rows, wanted)
    if rows and not checked:
        require_keys(name, rows, wanted)
    return Batch(name, "line", numbers, columns)


def columns_of(rows: Sequence[Row], wanted: Sequence[str] | None) -> dict[str, list[Any]]:
    """The columns `wanted` (None: all) of `rows`; a dotted name is that of a value inside an object."""
    names = _keys(rows) if wanted is None else wanted
    return {
        name: [dotted.value_at(row, name) for row in rows]
        if "." in name and wanted is not None
        else [row.get(name) for row in rows]
        for name in names
    }


def require_keys(name: str, rows: Sequence[Row], wanted: Sequence[str] | None) -> None:
    """Raises SourceError when none of `rows` has one of `wanted`."""
    if wanted is not None and not set(wanted) <= set(_keys(rows)):
        require_columns(name, list(dict.fromkeys([*_keys(rows), *dotted.names_of(rows)])), wanted)


def _plainly(texts: list[str], wanted: Sequence[str]) -> tuple[list[Row], dict[str, list[Any]]] | None:
    """The rows and the columns `wanted`, by a faster decoder, if it gives what Python's does: each line is an object,
    and no value in these columns holds a fraction or a number too long for it."""
    try:
        rows = list(map(orjson.loads, texts))
    except ValueError:
        return None
    if not set(map(type, rows)) <= {dict}:
        return None
    columns = columns_of(rows, wanted)
    return (rows, columns) if all(set(map(type, values)) <= _PLAIN for values in columns.values()) else None


def _decoded(
    name: str, texts: list[str], numbers: list[int], wanted: Sequence[str] | None
) -> tuple[list[Row], list[int]]:
    """The rows, and the lines that hold one."""
    decode = decoder_for(wanted).decode
    rows: list[Row] = []
    kept: list[int] = []
    for line, text in zip(numbers, texts, strict=True):
        try:
            row = decode(text)
        except (ValueError, RecursionError) as error:
            if text.isspace():
                continue
            raise _broken(name, line, text, error) from error
        if type(row) is not dict:
            raise _no_object(name, line, row)
        rows.append(row)
        kept.append(line)
    return rows, kept


def decoder_for(wanted: Sequence[str] | None) -> json.JSONDecoder:
    """Decodes JSON; where only some columns are wanted, numbers with a fraction stay text as they are written."""
    return json.JSONDecoder(parse_float=float if wanted is None else str, parse_constant=_nothing)


def _nothing(_: str) -> None:
    """NaN and the infinities, which JSON does not have, are no value."""


def _keys(rows: Sequence[Row]) -> list[str]:
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
