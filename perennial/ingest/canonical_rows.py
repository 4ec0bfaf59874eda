"""Rows as a source has them, made canonical: one Arrow schema, with row id, text key, split and UTC time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from perennial import kinds
from perennial.core.errors import SourceError
from perennial.rows import cells, splits
from perennial.rows.batch import Batch
from perennial.rows.columns import FILE, LINE, ROW_ID, SPLIT, TEXT_KEY, TIME
from perennial.rows.moments import EPOCH, moment
from perennial.settings.pipeline import PipelineSpec

if TYPE_CHECKING:
    import pyarrow as pa


def canonical_rows(batch: Batch, spec: PipelineSpec) -> pa.RecordBatch:
    """The rows of `batch` with the columns of `perennial.ingest.canonical_rows.part_schema(spec)`. No row is dropped.

    Raises SourceError, naming file and line, for a nested value where text is expected, text that is no Unicode, a
    missing or unreadable time and a missing id.
    """
    import pyarrow as pa

    kind, names = kinds.kind_named(spec.kind), spec.data.columns
    content = kind.canonical(batch, names)
    times = _times(batch, names.time)
    slices = [cells.text_array(batch, name) for name in names.kept]
    keys, places = splits.splits_of_columns([content[role] for role in kind.text_columns], spec.data.splits)
    ids = _ids(batch, names.id) if names.id else _hashes([*content.values(), times.cast(pa.int64()), *slices])
    files = pa.repeat(batch.file, len(batch.places))
    lines = pa.array(batch.places, pa.int64())
    return pa.RecordBatch.from_arrays(
        [pa.array(ids, pa.string()), pa.array(keys), pa.array(places), *content.values(), times, files, lines, *slices],
        schema=part_schema(spec),
    )


def contents(rows: pa.RecordBatch | pa.Table, spec: PipelineSpec) -> pa.Array:
    """A hash (int64) of what each of these canonical rows says: the kind's columns and the slices."""
    import pyarrow as pa

    names = [*kinds.kind_named(spec.kind).column_types(), *spec.data.columns.kept]
    hashes = _hashes([_whole(rows.column(name)) for name in names])
    return pa.array([int(value[:15], 16) for value in hashes], pa.int64())


def micros(times: pa.Array) -> pa.Array:
    """`times` in microseconds since 1970; 0 where there is none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.fill_null(_whole(times).cast(pa.int64()), 0)


def gone(batch: Batch, spec: PipelineSpec) -> tuple[list[str], pa.Array]:
    """Id and time of each row of `batch`, which all say that a row was deleted and need not hold anything else.

    Raises SourceError as `canonical_rows` does.
    """
    names = spec.data.columns
    return _ids(batch, str(names.id)), _times(batch, names.time)


def _whole(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    import pyarrow as pa

    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _ids(batch: Batch, column: str) -> list[str]:
    ids = cells.texts(batch, column)
    for row, value in enumerate(ids):
        if not value:
            raise SourceError(
                f"{batch.place(row)} has no id in column {column!r}; each row needs one of its own.",
                remedy="Fill it in, or leave data.columns.id out: then rows are told apart by their content.",
            )
    return [value for value in ids if value]


def _hashes(columns: Sequence[pa.Array]) -> list[str]:
    import pyarrow.compute as pc

    # Lengths go with the cells, so that no two different rows are spelled alike.
    spelled = pc.binary_join_element_wise(*(_spelled(column) for column in columns), "")
    return [hashlib.blake2b(row.encode(), digest_size=16).hexdigest() for row in spelled.to_pylist()]


def _spelled(column: pa.Array) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_integer(column.type):
        return pc.binary_join_element_wise(pc.fill_null(column.cast(pa.string()), "None"), "", ",")
    if not pa.types.is_string(column.type):
        column = pa.array([None if cell is None else json.dumps(cell) for cell in column.to_pylist()], pa.string())
    sized = pc.binary_join_element_wise(pc.utf8_length(column).cast(pa.string()), column, ":")
    return pc.fill_null(sized, "-")


def _times(batch: Batch, column: str | None) -> pa.Array:
    import pyarrow as pa

    stamp = pa.timestamp("us", tz="UTC")
    if column is None:
        return pa.nulls(len(batch.places), stamp)
    if {str} == set(map(type, batch.columns[column])):
        for kind in (pa.timestamp("us"), stamp):
            # Arrow's own parser is ten times as fast, where all rows are written plainly and all alike.
            with suppress(ValueError):
                return pa.array(batch.columns[column], pa.string()).cast(kind).cast(stamp)
    return pa.array(_moments(batch, column), stamp)


def _moments(batch: Batch, column: str) -> Iterator[datetime]:
    for row, value in enumerate(batch.columns[column]):
        try:
            yield moment(value)
        except (ValueError, OverflowError) as error:
            shown = str(value)
            given = "no time" if value is None else f"the time {shown[:40] + '…' * (len(shown) > 40)!r}"
            raise SourceError(
                f"{batch.place(row)} has {given} in column {column!r}; expected an ISO 8601 date or time, such as "
                "2026-01-31 or 2026-01-31T09:30:00Z, or seconds since 1970.",
                remedy="Mend that cell, or leave data.columns.time out: then rows are told apart by their ids.",
            ) from error


def from_micros(micros: int) -> datetime:
    """The UTC time `micros` microseconds after 1970."""
    return EPOCH + timedelta(microseconds=micros)


def part_schema(spec: PipelineSpec) -> pa.Schema:
    """The Arrow schema of a part.

    row_id: the id column, or a hash of the row's content (32 hex digits). text_key: hash of the normalised text
    (32 hex digits). split: train, validation or test. The kind's own columns (text, label, …). time: when the row
    came to be, UTC, null without a time column. file, line: where the row was read (for a query: "query" and the
    row's number), so that an error can name it. Then the slice columns and the group, as text.
    """
    import pyarrow as pa

    return pa.schema(
        [
            (ROW_ID, pa.string()),
            (TEXT_KEY, pa.string()),
            (SPLIT, pa.string()),
            *kinds.kind_named(spec.kind).column_types().items(),
            (TIME, pa.timestamp("us", tz="UTC")),
            (FILE, pa.string()),
            (LINE, pa.int64()),
            *((name, pa.string()) for name in spec.data.columns.kept),
        ]
    )
