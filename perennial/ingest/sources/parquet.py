"""Parquet: read by batches, only the columns that are needed."""

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

from perennial.core.errors import SourceError
from perennial.ingest.sources import class_labels, dotted
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
            require_fields(name, file.schema_arrow, wanted)
            names = class_labels.class_names(file.schema_arrow)
            roots = dotted.roots_of(wanted, file.schema_arrow.names)
            for batch in file.iter_batches(_batch_rows(file.metadata), columns=roots, use_threads=False):
                yield with_class_names(batch_of(batch, name, start, wanted), names, labels)
                start += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        raise SourceError(
            f"{name} can't be read as Parquet from row {start:,} on: {_first_line(error)}",
            remedy="Write the file again, or set data.source.format to what it is.",
        ) from error


def batch_of(batch: "pa.RecordBatch", name: str, start: int, wanted: Sequence[str]) -> Batch:
    """An Arrow batch as rows numbered from `start`; a dotted name is that of a field of a struct.

    Raises SourceError for text that is not UTF-8.
    """
    roots = dotted.roots_of(wanted, batch.schema.names)
    columns = {column: _values(batch.column(column), f"{name}, column {column!r}", start) for column in roots}
    whole = Batch(name, "row", range(start, start + batch.num_rows), columns)
    if roots == list(wanted):
        return whole
    cells = {column: dotted.column_of(whole, column) or [None] * batch.num_rows for column in wanted}
    return Batch(name, "row", whole.numbers, cells)


def require_fields(name: str, schema: "pa.Schema", wanted: Sequence[str]) -> None:
    """`require_columns` where columns may be structs, whose fields have dotted names."""
    fields = [column for column in wanted if column not in schema.names and _is_field(schema, column)]
    require_columns(name, [*schema.names, *fields], wanted)


def _is_field(schema: "pa.Schema", name: str) -> bool:
    import pyarrow as pa

    root = next((one for one in schema.names if name.startswith(f"{one}.")), None)
    kind = schema.field(root).type if root else None
    rest = name[len(root) + 1 :] if root else ""
    while kind is not None and rest:
        if not pa.types.is_struct(kind):
            return False
        field = next((one for one in kind if rest == one.name or rest.startswith(f"{one.name}.")), None)
        if field is None:
            return False
        kind, rest = field.type, rest[len(field.name) + 1 :]
    return kind is not None


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
