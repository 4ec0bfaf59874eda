"""Rows as a source has them, made canonical: one Arrow schema, with row id, text key, split and UTC time.

The one place where a batch becomes rows and deletions: what comes after it knows no column of the source.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from perennial import kinds
from perennial.core.errors import SourceError
from perennial.ingest import deletions, missing_labels, row_ids, row_times
from perennial.ingest.set_aside import NO_LABEL, SetAsideRows
from perennial.kinds.target_cells import target_cells
from perennial.rows import cells, splits
from perennial.rows.batch import Batch
from perennial.rows.columns import FILE, LINE, ROW_ID, SPLIT, TEXT_KEY, TIME
from perennial.rows.moments import EPOCH
from perennial.settings.data import BY_TEXT, ColumnsSpec
from perennial.settings.pipeline import PipelineSpec

if TYPE_CHECKING:
    import pyarrow as pa


_NOT_CONTENT = {ROW_ID, TEXT_KEY, SPLIT, TIME, FILE, LINE}


@dataclass(frozen=True)
class CanonicalBatch:
    """What a batch says: rows that are there, and ids whose rows are deleted."""

    file: str
    """Where it was read, as `Batch.file`."""
    rows: pa.RecordBatch
    """In the columns of `part_schema`."""
    row_positions: Sequence[int]
    """The position in the batch (from 0) of each of `rows`."""
    deleted_ids: pa.Array
    """The ids (string) of rows that are deleted."""
    deleted_times: pa.Array
    """When, for each of `deleted_ids` (UTC, microseconds); null without a time column."""
    deleted_positions: Sequence[int]
    """The position in the batch of each of `deleted_ids`."""


def canonical_batch(
    batch: Batch, spec: PipelineSpec, aside: SetAsideRows | None = None, *, whole_ids: bool = True
) -> CanonicalBatch:
    """What `batch` says, by the spec's columns. No row is dropped; one that is deleted needs an id and a time only.

    `aside` and `whole_ids`: as `canonical_rows` takes them. Raises SourceError, naming file and line, as that does, and
    for what says neither that a row is deleted nor that it is not.
    """
    columns, aside = spec.data.columns, aside or SetAsideRows()
    halves = deletions.parted(batch, columns.deleted)
    rows = canonical_rows(halves.present, spec, aside, whole_ids=whole_ids)
    ids, times = rows.column(ROW_ID)[:0], rows.column(TIME)[:0]
    if halves.deleted_positions:
        ids = _ids(halves.deleted, str(columns.id), whole=whole_ids)
        times = _times(halves.deleted, columns, _latest(spec.data.future_tolerance), aside)
    return CanonicalBatch(batch.file, rows, halves.present_positions, ids, times, halves.deleted_positions)


def canonical_rows(
    batch: Batch, spec: PipelineSpec, aside: SetAsideRows | None = None, *, whole_ids: bool = True
) -> pa.RecordBatch:
    """The rows of `batch`, none of which is deleted, in the columns of `part_schema(spec)`.

    Counted in `aside` are rows without a label, of a kind whose label is a list, and those whose time is missing, can't
    be read or is in the future; such a time is null. `whole_ids`: an id 17.0 is 17. Raises SourceError, naming file
    and line, for a nested value where text is expected, text that is no Unicode, a column of times of which none can be
    read and a missing id.
    """
    import pyarrow as pa

    kind, columns, aside = kinds.kind_named(spec.kind), spec.data.columns, aside or SetAsideRows()
    target = target_cells(kind, columns)
    missing = missing_labels.rows_without_label(batch, target)
    if missing and spec.data.missing_labels == "none":
        batch = missing_labels.with_none(batch, target, missing)
    elif missing:
        aside.add(NO_LABEL, batch, missing)
    content = kind.canonical(batch, columns)
    times = _times(batch, columns, _latest(spec.data.future_tolerance), aside)
    slices = [cells.text_array(batch, name) for name in columns.kept]
    texts = [content[role] for role in kind.text_columns]
    keys = splits.text_keys(texts)
    deciding = (
        keys if spec.data.splits.by == BY_TEXT else splits.split_keys(texts, _group(slices, columns), spec.data.splits)
    )
    row_splits = splits.splits_of_keys(deciding, spec.data.splits)
    hashed = [*content.values(), times.cast(pa.int64()), *slices]
    ids = _ids(batch, columns.id, whole=whole_ids) if columns.id else pa.array(_hashes(hashed), pa.string())
    files = pa.repeat(batch.file, len(batch.numbers))
    lines = pa.array(batch.numbers, pa.int64())
    return pa.RecordBatch.from_arrays(
        [ids, pa.array(keys), pa.array(row_splits), *content.values(), times, files, lines, *slices],
        schema=part_schema(spec),
    )


def _group(kept: Sequence[pa.Array], columns: ColumnsSpec) -> pa.Array | None:
    return kept[columns.kept.index(columns.group)] if columns.group is not None else None


def content_hashes(rows: pa.RecordBatch | pa.Table) -> pa.Array:
    """A hash (int64) of what each of these canonical rows says: the kind's columns and the slices."""
    import pyarrow as pa

    hashes = _hashes([_whole(rows.column(name)) for name in rows.schema.names if name not in _NOT_CONTENT])
    return pa.array([int(value[:15], 16) for value in hashes], pa.int64())


def micros(times: pa.Array) -> pa.Array:
    """`times` in microseconds since 1970; 0 where there is none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.fill_null(_whole(times).cast(pa.int64()), 0)


def newest(before: datetime | None, *times: pa.Array) -> datetime | None:
    """The newest of all these times; None: there is none."""
    import pyarrow.compute as pc

    tops = [pc.max(array).cast("int64").as_py() for array in times]
    times_of_tops = [EPOCH + timedelta(microseconds=top) for top in tops if top is not None]
    return max([*times_of_tops, *([before] if before else [])], default=None)


def _whole(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    import pyarrow as pa

    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _ids(batch: Batch, column: str, *, whole: bool) -> pa.Array:
    import pyarrow.compute as pc

    ids = cells.text_array(batch, column)
    is_missing = pc.fill_null(pc.equal(ids, ""), True)
    row = pc.index(is_missing, True).as_py()
    if row >= 0:
        raise SourceError(
            f"{batch.where(row)} has no id in column {column!r}; each row needs one of its own.",
            remedy="Fill it in, or leave data.columns.id out: then rows are told apart by their content.",
        )
    return row_ids.whole_ids(ids) if whole else ids


def _hashes(columns: Sequence[pa.Array]) -> list[str]:
    """A hash (BLAKE2b, 32 hex digits) of each row of these columns."""
    import pyarrow as pa
    import pyarrow.compute as pc

    # Lengths go with the cells, so that no two different rows are spelled alike.
    spelled = pc.binary_join_element_wise(*(_spelled(column) for column in columns), "").cast(pa.binary())
    return [hashlib.blake2b(row, digest_size=16).hexdigest() for row in spelled.to_pylist()]


def _spelled(column: pa.Array) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_integer(column.type):
        return pc.binary_join_element_wise(pc.fill_null(column.cast(pa.string()), "None"), "", ",")
    if not pa.types.is_string(column.type):
        column = pa.array([None if cell is None else json.dumps(cell) for cell in column.to_pylist()], pa.string())
    sized = pc.binary_join_element_wise(pc.utf8_length(column).cast(pa.string()), column, ":")
    return pc.fill_null(sized, "-")


def _latest(tolerance: timedelta) -> datetime:
    """The latest time that a row can have now."""
    return datetime.now(UTC) + tolerance


def _times(batch: Batch, columns: ColumnsSpec, latest: datetime, aside: SetAsideRows) -> pa.Array:
    import pyarrow as pa

    column = columns.time
    if column is None:
        return pa.nulls(len(batch.numbers), pa.timestamp("us", tz="UTC"))
    try:
        read = row_times.row_times(batch.columns[column], latest, columns.time_format)
    except row_times.NoTimesError as error:
        row = error.row
        shown = str(batch.columns[column][row])
        raise SourceError(
            f"{batch.where(row)} has the time {shown[:40] + '…' * (len(shown) > 40)!r} in column {column!r}; expected "
            "an ISO 8601 date or time, such as 2026-01-31 or 2026-01-31T09:30:00Z, or seconds since 1970, or what "
            f"data.columns.time_format says. No row read with it has one that can be read{error.why}.",
            remedy="Name another column in data.columns.time, or leave it out: then rows are told apart by their ids.",
        ) from None
    for why, rows in read.unusable.items():
        aside.add(why, batch, rows)
    return read.times


def part_schema(spec: PipelineSpec) -> pa.Schema:
    """The Arrow schema of a part.

    row_id: the id column, or a hash of the row's content (32 hex digits). text_key: hash of the normalised text
    (32 hex digits). split: train, validation or test; of an id that was read before, the one it had. The kind's own
    columns (text, label, …). time: when the row came to be, UTC, null without a time column. file, line: where the row
    was read (for a query: "query" and the row's number), so that an error can name it. Then the slice columns and the
    group, as text.
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
