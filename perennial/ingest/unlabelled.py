"""Texts to be labelled, read as a stream, and the rows that are written back with their answers."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, cast

from perennial.core import progress
from perennial.core.errors import SourceError, listing
from perennial.inference.words import is_unicode
from perennial.ingest.sources import dialects, dotted, file, sentences
from perennial.ingest.sources.base import MAX_LINE_BYTES, require_columns
from perennial.ingest.sources.dialects import Dialect
from perennial.ingest.sources.json_files import jsonl
from perennial.ingest.sources.lines import BLOCK_BYTES, Rewound, TextLines
from perennial.ingest.sources.opening import inner_name
from perennial.rows import cells, column_profile
from perennial.rows.batch import Batch
from perennial.settings.data import DataSpec, FileSource

CHUNK_ROWS = 1_000
TEXT = "text"
PAIR = "text_pair"
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
    data: DataSpec | None = None,
) -> Iterator[Chunk]:
    """The rows of a CSV, TSV, JSON, Parquet or plain text file (each also packed), or of `stdin` if `path` is None.

    `read`: the canonical columns a model reads, the first of these alternatives that is there; `preferred`: the
    pipeline's names for them, and `data` how its source is written, by which a table with such a column is read. Plain
    text, and a `stdin` whose first line is no JSON object, is one text a line; a blank line is an empty text. A text
    alone is in the column `column`, else the preferred one, else `text`, else the only one that reads like text. CSV
    cells are texts; JSON and Parquet values keep their types; a key some JSON lines lack is None there. Chunks have at
    most 1,000 rows. Raises SourceError, naming file and line, for what can't be read.
    """
    textless = blank = number = 0
    names: dict[str, str] | None = None
    # A record of a table may go over several lines.
    has_cells = path is not None and _form(path) in {"csv", "tsv"}
    batches = _batches(path, stdin, delimiter, data, preferred)
    for batch in _sentences(batches, data) if data and data.has_token_rows else batches:
        if not batch.numbers:
            continue
        if batch.unit == "line" and not has_cells:
            blank, number = blank + batch.numbers[-1] - number - len(batch.numbers), batch.numbers[-1]
        names = names or _names(batch, column, read, preferred)
        cells_by_role = {role: _cells(batch, role, name) for role, name in names.items()}
        textless += sum(not any(row) for row in zip(*cells_by_role.values(), strict=True))
        yield from _chunks(batch, cells_by_role)
    if names is None:
        progress.note(f"{path or STDIN} holds no rows: there is nothing to label.")
    if blank:
        progress.note(f"{blank:,} blank lines hold no row: they have no answer.")
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


def _batches(
    path: Path | None,
    stdin: BinaryIO | None,
    delimiter: str | None,
    data: DataSpec | None,
    preferred: Mapping[str, str],
) -> Iterator[Batch]:
    if path is None:
        if stdin is None:
            raise SourceError("There is nothing to read.", remedy="Give a file, texts as arguments, or pipe them in.")
        yield from _piped_rows(stdin)
    elif (form := _form(path)) == "txt":
        yield from _text_lines(file.lines_of(path), str(path))
    elif form in {"csv", "tsv"} and path.is_file():
        texts = {str(preferred.get(role)) for role in (TEXT, PAIR, TOKENS)}
        dialect = file.dialect_like(path, form, data, texts, delimiter)
        for batch in file.read(path, dialect=_with_empty_lines(path, dialect)):
            yield _cells_as_they_are(batch)
    else:
        yield from file.read(path)


def _with_empty_lines(path: Path, dialect: Dialect) -> Dialect:
    """`dialect`, by which an empty line is an empty text where there is one column: else it is no row."""
    with closing(file.lines_of(path)) as lines:
        one_column = len(dialects.names_in(dialects.head_of(lines), dialect)) == 1
    return replace(dialect, blank_rows=dialect.blank_rows or one_column)


def _sentences(batches: Iterator[Batch], data: DataSpec) -> Iterator[Batch]:
    """The sentences of `batches`, if they have one token a row as the pipeline's source has; else they as they are."""
    parting = sentences.parting_of(data.columns)
    first = next(batches, None)
    if first is None:
        return
    cells_of_first = [value for value in first.columns.get(parting.tokens, []) if value not in (None, "")]
    one_word = cells_of_first and all(isinstance(value, str) and len(value.split()) < 2 for value in cells_of_first)
    parted = one_word and (parting.sentence is None or parting.sentence in first.columns)
    if one_word and not parted:
        progress.note(
            f"{first.file} has one word a row in {parting.tokens!r} and no column {parting.sentence!r}: each word is "
            "answered as a text of its own."
        )
    every = itertools.chain([first], batches)
    yield from sentences.put_together(every, parting) if parted else every


def _form(path: Path) -> str:
    if Path(inner_name(path)).suffix.lower() == ".txt":
        return "txt"
    try:
        return file.form_of(path, FileSource(type="file", path=(str(path),)))
    except SourceError as error:
        if not error.problem.startswith("What "):
            raise
        remedy = "Rename the file by what it holds, or pipe it in: JSON objects or plain texts, one a line."
        raise SourceError(f"{error.problem.rstrip('.')} and .txt.", remedy=remedy) from error


def _cells_as_they_are(batch: Batch) -> Batch:
    # The source says None for an empty cell.
    columns = {name: ["" if value is None else value for value in values] for name, values in batch.columns.items()}
    return Batch(batch.file, batch.unit, batch.numbers, columns)


def _piped_rows(stdin: BinaryIO) -> Iterator[Batch]:
    start = b""
    while not start.strip() or b"\n" not in start.lstrip():
        block = stdin.read(BLOCK_BYTES)
        start += block
        if not block or len(start) > MAX_LINE_BYTES:
            break
    lines = TextLines(cast(BinaryIO, Rewound(start, stdin)), STDIN)
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
        texts.append(line.strip())
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
    column_names = list(dict.fromkeys([*batch.columns, *dotted.flattened(batch).columns]))
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
        return {TEXT: _text_column(dotted.flattened(batch))}
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
    values = dotted.column_of(batch, name)
    if values is None:
        return [None] * len(batch.numbers)
    batch = Batch(batch.file, batch.unit, batch.numbers, {name: values})
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
        require_columns(batch.file, list({**batch.columns, **dotted.flattened(batch).columns}), [column])
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
