"""Rows out of blocks of whole lines: JSON Lines, and CSV with its header known. One bad line stops no other."""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

from perennial.inference.words import is_unicode
from perennial.ingest.sources.delimited import MOST_LINES, UNENDED
from perennial.ingest.sources.dialects import Dialect
from perennial.ingest.sources.json_files import jsonl

NO_JSON = "lines that are no JSON object"
NOT_UTF8 = "lines that are not UTF-8"
RAGGED = "lines of CSV with more or fewer cells than the header"
BROKEN = "lines of CSV whose quotes are broken"


@dataclass(frozen=True)
class LineRows:
    """The rows in a block."""

    columns: Mapping[str, list[object]]
    count: int
    taken: int
    """Bytes of the block that these rows, and what was left out, take up; the rest waits for more."""
    names: Sequence[str]
    """All names of columns that the rows have."""
    left_out: Counter[str] = field(default_factory=Counter)


class LineFormat(Protocol):
    """How rows are written in lines."""

    @property
    def begins(self) -> int:
        """Bytes before the first row."""

    def rows(self, block: bytes) -> LineRows:
        """Of a block of whole lines."""

    def last_row(self, line: bytes, *, quiet: bool) -> LineRows | None:
        """Of a last line without an end, if it is a whole row; `quiet`: nobody has written for a while."""


@dataclass(frozen=True)
class JsonLines:
    """An object a line."""

    wanted: Sequence[str]
    begins: int = 0

    def rows(self, block: bytes) -> LineRows:
        """Of a block of whole lines."""
        lines = block.split(b"\n")
        left_out = Counter[str]()
        try:
            rows = list(map(orjson.loads, filter(bytes.strip, lines)))
        except ValueError:
            rows = []
        if not rows or not set(map(type, rows)) <= {dict}:
            rows = _one_by_one(lines, left_out)
        columns = jsonl.columns_of(rows, self.wanted)
        if any(float in set(map(type, cells)) for cells in columns.values()):
            columns = jsonl.columns_of(_as_written(rows, lines, self.wanted), self.wanted)
        return LineRows(columns, len(rows), len(block), _names(rows, columns), left_out)

    def last_row(self, line: bytes, *, quiet: bool) -> LineRows | None:
        """No part of an object is one, so that one is whole at once."""
        try:
            is_whole = isinstance(orjson.loads(line), dict)
        except ValueError:
            return None
        return self.rows(line) if is_whole else None


def _one_by_one(lines: Sequence[bytes], left_out: Counter[str]) -> list[jsonl.Row]:
    rows: list[jsonl.Row] = []
    for line in lines:
        if not line.strip():
            continue
        try:
            row = orjson.loads(line)
        except ValueError:
            row = _by_python(line)
        if isinstance(row, dict):
            rows.append(row)
        else:
            left_out[NO_JSON if _is_utf8(line) else NOT_UTF8] += 1
    return rows


def _by_python(line: bytes) -> Any:
    """What Python's reader takes and the faster one does not: NaN, halves of surrogate pairs."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _as_written(rows: list[jsonl.Row], lines: Sequence[bytes], wanted: Sequence[str]) -> list[jsonl.Row]:
    """The rows anew, numbers with a fraction as text: a number too long for a float would be another id."""
    decode = jsonl.decoder_for(wanted).decode
    exact = []
    for line in filter(bytes.strip, lines):
        try:
            row = decode(line.decode())
        except (ValueError, RecursionError):
            continue
        if isinstance(row, dict):
            exact.append(row)
    return exact if len(exact) == len(rows) else rows


def _names(rows: Sequence[jsonl.Row], columns: Mapping[str, list[object]]) -> list[str]:
    """Of all keys, and of columns inside objects that have something."""
    keys = dict.fromkeys(itertools.chain.from_iterable(rows))
    inside = [name for name, cells in columns.items() if "." in name and any(cell is not None for cell in cells)]
    return [*keys, *inside]


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


@dataclass(frozen=True)
class CsvLines:
    """A record a line, or over several in quotes."""

    dialect: Dialect
    header: Sequence[str]
    wanted: Sequence[str]
    begins: int

    def rows(self, block: bytes) -> LineRows:
        """Of a block of whole lines; a record without its closing quote waits for more."""
        lines, is_utf8 = _decoded(block)
        left_out = Counter[str]()
        records, taken = self._records(lines, left_out)
        waits = sum(len(line.encode(errors="surrogateescape")) for line in lines[taken:])
        width = len(self.header)
        good = [cells for cells in records if len(cells) == width]
        left_out[RAGGED] += sum(1 for cells in records if cells and len(cells) != width)
        if not is_utf8:
            sound = [cells for cells in good if all(map(is_unicode, cells))]
            left_out[NOT_UTF8] += len(good) - len(sound)
            good = sound
        columns: dict[str, list[object]] = {
            name: [cells[self.header.index(name)] or None for cells in good]
            for name in self.wanted
            if name in self.header
        }
        return LineRows(columns, len(good), len(block) - waits, self.header, left_out)

    def last_row(self, line: bytes, *, quiet: bool) -> LineRows | None:
        """Half a cell looks like a whole one, so that only time tells."""
        if not quiet:
            return None
        last = self.rows(line)
        return last if last.count == 1 and last.taken == len(line) else None

    def _records(self, lines: Sequence[str], left_out: Counter[str]) -> tuple[list[list[str]], int]:
        """The records, and how many of `lines` they take up."""
        records: list[list[str]] = []
        rest, before = iter(lines), 0
        while True:
            reader, line = self.dialect.records(rest), 0
            try:
                for cells in reader:
                    records.append(cells)
                    line = reader.line_num
                return records, len(lines)
            except csv.Error as error:
                start, end = before + line, before + reader.line_num
                if UNENDED not in str(error):
                    left_out[BROKEN] += end - start
                    before = end
                elif len(lines) - start <= MOST_LINES:
                    return records, start
                else:
                    # More lines than a cell has: a quote is missing, and what follows are rows again.
                    left_out[BROKEN] += 1
                    before = start + 1
                    rest = iter(lines[before:])


def _decoded(block: bytes) -> tuple[list[str], bool]:
    """The lines of `block`, their ends kept, and whether all of it is UTF-8; what is not keeps its bytes, as
    surrogates."""
    try:
        text, is_utf8 = block.decode(), True
    except UnicodeDecodeError:
        text, is_utf8 = block.decode(errors="surrogateescape"), False
    return io.StringIO(text, newline="\n").readlines(), is_utf8
