"""Reading the rows that passed validation, and still count."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from perennial.core.store import Store
from perennial.ingest.retirements import RetiredIds
from perennial.records.data import ValidatedData
from perennial.rows.columns import ROW_ID, SPLIT

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS = 20_000


def read_split(data: ValidatedData, store: Store, split: str, columns: Sequence[str], every: int = 1) -> pa.Table:
    """Each `every`-th row of `split`, in the order of the parts; only `columns` are read."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    gone = RetiredIds(data.retired, store)
    tables: list[pa.Table] = []
    rows = 0
    for number in range(len(data.parts)):
        for batch in read_part(data, store, number, [*columns, SPLIT], gone):
            chosen = batch.filter(pc.equal(batch.column(SPLIT), split))
            table = pa.Table.from_batches([chosen.select(list(columns))])
            tables.append(table.take(np.arange(-rows % every, table.num_rows, every)) if every > 1 else table)
            rows += table.num_rows
    return pa.concat_tables(tables)


def read_part(
    data: ValidatedData, store: Store, number: int, columns: Sequence[str], gone: RetiredIds
) -> Iterator[pa.RecordBatch]:
    """The rows of the part `number` (from 0) that count; `columns`, and the row ids where some are `gone`."""
    import pyarrow.parquet as pq

    wanted = dict.fromkeys([*columns, *([ROW_ID] if number in gone else [])])
    with pq.ParquetFile(store.root / data.parts[number].path) as file:
        for batch in file.iter_batches(BATCH_ROWS, columns=list(wanted)):
            yield gone.filtered(number, batch)
