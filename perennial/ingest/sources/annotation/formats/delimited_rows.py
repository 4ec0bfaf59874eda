"""The rows of a CSV or TSV that a tool wrote: whichever of the two it is, its header tells."""

import csv
import io
from collections.abc import Iterator

from perennial.core.errors import SourceError
from perennial.ingest.sources.annotation.opinions import Export
from perennial.ingest.sources.base import MAX_LINE_BYTES
from perennial.ingest.sources.lines import TextLines


def delimited_rows(export: Export) -> Iterator[tuple[int, dict[str, str | None]]]:
    """Each row with the line it begins on; an empty cell is None. Raises SourceError for a row of another width."""
    csv.field_size_limit(max(csv.field_size_limit(), MAX_LINE_BYTES))
    lines = iter(TextLines(export.stream, export.name))
    first = next(lines, "")
    header = next(csv.reader(io.StringIO(first), delimiter=_delimiter(first)), [])
    reader = csv.reader(lines, delimiter=_delimiter(first))
    line = 2
    for row in reader:
        if row and len(row) != len(header):
            raise SourceError(
                f"{export.at('line', line)} has {len(row)} cells; the header has {len(header)}.",
                remedy="Export the file again; nothing of it was taken in.",
            )
        if row:
            yield line, {name: cell or None for name, cell in zip(header, row, strict=True)}
        line = reader.line_num + 2


def _delimiter(header: str) -> str:
    return "\t" if "\t" in header else ","
