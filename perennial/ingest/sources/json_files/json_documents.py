"""JSON of rows, whichever way it is written: an object a line, an array, an array in an object, columns of values."""

import io
import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, BinaryIO, cast

from perennial.core.errors import SourceError, listing
from perennial.ingest.sources import dotted
from perennial.ingest.sources.base import BATCH_ROWS, MAX_LINE_BYTES
from perennial.ingest.sources.json_files import jsonl
from perennial.ingest.sources.json_files.json_items import are_alike, json_items, json_values, several_lists
from perennial.ingest.sources.lines import BLOCK_BYTES, Rewound, TextLines
from perennial.rows.batch import Batch

_WRAPPERS = {"data", "rows", "items", "records", "results", "examples", "documents", "docs", "entries", "samples"}
_OF_A_ROW = re.compile(r"text|sentence|content|review|message|comment|tweet|headline|body|question", re.I)
"""Names of what a row has: an object with one of these is a row, whatever lists it holds."""
_TOKENS = re.compile(r"(^|[_\W])(tokens?|words?)$", re.I)
_KEY = re.compile(r'\s*,?\s*("(?:[^"\\]|\\.)*")\s*:\s*')
_BATCH = 1_000
Row = dict[str, Any]


class Shape(StrEnum):
    """How the rows of a JSON file are written."""

    LINES = "an object a line"
    OBJECTS = "objects one after the other, or in an array"
    WRAPPED = "an array in an object"
    SPLIT = "arrays of cells in an object that names the columns"
    COLUMNS = "an object of columns"
    SEVERAL = "several arrays of rows in an object"


@dataclass(frozen=True)
class Written:
    """How a JSON file is written, as its beginning shows."""

    shape: Shape
    offset: int = 0
    """Characters before the array."""
    columns: tuple[str, ...] = ()
    """Of arrays of cells: their names; of several arrays of rows: what these are called."""
    usual: bool = False
    """Whether the array is called as the one of rows usually is, so that another beside it holds others."""


def read(stream: BinaryIO, name: str, wanted: Sequence[str] | None, *, may_grow: bool = False) -> Iterator[Batch]:
    """The rows of a JSON file, only the columns `wanted` (None: all), as `jsonl.read` gives them.

    `may_grow`: as of `TextLines`. Memory is bounded but for an object of columns, which is read as a whole if it is not
    too large. Raises SourceError, naming file and place, for what holds no rows.
    """
    start = stream.read(BLOCK_BYTES)
    written = as_written(start, wanted)
    whole = cast(BinaryIO, Rewound(start, stream))
    if written.shape is Shape.LINES:
        yield from jsonl.read(TextLines(whole, name, may_grow=may_grow), name, wanted)
        return
    rows = _rows(whole, name, wanted, written)
    checked, first = False, 1
    while batch := list(itertools.islice(rows, _BATCH if not checked else BATCH_ROWS)):
        if not checked:
            jsonl.require_keys(name, batch, wanted)
            checked = True
        numbers = range(first, first + len(batch))
        yield Batch(name, "item", numbers, jsonl.columns_of(batch, wanted))
        first += len(batch)


def as_written(start: bytes, wanted: Sequence[str] | None) -> Written:
    """How the JSON file is written that begins with `start`, all of it or a block.

    `wanted`: columns of its rows, by which a row is told from an object of rows.
    """
    text = start.decode("utf-8-sig", "ignore")
    ended = len(start) < BLOCK_BYTES
    begin = len(text) - len(text.lstrip())
    if text[begin : begin + 1] == "[":
        return Written(Shape.OBJECTS)
    try:
        value, end = json.JSONDecoder().raw_decode(text, begin)
    except (ValueError, RecursionError):
        return _of_cut(text, begin, wanted)
    if not isinstance(value, dict):
        return Written(Shape.LINES)
    if not ended or text[end:].strip():
        return Written(Shape.OBJECTS if "\n" in text[begin:end].strip() else Shape.LINES)
    written = _of_object(value, text, begin, wanted)
    spread = written.shape is Shape.LINES and "\n" in text[begin:end].strip()
    return Written(Shape.OBJECTS) if spread else written


def is_long_document(start: bytes) -> bool:
    """Whether the file that begins with `start` is one object with all rows in it, longer than that."""
    text = start.decode("utf-8-sig", "ignore")
    try:
        json.JSONDecoder().raw_decode(text, len(text) - len(text.lstrip()))
    except (ValueError, RecursionError):
        written = as_written(start, None)
        key = text[: written.offset].rpartition('"')[0].rpartition('"')[2].lower()
        return written.shape in (Shape.SPLIT, Shape.COLUMNS) or (written.shape is Shape.WRAPPED and key in _WRAPPERS)
    return False


def _of_object(value: Row, text: str, begin: int, wanted: Sequence[str] | None) -> Written:
    """How a file is written that holds this one object."""
    if _is_row(value, wanted):
        return Written(Shape.LINES)
    columns, data = value.get("columns"), value.get("data")
    if _are_names(columns) and isinstance(data, list) and all(isinstance(one, list) for one in data):
        return Written(Shape.SPLIT, _offset(text, begin, "data"), tuple(map(str, cast(list[Any], columns))))
    lists = [
        key for key, one in value.items() if isinstance(one, list) and one and all(isinstance(x, dict) for x in one)
    ]
    if len(lists) == 1:
        return Written(Shape.WRAPPED, _offset(text, begin, lists[0]))
    named = [key for key in lists if key.lower() in _WRAPPERS]
    if len(named) == 1:
        return Written(Shape.WRAPPED, _offset(text, begin, named[0]), usual=True)
    if len(lists) > 1 and any(are_alike(value[one][0], value[other][0]) for one, other in itertools.pairwise(lists)):
        return Written(Shape.SEVERAL, columns=tuple(lists))
    if named:
        return Written(Shape.WRAPPED, _offset(text, begin, named[0]))
    if value and _are_columns(list(value.values())):
        return Written(Shape.COLUMNS)
    return Written(Shape.LINES)


def _of_cut(text: str, begin: int, wanted: Sequence[str] | None) -> Written:
    """How a file is written whose first value is longer than what was read of it."""
    first_line = text[begin:].partition("\n")[0]
    if text[begin : begin + 1] != "{" or _is_whole(first_line):
        return Written(Shape.LINES)
    over_lines = Shape.OBJECTS if "\n" in text[begin:].strip() else Shape.LINES
    values, position = dict[str, Any](), begin + 1
    while match := _KEY.match(text, position):
        key = json.loads(match.group(1))
        try:
            values[key], position = json.JSONDecoder().raw_decode(text, match.end())
        except (ValueError, RecursionError):
            written = _of_key(key, values, text[match.end() :], match.end(), wanted)
            return Written(over_lines) if written.shape is Shape.LINES else written
    return Written(over_lines)


def _of_key(key: str, values: Row, rest: str, offset: int, wanted: Sequence[str] | None) -> Written:
    """How a file is written that is one object in which `key` has a long value, which begins with `rest`."""
    if _is_row(values, wanted) or rest[:1] not in ("[", "{"):
        return Written(Shape.LINES)
    inside = rest[1:].lstrip()[:1]
    if rest[:1] == "[" and inside == "{":
        usual = key.lower() in _WRAPPERS
        before = [] if usual else _lists_like(values, rest)
        if before:
            return Written(Shape.SEVERAL, columns=(*before, key))
        return Written(Shape.WRAPPED, offset, usual=usual)
    if rest[:1] == "[" and inside == "[" and _are_names(values.get("columns")):
        return Written(Shape.SPLIT, offset, tuple(map(str, values["columns"])))
    return Written(Shape.COLUMNS)


def _lists_like(values: Row, rest: str) -> list[str]:
    """Which of these values are arrays of objects like the first one of the array that `rest` begins with."""
    try:
        first, _ = json.JSONDecoder().raw_decode(rest, rest.index("{"))
    except (ValueError, RecursionError):
        return []
    return [key for key, one in values.items() if isinstance(one, list) and one and are_alike(one[0], first)]


def _is_whole(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _is_row(value: Mapping[str, Any], wanted: Sequence[str] | None) -> bool:
    """Whether the object is a row itself, rather than one of rows."""
    plain = str | int | float | bool
    if wanted is not None and any(isinstance(dotted.value_at(value, name), plain) for name in wanted):
        return True
    of_a_row = [one for key, one in value.items() if _OF_A_ROW.search(key)]
    words = [one for key, one in value.items() if _TOKENS.search(key) and isinstance(one, list)]
    return any(isinstance(one, str) for one in of_a_row) or any(isinstance(word, str) for one in words for word in one)


def _are_names(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, str | int) for one in value)


def _are_columns(values: Sequence[Any]) -> bool:
    """Whether these are columns of values by number, or rows by number: objects, or lists of one length, of several."""
    if all(isinstance(one, dict) and one for one in values):
        return len({frozenset(one) for one in values}) == 1
    of_lists = all(isinstance(one, list) for one in values)
    return of_lists and len({len(one) for one in values}) == 1 and len(values) > 1 and len(values[0]) > 1


def _offset(text: str, begin: int, wanted_key: str) -> int:
    """Where in `text` the value of a key of the object that begins at `begin` stands."""
    position = begin + 1
    while match := _KEY.match(text, position):
        if json.loads(match.group(1)) == wanted_key:
            return match.end()
        _, position = json.JSONDecoder().raw_decode(text, match.end())
    return begin


def _rows(stream: BinaryIO, name: str, wanted: Sequence[str] | None, written: Written) -> Iterator[Row]:
    decoder = jsonl.decoder_for(wanted)
    if written.shape is Shape.SEVERAL:
        raise several_lists(name, written.columns)
    if written.shape is Shape.COLUMNS:
        yield from _of_columns(stream, name, decoder)
    elif written.shape is Shape.SPLIT:
        for number, cells in enumerate(json_values(stream, name, decoder, written.offset), 1):
            if not isinstance(cells, list) or len(cells) != len(written.columns):
                raise SourceError(
                    f"{name}, item {number:,} is no array of {len(written.columns)} cells, one for each column.",
                    remedy="Write the file again, in pandas with to_json(PATH, orient='records', lines=True).",
                )
            yield dict(zip(written.columns, cells, strict=True))
    else:
        offset = written.offset if written.shape is Shape.WRAPPED else None
        yield from (item for _, item in json_items(stream, name, decoder, offset, only=not written.usual))


def _of_columns(stream: BinaryIO, name: str, decoder: json.JSONDecoder) -> Iterator[Row]:
    pieces: list[bytes] = []
    while block := stream.read(BLOCK_BYTES):
        pieces.append(block)
        if sum(map(len, pieces)) > MAX_LINE_BYTES:
            raise SourceError(
                f"{name} is one JSON object of columns of more than {MAX_LINE_BYTES >> 20} MiB, which could only be "
                "read as a whole; rows were expected.",
                remedy="Write it as lines: python -c \"import pandas; pandas.read_json('IN.json').to_json('OUT.jsonl', "
                "orient='records', lines=True)\"",
            )
    try:
        columns = decoder.decode(io.TextIOWrapper(io.BytesIO(b"".join(pieces)), "utf-8-sig").read())
    except (ValueError, RecursionError) as error:
        raise SourceError(
            f"{name} is one JSON object that can't be read: {str(error)[:100]}.", remedy="Write the file again."
        ) from error
    yield from _transposed(columns, name)


def _transposed(columns: Any, name: str) -> Iterable[Row]:
    if not isinstance(columns, dict) or not _are_columns(list(columns.values())):
        keys = listing(map(repr, columns), 10) if isinstance(columns, dict) else "none"
        raise SourceError(
            f"{name} is one JSON object that holds no rows that can be told; its keys are: {keys}.",
            remedy="Write the rows one a line, for example with: jq -c '.KEY[]'",
        )
    first = next(iter(columns.values()))
    if isinstance(first, list):
        return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    if all(key.isdigit() for key in columns) and not all(str(key).isdigit() for key in first):
        return list(columns.values())
    return [{column: values[row] for column, values in columns.items()} for row in first]
