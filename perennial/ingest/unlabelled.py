"""Texts to be labelled, read as a stream, and the rows that are written back with their answers."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, cast

from perennial.core import progress
from perennial.core.errors import SourceError, listing
from perennial.inference.words import is_unicode
from perennial.ingest.sources import file, jsonl
from perennial.ingest.sources.base import MAX_LINE_BYTES, require_columns
from perennial.ingest.sources.lines import BLOCK_BYTES, TextLines
from perennial.rows import cells, column_profile
from perennial.rows.batch import Batch
from perennial.settings.data import FileSource

CHUNK_ROWS = 1_000
TEXT = "text"
TOKENS = "tokens"
STDIN = "standard input"

Row = dict[str, Any]


@dataclass(frozen=True)
class Chunk:
    """Some rows with all their columns, and the cells that a model reads of them."""

    rows: list[Row]
    columns: dict[str, list[Any]]
    """By canonical column. A row without a text has "" there."""


def rows_of(
    path: Path | None,
    *,
    stdin: BinaryIO | None = None,
    column: str | None = None,
    read: Sequence[Sequence[str]] = ((TEXT,),),
    preferred: Mapping[str, str] = MappingProxyType({}),
    delimiter: str | None = None,
) -> Iterator[Chunk]:
    """The rows of a CSV, TSV, JSONL, Parquet or plain text file (each also with .gz), or of `stdin` if `path` is None.

    `read`: the canonical columns a model reads, the first of these alternatives that is there; `preferred`: the
    pipeline's names for them. Plain text, and a `stdin` whose first line is no JSON object, is one text a line, blank
    lines left out. A text alone is in the column `column`, else the preferred one, else `text`, else the only one that
    reads like text. CSV cells are texts; JSONL and Parquet values keep their types; a key some JSON lines lack is None
    there. Chunks have at most 1,000 rows. Raises SourceError, naming file and line, for what can't be read.
    """
    textless = 0
    names: dict[str, str] | None = None
    for batch in _batches(path, stdin, delimiter):
        if not batch.numbers:
            continue
        names = names or _names(batch, column, read, preferred)
        cells_by_role = {role: _cells(batch, role, name) for role, name in names.items()}
        textless += sum(not any(row) for row in zip(*cells_by_role.values(), strict=True))
        yield from _chunks(batch, cells_by_role)
    if names is None:
        progress.note(f"{path or STDIN} holds no rows: there is nothing to label.")
    if textless:
        progress.note(f"{textless:,} rows have no text; they were labelled all the same, as an empty one.")


def answered(rows: Sequence[Row], predictions: Sequence[Mapping[str, Any]]) -> Iterator[Row]:
    """Each row with its prediction, JSON-ready; an input column named as the prediction's is kept as `given_…`.

    Times become ISO 8601, NaN and the infinities null, a decimal a number if a float tells it exactly, else text.
    """
    for row, prediction in zip(rows, predictions, strict=True):
        kept = {_unused_name(name, row, prediction): as_json_value(value) for name, value in row.items()}
        yield {**kept, **{name: as_json_value(value) for name, value in prediction.items()}}


def as_json_value(value: object) -> Any:
    """`value` as JSON can hold it."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return _number(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, Mapping):
        return {str(name): as_json_value(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_json_value(item) for item in value]
    return str(value)


def _batches(path: Path | None, stdin: BinaryIO | None, delimiter: str | None) -> Iterator[Batch]:
    if path is None:
        if stdin is None:
            raise SourceError("There is nothing to read.", remedy="Give a file, texts as arguments, or pipe them in.")
        yield from _piped_rows(stdin)
    elif _form(path) == "txt":
        yield from _text_lines(file.lines_of(path), str(path))
    else:
        cells_are_text = _form(path) in {"csv", "tsv"}
        for batch in file.read(path, delimiter=delimiter):
            yield _cells_as_they_are(batch) if cells_are_text else batch


def _form(path: Path) -> str:
    plain_path = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    if plain_path.suffix.lower() == ".txt":
        return "txt"
    try:
        return file.form_of(path, FileSource(type="file", path=(str(path),)))
    except SourceError as error:
        remedy = "Rename the file by what it holds, or pipe it in: JSON objects or plain texts, one a line."
        raise SourceError(f"{error.problem.rstrip('.')} and .txt.", remedy=remedy) from error


def _cells_as_they_are(batch: Batch) -> Batch:
    # The source says None for an empty cell.
    columns = {name: ["" if value is None else value for value in values] for name, values in batch.columns.items()}
    return Batch(batch.file, batch.unit, batch.numbers, columns)


class _Rewound:
    """A stream of which the first bytes were read already."""

    def __init__(self, start: bytes, rest: BinaryIO) -> None:
        self._start = start
        self._rest = rest

    def read(self, size: int) -> bytes:
        start, self._start = self._start, b""
        return start or self._rest.read(size)


def _piped_rows(stdin: BinaryIO) -> Iterator[Batch]:
    start = b""
    while not start.strip() or b"\n" not in start.lstrip():
        block = stdin.read(BLOCK_BYTES)
        start += block
        if not block or len(start) > MAX_LINE_BYTES:
            break
    lines = TextLines(cast(BinaryIO, _Rewound(start, stdin)), STDIN)
    if _is_object(start.removeprefix(b"\xef\xbb\xbf").lstrip().partition(b"\n")[0]):
        yield from jsonl.read(lines, STDIN, None)
    else:
        yield from _text_lines(lines, STDIN)


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _text_lines(lines: Iterator[str] | TextLines, name: str) -> Iterator[Batch]:
    texts: list[object] = []
    numbers: list[int] = []
    for number, line in enumerate(lines, 1):
        if text := line.strip():
            texts.append(text)
            numbers.append(number)
        if len(texts) >= CHUNK_ROWS:
            yield Batch(name, "line", numbers, {TEXT: texts})
            texts, numbers = [], []
    if texts:
        yield Batch(name, "line", numbers, {TEXT: texts})


def _names(
    batch: Batch, column: str | None, read: Sequence[Sequence[str]], preferred: Mapping[str, str]
) -> dict[str, str]:
    """The source's column for each canonical column of the first alternative that is there."""
    column_names = list(batch.columns)
    if column is not None:
        preferred = {**preferred, TEXT: _existing_column(batch, column)}
        read = [roles for roles in read if TEXT in roles]
    for roles in read:
        names = {
            role: next((name for name in (preferred.get(role), role) if name in column_names), None) for role in roles
        }
        if all(names.values()):
            return {role: str(name) for role, name in names.items()}
    if list(read[-1]) == [TEXT]:
        return {TEXT: _text_column(batch)}
    raise SourceError(
        f"{batch.file} lacks what this model reads: {' or '.join(listing(map(repr, roles)) for roles in read)}. "
        f"Its columns are: {listing((name[:30] for name in column_names), 20) or 'none'}.",
        remedy="Name the columns so, or as data.columns of the pipeline does.",
    )


def _text_column(batch: Batch) -> str:
    likely = column_profile.text_columns(batch.columns)
    if len(likely) == 1:
        return likely[0]
    column_list = (
        f"more than one column reads like text: {listing(map(repr, likely))}" if likely else "no column reads like text"
    )
    raise SourceError(
        f"Which column of {batch.file} holds the texts can't be told: {column_list}. "
        f"Its columns are: {listing((name[:30] for name in batch.columns), 20) or 'none'}.",
        remedy="Name it with --column.",
    )


def _cells(batch: Batch, role: str, name: str) -> list[Any]:
    # Later JSON lines may all lack the key.
    if name not in batch.columns:
        return [None] * len(batch.numbers)
    if role != TOKENS:
        return [text if text and text.strip() else "" for text in cells.texts(batch, name)]
    return [_tokens(batch, row, name, cells.nested(value)) for row, value in enumerate(batch.columns[name])]


def _tokens(batch: Batch, row: int, name: str, value: object) -> list[str]:
    tokens = value.split() if isinstance(value, str) else [] if value is None else value
    if isinstance(tokens, list) and all(isinstance(token, str) for token in tokens):
        if not is_unicode("".join(tokens)):
            raise cells.no_unicode(batch, row, name)
        return tokens
    raise SourceError(
        f"{batch.where(row)}: a list of strings was expected as tokens, a {type(value).__name__} was seen.",
        remedy='Write them as ["two", "words"], or give texts with --column.',
    )


def _existing_column(batch: Batch, column: str) -> str:
    try:
        require_columns(batch.file, list(batch.columns), [column])
    except SourceError as error:
        raise SourceError(error.problem, remedy="Name the text column with --column.") from error
    return column


def _chunks(batch: Batch, columns: Mapping[str, Sequence[Any]]) -> Iterator[Chunk]:
    names = list(batch.columns)
    whole = list(zip(*batch.columns.values(), strict=True))
    for start in range(0, len(whole), CHUNK_ROWS):
        rows = whole[start : start + CHUNK_ROWS]
        yield Chunk(
            rows=[dict(zip(names, row, strict=True)) for row in rows],
            columns={role: list(values[start : start + CHUNK_ROWS]) for role, values in columns.items()},
        )


def _unused_name(name: str, row: Row, prediction: Mapping[str, Any]) -> str:
    if name not in prediction:
        return name
    while name in row or name in prediction:
        name = f"given_{name}"
    return name


def _number(value: Decimal) -> float | int | str | None:
    if not value.is_finite():
        return None
    if value == value.to_integral_value():
        return int(value)
    return float(value) if Decimal(repr(float(value))) == value else str(value)
