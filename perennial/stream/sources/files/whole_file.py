"""A file that is written as a whole, or packed, and so can't be read on from a byte: Parquet, Arrow, JSON documents.

When it has changed it is read anew; rows that are known by their ids are not stored twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from perennial.ingest.sources import file
from perennial.ingest.sources.base import require_columns
from perennial.ingest.sources.dialects import Dialect
from perennial.ingest.sources.opening import clear_errors
from perennial.rows.batch import Batch
from perennial.settings.data import FileSource
from perennial.stream.sources.files.marks import WholeMark
from perennial.stream.sources.live_rows import RowColumns, require_text


@dataclass(frozen=True)
class WholeChunk:
    """Rows of a file, and how far it was read with them."""

    rows: Batch
    mark: WholeMark


def new_rows(
    path: Path, name: str, mark: WholeMark | None, form: str, source: FileSource, columns: RowColumns
) -> Iterator[WholeChunk]:
    """The rows of the file at `path` that were not read, all of them if it has changed.

    Raises SourceError for a file that can't be read; what came before was given.
    """
    stamp = stamp_of(path, name)
    mark = mark if mark is not None and mark.stamp == stamp else WholeMark(stamp)
    if mark.done:
        return
    row_count = 0
    for batch in file.read_form(path, name, form, _wanted(path, form, columns), _dialect(source, form)):
        count = len(batch.numbers)
        row_count += count
        if row_count <= mark.rows:
            continue
        new = batch.take(range(max(0, mark.rows - (row_count - count)), count))
        if form in ("csv", "tsv"):
            require_columns(name, list(new.columns), columns.needed)
        require_text(name, new.numbers, [*new.columns, *(_inside(new, columns))], columns.text)
        mark = WholeMark(stamp, row_count)
        yield WholeChunk(new, mark)
    yield WholeChunk(Batch(name, "row", (), {}), WholeMark(stamp, row_count, done=True))


def stamp_of(path: Path, name: str) -> str:
    """Unchanged as long as the file at `path` is. Raises SourceError."""
    with clear_errors(name):
        status = path.stat()
    return f"{status.st_size} {status.st_mtime_ns}"


def _dialect(source: FileSource, form: str) -> Dialect:
    return Dialect(**source.how_written(form))


def _inside(batch: Batch, columns: RowColumns) -> list[str]:
    """The text's column, where it is inside another one."""
    return [columns.text] if any(columns.text.startswith(f"{root}.") for root in batch.columns) else []


def _wanted(path: Path, form: str, columns: RowColumns) -> tuple[str, ...] | None:
    """The columns that are read; None: all."""
    if form != "parquet" or path.suffix.lower() != ".parquet":
        return None
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        names = pq.read_schema(path).names
    except (pa.ArrowException, OSError):
        return columns.needed  # the reader says what is wrong
    there = [name for name in columns.all if name in names or any(name.startswith(f"{root}.") for root in names)]
    return tuple(dict.fromkeys([*columns.needed, *there]))
