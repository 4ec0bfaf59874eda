"""Reading the rows that passed validation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from perennial.artifacts import CheckedPart, ValidatedData
from perennial.data.columns import SPLIT
from perennial.store import Store

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS = 20_000


def read_split(data: ValidatedData, store: Store, split: str, columns: Sequence[str], every: int = 1) -> pa.Table:
    """Each `every`-th row of `split`, in the order of the parts; only `columns` are read."""
    import numpy as np
    import pyarrow as pa

    tables: list[pa.Table] = []
    rows = 0
    for part in data.parts:
        for table in _tables(part, store, split, columns):
            tables.append(table.take(np.arange(-rows % every, table.num_rows, every)) if every > 1 else table)
            rows += table.num_rows
    return pa.concat_tables(tables)


def _tables(part: CheckedPart, store: Store, split: str, columns: Sequence[str]) -> Iterator[pa.Table]:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    wanted = [*columns, SPLIT]
    with pq.ParquetFile(store.root / part.path) as file:
        for batch in file.iter_batches(BATCH_ROWS, columns=wanted):
            chosen = batch.filter(pc.equal(batch.column(SPLIT), split))
            yield pa.Table.from_batches([chosen.select(list(columns))])
