"""Parquet: read by batches, only the columns that are needed."""

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

from perennial.core.errors import SourceError
from perennial.ingest.sources import class_labels
from perennial.ingest.sources.base import BATCH_BYTES, BATCH_ROWS, require_columns
from perennial.rows.batch import Batch

if TYPE_CHECKING:
    import pyarrow as pa


def read(stream: BinaryIO, name: str, wanted: Sequence[str] | None, labels: Collection[str] = ()) -> Iterator[Batch]:
    """The rows of the Parquet file `stream` (which must seek), only the columns `wanted` (None: all), by row numbers.

    Class labels of the `datasets` library are read by name, unless `labels`, the pipeline's, are their numbers. Raises
    SourceError for a file that is no Parquet, is damaged, or lacks a column.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    start = 1
    try:
        with pq.ParquetFile(stream) as file:
            wanted = file.schema_arrow.names if wanted is None else wanted
            require_columns(name, file.schema_arrow.names, wanted)
            names = class_labels.class_names(file.schema_arrow)
            for batch in file.iter_batches(_batch_rows(file.metadata), columns=list(wanted), use_threads=False):
                yield with_class_names(batch_of(batch, name, start, wanted), names, labels)
                start += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        raise SourceError(
            f"{name} can't be read as Parquet from row {start:,} on: {_first_line(error)}",
            remedy="Write the file again, or set data.source.format to what it is.",
        ) from error


def batch_of(batch: "pa.RecordBatch", name: str, start: int, wanted: Sequence[str]) -> Batch:
    """An Arrow batch as rows numbered from `start`. Raises SourceError for text that is not UTF-8."""
    columns = {column: _values(batch.column(column), f"{name}, column {column!r}", start) for column in wanted}
    return Batch(name, "row", range(start, start + batch.num_rows), columns)


def with_class_names(batch: Batch, names: class_labels.Names, labels: Collection[str]) -> Batch:
    """`batch` with the numbers of class labels as their names."""
    named = {
        column: class_labels.by_name(batch.file, column, batch.columns[column], names[column], labels)
        for column in batch.columns
        if column in names
    }
    return Batch(batch.file, batch.unit, batch.numbers, {**batch.columns, **named}) if named else batch


def _values(array: "pa.Array", where: str, start: int) -> list[object]:
    import pyarrow as pa

    if pa.types.is_timestamp(array.type):
        # Python's own datetime ends at microseconds.
        array = array.cast(pa.timestamp("us", array.type.tz), safe=False)
    try:
        values: list[object] = array.to_pylist()
    except UnicodeDecodeError as error:
        row = start + next(row for row, value in enumerate(array) if _undecodable(value))
        raise SourceError(
            f"{where}, row {row:,} holds text that is not UTF-8.",
            remedy="Write the file again from text that was decoded properly.",
        ) from error
    return values


def _undecodable(value: Any) -> bool:
    try:
        value.as_py()
    except UnicodeDecodeError:
        return True
    return False


def _batch_rows(metadata: Any) -> int:
    size = sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))
    per_row = size / max(metadata.num_rows, 1)
    return int(max(1, min(BATCH_ROWS, BATCH_BYTES / max(per_row, 1))))


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:200]
