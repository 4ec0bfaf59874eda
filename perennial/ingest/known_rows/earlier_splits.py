"""The splits that ids had in snapshots before this one: a snapshot that is begun anew must not forget them.

Else a row that was learned from could come to the test rows with the text that it was corrected to since.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from perennial.core import progress
from perennial.core.store import Store
from perennial.records.data import Snapshot
from perennial.rows.columns import ROW_ID, SPLIT

if TYPE_CHECKING:
    import pyarrow as pa


def schema() -> pa.Schema:
    """row_id and split."""
    import pyarrow as pa

    return pa.schema([(ROW_ID, pa.string()), (SPLIT, pa.string())])


def splits_of_ids(snapshots: Iterable[Snapshot], store: Store) -> pa.RecordBatchReader:
    """Id and split of every row of these, those included that count no more; an id may be there often.

    Parts that can't be read are left out, which is said: whoever begins anew may do so because they are lost.
    """
    import pyarrow as pa

    paths = dict.fromkeys(store.root / part.path for snapshot in snapshots for part in snapshot.parts)
    readable = list(filter(_is_readable, paths))
    if lost := len(paths) - len(readable):
        progress.note(
            f"{lost:,} parts of rows read before can't be read any more: which split their rows had is not known, and "
            "one whose text was changed since goes where its text belongs."
        )
    return pa.RecordBatchReader.from_batches(schema(), _batches(readable))


def _is_readable(path: Path) -> bool:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return {ROW_ID, SPLIT} <= set(pq.read_schema(path).names)
    except (OSError, pa.ArrowException):
        return False


def _batches(paths: Iterable[Path]) -> Iterator[pa.RecordBatch]:
    import pyarrow.parquet as pq

    for path in paths:
        with pq.ParquetFile(path) as file:
            yield from (batch.cast(schema()) for batch in file.iter_batches(columns=[ROW_ID, SPLIT]))
