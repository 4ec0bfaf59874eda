"""Rows of older parts that count no more by what a run sees beside new rows: none of it is asked often."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from perennial.core.store import Store
from perennial.ingest import canonical_rows, retirements
from perennial.records.data import Snapshot
from perennial.rows.columns import FILE, ROW_ID, TIME

if TYPE_CHECKING:
    import pyarrow as pa


def rows_after(latest: datetime, snapshot: Snapshot, store: Store) -> tuple[pa.Table, datetime | None]:
    """The rows dated after `latest`, as deletions of no time in the columns of a retirement, so that a later row with
    the same id counts; and the newest time of the others."""
    import pyarrow as pa
    import pyarrow.compute as pc

    newest: datetime | None = None
    late: list[pa.Table] = []
    for number, batch in _standing(snapshot, store):
        is_late = pc.fill_null(pc.greater(batch.column(TIME), pa.scalar(latest, batch.column(TIME).type)), False)
        newest = canonical_rows.newest(newest, batch.column(TIME).filter(pc.invert(is_late)))
        late.append(_retired(batch.filter(is_late), number, retirements.DELETED))
    return pa.concat_tables([retirements.retirement_schema().empty_table(), *late]), newest


def rows_named(names: Mapping[str, str], snapshot: Snapshot, store: Store) -> pa.Table:
    """The rows with these ids, each of its file (`names`), as replaced, in the columns of a retirement."""
    import pyarrow as pa
    import pyarrow.compute as pc

    hits = [retirements.retirement_schema().empty_table()]
    ids = pa.array(list(names), pa.string())
    for number, batch in _standing(snapshot, store) if names else ():
        batch = batch.filter(pc.is_in(batch.column(ROW_ID), value_set=ids))
        own = [
            file == names[row_id]
            for row_id, file in zip(*(batch.column(name).to_pylist() for name in (ROW_ID, FILE)), strict=True)
        ]
        hits.append(_retired(batch.filter(pa.array(own, pa.bool_())), number, retirements.REPLACED))
    return pa.concat_tables(hits)


def _standing(snapshot: Snapshot, store: Store) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Id, time and file of the rows that count, with the numbers of their parts."""
    import pyarrow.parquet as pq

    gone = retirements.RetiredIds(snapshot.retired, store)
    for number, part in enumerate(snapshot.parts):
        with pq.ParquetFile(store.root / part.path) as file:
            for batch in file.iter_batches(columns=[ROW_ID, TIME, FILE]):
                yield number, gone.filtered(number, batch)


def _retired(batch: pa.RecordBatch, number: int, what: str) -> pa.Table:
    import pyarrow as pa

    count = batch.num_rows
    zeros = pa.repeat(pa.scalar(0, pa.int64()), count)
    columns = [batch.column(ROW_ID), pa.repeat(pa.scalar(number, pa.int32()), count), pa.repeat(what, count)]
    return pa.Table.from_arrays([*columns, zeros, zeros, batch.column(FILE)], schema=retirements.retirement_schema())
