"""CSV and TSV: a header, then a record a line; a quoted cell may hold line ends."""

import csv
import itertools
from collections.abc import Iterator, Sequence

from perennial.core.errors import SourceError
from perennial.ingest.sources import dialects
from perennial.ingest.sources.base import BATCH_BYTES, BATCH_ROWS, MAX_LINE_BYTES, require_columns
from perennial.ingest.sources.dialects import Dialect
from perennial.ingest.sources.lines import TextLines
from perennial.rows.batch import Batch

_PLAIN = Dialect()
CARRIAGE = "new-line character"
UNENDED = "unexpected end of data"
MOST_LINES = 100
"""Of a quoted cell that is half written."""
_REASONS = {
    UNENDED: "a quoted cell has no closing quote before the file ends",
    "field larger": f"a cell is larger than {MAX_LINE_BYTES >> 20} MiB, as when a closing quote is missing",
    CARRIAGE: "a carriage return without a line feed stands outside quotes",
    "expected after": "text follows the closing quote of a cell (a quote inside a quoted cell is written twice)",
}


def read(lines: TextLines, name: str, wanted: Sequence[str] | None, dialect: Dialect = _PLAIN) -> Iterator[Batch]:
    """The rows of a delimited file, only the columns `wanted` (None: all); an empty cell is None.

    Raises SourceError, naming file and line, for a missing header or column, a ragged row and broken quoting.
    """
    rest = iter(lines)
    head = dialects.head_of(rest)
    all_in_head = lines.is_open
    dialect = dialects.with_excels_line(head, dialect)
    if dialect.delimiter is None:
        dialect = dialects.as_shown(head, dialect, wanted, name)
    reader = dialect.records(itertools.islice(itertools.chain(head, rest), dialect.skip_lines, None))
    header = _header(reader, name) if dialect.header else dialects.names_in(head, dialect)
    wanted = header if wanted is None else wanted
    require_columns(name, header, wanted)
    indexes = {column: header.index(column) for column in wanted}
    width, first = len(header), dialect.skip_lines + 1
    rows: list[list[str]] = []
    numbers: list[int] = []
    limit = lines.taken + BATCH_BYTES
    line = reader.line_num + first

    def at_end() -> bool:
        # Lines of the head were taken before they are read here.
        return not all_in_head or reader.line_num + dialect.skip_lines == len(head)

    try:
        for cells in reader:
            if len(cells) == width:
                rows.append(cells)
                numbers.append(line)
            elif not cells:
                if dialect.blank_rows:
                    rows.append([""] * width)
                    numbers.append(line)
            elif len(cells) > width and len(dialects.without_closing_blanks(cells, width)) == width:
                rows.append(cells)  # what no name of the header stands above is blank
                numbers.append(line)
            elif not (len(cells) < width and at_end() and lines.left_for_later(line)):
                raise _ragged(name, line, len(cells), width)
            line = reader.line_num + first
            if len(rows) >= BATCH_ROWS or lines.taken >= limit:
                yield _batch(name, rows, numbers, indexes, is_open=lines.is_open)
                rows, numbers, limit = [], [], lines.taken + BATCH_BYTES
    except csv.Error as error:
        # More lines than a cell has are no half row: a quote is missing.
        if UNENDED not in str(error) or reader.line_num - line > MOST_LINES or not lines.left_for_later(line):
            raise _broken(name, line, error) from error
    yield _batch(name, rows, numbers, indexes, is_open=lines.is_open)


def _header(reader: Iterator[list[str]], name: str) -> list[str]:
    try:
        for cells in reader:
            if cells:
                while len(cells) > 1 and not cells[-1].strip():
                    cells.pop()  # of a table that was wider once
                return cells
    except csv.Error as error:
        raise _broken(name, 1, error) from error
    raise SourceError(
        f"{name} is empty; a first line with the columns' names was expected.",
        remedy="Write the file again, or take it out of data.source.path.",
    )


def _batch(name: str, rows: list[list[str]], numbers: list[int], indexes: dict[str, int], *, is_open: bool) -> Batch:
    columns: dict[str, list[object]] = {
        column: [cells[index] or None for cells in rows] for column, index in indexes.items()
    }
    return Batch(name, "line", numbers, columns, is_open)


def _ragged(name: str, line: int, cells: int, width: int) -> SourceError:
    return SourceError(
        f"{name}, line {line:,} has {cells} cells; the header has {width}.",
        remedy="Put cells that hold the delimiter in quotes, or set data.source.delimiter to the file's own, and "
        "data.source.skip_lines to the number of lines above the header.",
    )


def _broken(name: str, line: int, error: csv.Error) -> SourceError:
    if CARRIAGE in str(error) and line == 1:
        return SourceError(
            f"{name} has lines that end with a carriage return alone, as on old Macs; line feeds were expected.",
            remedy="Save it with another line end, or: tr '\\r' '\\n' < FILE > NEW_FILE",
        )
    reason = next((words for sign, words in _REASONS.items() if sign in str(error)), "it can't be told where cells end")
    return SourceError(
        f"{name}, the record from line {line:,} on is broken: {reason}.",
        remedy="Mend that record. If all of the file is written so: data.source.escape is for a backslash before "
        "quotes, data.source.quoting: none for quotes that are characters like any other.",
    )
