"""Texts to be labelled, read as a stream, and the rows that are written back with their answers."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO, cast

from perennial import progress
from perennial.data import profile, rows
from perennial.data.sources import file, jsonl
from perennial.data.sources.base import MAX_LINE_BYTES, Batch, require_columns
from perennial.data.sources.lines import BLOCK_BYTES, Lines
from perennial.errors import SourceError, listing
from perennial.spec import FileSource

CHUNK_ROWS = 1_000
TEXT = "text"
STDIN = "standard input"

Row = dict[str, Any]


@dataclass(frozen=True)
class Chunk:
    """Some rows with all their columns, and the text of each."""

    rows: list[Row]
    texts: list[str]
    """A row without a text has "" here."""


def rows_of(
    path: Path | None,
    *,
    stdin: BinaryIO | None = None,
    column: str | None = None,
    preferred: str | None = None,
    delimiter: str | None = None,
) -> Iterator[Chunk]:
    """The rows of a CSV, TSV, JSONL, Parquet or plain text file (each also with .gz), or of `stdin` if `path` is None.

    Plain text, and a `stdin` whose first line is no JSON object, is one text a line, blank lines left out. The text
    column is `column`, else `preferred` (the pipeline's), else `text`, else the only one that reads like text. CSV
    cells are texts; JSONL and Parquet values keep their types; a key some JSON lines lack is None there. Chunks have at
    most 1,000 rows. Raises SourceError, naming file and line, for what can't be read.
    """
    textless = 0
    name: str | None = None
    for batch in _batches(path, stdin, delimiter):
        if not batch.places:
            continue
        name = name or _text_column(batch, column, preferred)
        # Later JSON lines may all lack the key.
        texts = rows.texts(batch, name) if name in batch.columns else [None] * len(batch.places)
        textless += sum(text is None or not text.strip() for text in texts)
        yield from _chunks(batch, texts)
    if name is None:
        progress.note(f"{path or STDIN} holds no rows: there is nothing to label.")
    if textless:
        progress.note(f"{textless:,} rows have no text; they were labelled all the same, as an empty one.")


def answered(rows: Sequence[Row], predictions: Sequence[Mapping[str, Any]]) -> Iterator[Row]:
    """Each row with its prediction, JSON-ready; an input column named as the prediction's is kept as `given_…`.

    Times become ISO 8601, NaN and the infinities null, a decimal a number if a float tells it exactly, else text.
    """
    for row, prediction in zip(rows, predictions, strict=True):
        kept = {_free(name, row, prediction): plain(value) for name, value in row.items()}
        yield {**kept, **{name: plain(value) for name, value in prediction.items()}}


def plain(value: object) -> Any:
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
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return str(value)


def _batches(path: Path | None, stdin: BinaryIO | None, delimiter: str | None) -> Iterator[Batch]:
    if path is None:
        if stdin is None:
            raise SourceError("There is nothing to read.", remedy="Give a file, texts as arguments, or pipe them in.")
        yield from _piped(stdin)
    elif _form(path) == "txt":
        yield from _lines(file.lines_of(path), str(path))
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
    return Batch(batch.file, batch.unit, batch.places, columns)


class _Rewound:
    """A stream of which the first bytes were read already."""

    def __init__(self, start: bytes, rest: BinaryIO) -> None:
        self._start = start
        self._rest = rest

    def read(self, size: int) -> bytes:
        start, self._start = self._start, b""
        return start or self._rest.read(size)


def _piped(stdin: BinaryIO) -> Iterator[Batch]:
    start = b""
    while not start.strip() or b"\n" not in start.lstrip():
        block = stdin.read(BLOCK_BYTES)
        start += block
        if not block or len(start) > MAX_LINE_BYTES:
            break
    lines = Lines(cast(BinaryIO, _Rewound(start, stdin)), STDIN)
    if _is_object(start.removeprefix(b"\xef\xbb\xbf").lstrip().partition(b"\n")[0]):
        yield from jsonl.read(lines, STDIN, None)
    else:
        yield from _lines(lines, STDIN)


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _lines(lines: Iterator[str] | Lines, name: str) -> Iterator[Batch]:
    texts: list[object] = []
    places: list[int] = []
    for number, line in enumerate(lines, 1):
        if text := line.strip():
            texts.append(text)
            places.append(number)
        if len(texts) >= CHUNK_ROWS:
            yield Batch(name, "line", places, {TEXT: texts})
            texts, places = [], []
    if texts:
        yield Batch(name, "line", places, {TEXT: texts})


def _text_column(batch: Batch, column: str | None, preferred: str | None) -> str:
    there = list(batch.columns)
    if column is not None:
        return _there(batch, column)
    for name in (preferred, TEXT):
        if name in there:
            return str(name)
    likely = profile.text_columns(batch.columns)
    if len(likely) == 1:
        return likely[0]
    seen = (
        f"more than one column reads like text: {listing(map(repr, likely))}" if likely else "no column reads like text"
    )
    raise SourceError(
        f"Which column of {batch.file} holds the texts can't be told: {seen}. "
        f"Its columns are: {listing((name[:30] for name in there), 20) or 'none'}.",
        remedy="Name it with --column.",
    )


def _there(batch: Batch, column: str) -> str:
    try:
        require_columns(batch.file, list(batch.columns), [column])
    except SourceError as error:
        raise SourceError(error.problem, remedy="Name the text column with --column.") from error
    return column


def _chunks(batch: Batch, texts: Sequence[str | None]) -> Iterator[Chunk]:
    names = list(batch.columns)
    whole = list(zip(*batch.columns.values(), strict=True))
    for start in range(0, len(whole), CHUNK_ROWS):
        cells = whole[start : start + CHUNK_ROWS]
        yield Chunk(
            rows=[dict(zip(names, row, strict=True)) for row in cells],
            texts=[text or "" for text in texts[start : start + CHUNK_ROWS]],
        )


def _free(name: str, row: Row, prediction: Mapping[str, Any]) -> str:
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
