"""How a file of lines is written, as its beginning tells."""

from __future__ import annotations

import codecs
import csv
import io
import itertools
from collections.abc import Sequence
from typing import BinaryIO

from perennial.core.errors import SourceError
from perennial.ingest.sources import dialects
from perennial.ingest.sources.base import require_columns
from perennial.ingest.sources.dialects import Dialect
from perennial.ingest.sources.headers import column_names
from perennial.ingest.sources.json_files import json_documents
from perennial.ingest.sources.lines import BLOCK_BYTES
from perennial.settings.data import FileSource
from perennial.stream.sources.files.line_rows import CsvLines
from perennial.stream.sources.live_rows import RowColumns


def is_json_lines(start: bytes, name: str, columns: RowColumns) -> bool:
    """Whether the JSON file that begins with `start` has an object a line; else it is a document that is read as a
    whole. Raises SourceError for UTF-16."""
    _require_utf8(start, name)
    return json_documents.as_written(start, (columns.text,)).shape is json_documents.Shape.LINES


def csv_lines(file: BinaryIO, name: str, form: str, source: FileSource, columns: RowColumns) -> CsvLines | None:
    """How the CSV or TSV `file` is written; None: its header is not there as a whole.

    Raises SourceError for a header that is broken or lacks a column that is needed.
    """
    start = file.read(BLOCK_BYTES)
    _require_utf8(start, name)
    raw = list(itertools.islice(io.BytesIO(start[: start.rfind(b"\n") + 1]), dialects.LINES))
    head = [line.decode("utf-8-sig" if number == 0 else "utf-8", "replace") for number, line in enumerate(raw)]
    dialect = dialects.with_excels_line(head, Dialect(**source.how_written(form)))
    if dialect.delimiter is None and head:
        dialect = dialects.as_shown(head, dialect, columns.needed, name)
    header, lines = _header(head, dialect, name)
    if not header:
        return None
    require_columns(name, header, columns.needed)
    begins = sum(map(len, raw[: dialect.skip_lines + lines]))
    return CsvLines(dialect, header, columns.all, begins)


def _require_utf8(start: bytes, name: str) -> None:
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise SourceError(
            f"{name} is UTF-16; UTF-8 was expected.",
            remedy=f"Convert it, for example with: iconv -f UTF-16 -t UTF-8 {name} > converted",
        )


def _header(head: Sequence[str], dialect: Dialect, name: str) -> tuple[list[str], int]:
    """The columns' names, and how many lines they take up."""
    reader = dialect.records(itertools.islice(head, dialect.skip_lines, None))
    try:
        cells = next((cells for cells in reader if cells), [])
    except csv.Error as error:
        raise SourceError(
            f"{name} has a header whose quotes are broken: {error}.", remedy="Mend the file's first line."
        ) from error
    return (cells, reader.line_num) if dialect.header else (column_names(len(cells)), 0)
