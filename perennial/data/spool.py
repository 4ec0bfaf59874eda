"""Rows just read, kept on disk until it is known which of them are new: the out-of-core part of a snapshot."""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from perennial.data.columns import ROW_ID
from perennial.errors import StoreError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

JOIN_MEMORY = "128MB"
"""What DuckDB may hold before it spills to disk: the ids of about a million rows."""

# Of rows with the same id the first counts; ids in the history don't count at all.
_UNSEEN = f"""
    SELECT fresh.number FROM (SELECT {ROW_ID}, min(number) AS number FROM fresh GROUP BY {ROW_ID}) AS fresh
    ANTI JOIN history ON fresh.{ROW_ID} = history.{ROW_ID} ORDER BY fresh.number
"""  # noqa: S608  (a constant of ours)


class Spool:
    """Batches of canonical rows in a file without a name, which is gone as soon as the process is."""

    def __init__(self, folder: Path, schema: pa.Schema) -> None:
        import pyarrow as pa

        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  (close() closes it)
        self._writer = pa.ipc.new_file(self._file, schema, options=pa.ipc.IpcWriteOptions(compression="lz4"))
        self._sizes: list[int] = []

    @property
    def rows(self) -> int:
        """Rows in it."""
        return sum(self._sizes)

    def add(self, batch: pa.RecordBatch) -> None:
        """Append `batch`."""
        self._writer.write_batch(batch)
        self._sizes.append(batch.num_rows)

    def unseen(self, history: Sequence[Path]) -> Generator[tuple[int, pa.RecordBatch], None, None]:
        """Each batch's number, with its rows whose id is neither in the Parquet files `history` nor earlier here.

        Ends the writing. Raises StoreError when the disk is full.
        """
        import pyarrow as pa

        self._writer.close()
        reader = self._reader()
        with closing(self._numbers(history)) as numbers, closing(_ranges(numbers, self._sizes)) as ranges:
            for number, chosen in enumerate(ranges):
                if len(chosen):
                    yield number, reader.get_batch(number).take(pa.array(chosen))

    def close(self) -> None:
        """Give the disk space back."""
        self._file.close()

    def _reader(self, fields: list[int] | None = None) -> pa.RecordBatchFileReader:
        import pyarrow as pa

        self._file.seek(0)
        return pa.ipc.open_file(self._file, options=pa.ipc.IpcReadOptions(included_fields=fields))

    def _numbers(self, history: Sequence[Path]) -> Generator[np.ndarray, None, None]:
        import duckdb

        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="join-", dir=self._folder) as spill:
            settings = {"memory_limit": JOIN_MEMORY, "temp_directory": spill, "threads": "2"}
            try:
                with duckdb.connect(":memory:", config={**settings, "preserve_insertion_order": "false"}) as joiner:
                    joiner.execute("SET enable_progress_bar = false")
                    joiner.register("fresh", self._ids())
                    joiner.register("history", _history(history))
                    for batch in joiner.sql(_UNSEEN).to_arrow_reader(100_000):
                        yield batch.column(0).to_numpy()
            except duckdb.Error as error:
                raise StoreError(
                    f"The new rows could not be told from the old ones ({type(error).__name__}); "
                    f"it needs some space in {self._folder}.",
                    remedy="Free some disk space, or set PERENNIAL_HOME to a larger disk, and run again.",
                ) from error

    def _ids(self) -> pa.RecordBatchReader:
        import numpy as np
        import pyarrow as pa

        schema = pa.schema([(ROW_ID, pa.string()), ("number", pa.int64())])
        reader = self._reader([0])

        def batches() -> Iterator[pa.RecordBatch]:
            first = 0
            for number, size in enumerate(self._sizes):
                ids = reader.get_batch(number).column(0)
                yield pa.RecordBatch.from_arrays([ids, pa.array(np.arange(first, first + size))], schema=schema)
                first += size

        return pa.RecordBatchReader.from_batches(schema, batches())


def _history(parts: Sequence[Path]) -> pa.RecordBatchReader:
    import pyarrow as pa
    import pyarrow.parquet as pq

    def batches() -> Iterator[pa.RecordBatch]:
        for part in parts:
            with pq.ParquetFile(part) as file:
                yield from file.iter_batches(50_000, columns=[ROW_ID])

    return pa.RecordBatchReader.from_batches(pa.schema([(ROW_ID, pa.string())]), batches())


def _ranges(numbers: Iterator[np.ndarray], sizes: Sequence[int]) -> Generator[np.ndarray, None, None]:
    """Cut ascending row numbers at the batches' ends: for each batch the chosen rows, counted from its start."""
    import numpy as np

    held: np.ndarray = np.empty(0, np.int64)
    first = 0
    for size in sizes:
        while not len(held) or held[-1] < first + size:
            more = next(numbers, None)
            if more is None:
                break
            held = np.concatenate((held, more))
        here = int(np.searchsorted(held, first + size))
        yield held[:here] - first
        held = held[here:]
        first += size
