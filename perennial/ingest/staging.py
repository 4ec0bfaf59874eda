"""What a run reads, kept on disk until it is known which of it is new: the out-of-core part of a snapshot."""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from perennial.ingest import canonical_rows
from perennial.ingest.canonical_rows import CanonicalBatch
from perennial.ingest.sources.base import Piece
from perennial.rows.columns import FILE, ROW_ID, SPLIT, TIME

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


class Origin(NamedTuple):
    """Where a staged batch is from."""

    piece: Piece
    floor: datetime | None
    """The newest time that earlier runs read of the piece; None: nothing, or there is no time column."""


class ChosenRows(NamedTuple):
    """Some rows of a batch."""

    numbers: np.ndarray
    """Their numbers in the batch, or among all that is staged, ascending."""
    is_known: np.ndarray
    """Of each, whether an earlier run read a row with its id."""
    splits: np.ndarray
    """Of each, the split that its id has; None: that of its text."""


def statement_schema() -> pa.Schema:
    """What a row that was read says of its id.

    row_id; position: which of all rows read it was, from 0; number: which of the staged rows it is, null if it is
    deleted; time in microseconds, 0 without one; content: its hash, 0 if it is deleted; file; deleted;
    split: that of its text, null if it is deleted.
    """
    import pyarrow as pa

    return pa.schema(
        [
            (ROW_ID, pa.string()),
            ("position", pa.int64()),
            ("number", pa.int64()),
            ("time", pa.int64()),
            ("content", pa.int64()),
            ("file", pa.string()),
            ("deleted", pa.bool_()),
            (SPLIT, pa.string()),
        ]
    )


class StagedRows:
    """Batches of canonical rows, and what they state of ids, in files without a name that are gone as the process is.

    Written by `add`, then read by the others, which end the writing.
    """

    def __init__(self, folder: Path, *, has_ids: bool) -> None:
        """`folder`: where the files lie. `has_ids`: whether rows have ids of their own, so that they state something
        of them."""
        folder.mkdir(parents=True, exist_ok=True)
        self.has_ids = has_ids
        self.rows_read = 0
        """Rows, those included that say that they are deleted."""
        self._rows, self._statements = _BatchFile(folder), _BatchFile(folder)
        self._sizes: list[int] = []
        self._origins: list[Origin] = []

    def add(self, batch: CanonicalBatch, origin: Origin) -> None:
        """Append what `batch` says."""
        if self.has_ids:
            self._statements.write(_of_rows(batch, self.rows_read, sum(self._sizes)))
            if batch.deleted_positions:
                self._statements.write(_of_deletions(batch, self.rows_read))
        self._rows.write(batch.rows)
        self._sizes.append(batch.rows.num_rows)
        self._origins.append(origin)
        self.rows_read += len(batch.row_positions) + len(batch.deleted_positions)

    def statements(self) -> pa.RecordBatchReader:
        """All that is stated of ids, in the columns of `statement_schema`."""
        import pyarrow as pa

        reader = self._statements.reader()
        batches = (reader.get_batch(number) for number in range(reader.num_record_batches))
        return pa.RecordBatchReader.from_batches(reader.schema, batches)

    def ids(self) -> pa.RecordBatchReader:
        """Row id and number (from 0) of every row."""
        import numpy as np
        import pyarrow as pa

        schema = pa.schema([(ROW_ID, pa.string()), ("number", pa.int64())])
        reader = self._rows.reader([0])

        def batches() -> Iterator[pa.RecordBatch]:
            first = 0
            for number, size in enumerate(self._sizes):
                ids = reader.get_batch(number).column(0)
                yield pa.RecordBatch.from_arrays([ids, pa.array(np.arange(first, first + size))], schema=schema)
                first += size

        return pa.RecordBatchReader.from_batches(schema, batches())

    def without(self, row_ids: Iterable[str]) -> list[str]:
        """Those of `row_ids` that no staged row has."""
        import pyarrow as pa
        import pyarrow.compute as pc

        left = pa.array(list(row_ids), pa.string())
        for batch in self.ids():
            left = left.filter(pc.invert(pc.is_in(left, value_set=batch.column(0))))
        return [str(row_id) for row_id in left.to_pylist()]

    def taken(self, chosen: Iterator[ChosenRows]) -> Generator[tuple[Origin, pa.RecordBatch, ChosenRows], None, None]:
        """The `chosen` rows, whose numbers ascend, by batch: where it is from, its rows, and what is known of them."""
        import pyarrow as pa

        reader = self._rows.reader()
        with closing(_by_batch(chosen, self._sizes)) as chosen_by_batch:
            for number, of_batch in enumerate(chosen_by_batch):
                if len(of_batch.numbers):
                    yield self._origins[number], reader.get_batch(number).take(pa.array(of_batch.numbers)), of_batch

    def close(self) -> None:
        """Give the disk space back."""
        self._rows.close()
        self._statements.close()


class _BatchFile:
    """Arrow batches of one schema, written once and then read; opened when the first one is written."""

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  (the staged rows close it)
        self._writer: pa.RecordBatchFileWriter | None = None
        self._ended = False

    def write(self, batch: pa.RecordBatch) -> None:
        import pyarrow as pa

        if self._writer is None:
            options = pa.ipc.IpcWriteOptions(compression="lz4")
            self._writer = pa.ipc.new_file(self._file, batch.schema, options=options)
        self._writer.write_batch(batch)

    def reader(self, fields: list[int] | None = None) -> pa.RecordBatchFileReader:
        import pyarrow as pa

        if self._writer is not None and not self._ended:
            # A second time it would write its end where the file was read last.
            self._writer.close()
            self._ended = True
        self._file.seek(0)
        return pa.ipc.open_file(self._file, options=pa.ipc.IpcReadOptions(included_fields=fields))

    def close(self) -> None:
        self._file.close()


def _of_rows(batch: CanonicalBatch, rows_read: int, rows_staged: int) -> pa.RecordBatch:
    """What the rows of `batch` state of their ids; the numbers are those of what was read and staged before."""
    import pyarrow as pa

    rows, count = batch.rows, batch.rows.num_rows
    positions = pa.array([rows_read + position for position in batch.row_positions], pa.int64())
    numbers = pa.array(range(rows_staged, rows_staged + count), pa.int64())
    times, content = canonical_rows.micros(rows.column(TIME)), canonical_rows.content_hashes(rows)
    columns = [rows.column(ROW_ID), positions, numbers, times, content, rows.column(FILE), pa.repeat(False, count)]
    columns.append(rows.column(SPLIT))
    return pa.RecordBatch.from_arrays(columns, schema=statement_schema())


def _of_deletions(batch: CanonicalBatch, rows_read: int) -> pa.RecordBatch:
    """What the deletions of `batch` state of their ids."""
    import pyarrow as pa

    count = len(batch.deleted_positions)
    positions = pa.array([rows_read + position for position in batch.deleted_positions], pa.int64())
    nothing, zeros = pa.nulls(count, pa.int64()), pa.repeat(pa.scalar(0, pa.int64()), count)
    columns = [batch.deleted_ids, positions, nothing, canonical_rows.micros(batch.deleted_times), zeros]
    columns += [pa.repeat(batch.file, count), pa.repeat(True, count), pa.nulls(count, pa.string())]
    return pa.RecordBatch.from_arrays(columns, schema=statement_schema())


def _by_batch(chosen: Iterator[ChosenRows], sizes: Sequence[int]) -> Generator[ChosenRows, None, None]:
    """Cut ascending row numbers at the batches' ends: for each batch the chosen rows, counted from its start."""
    import numpy as np

    pending = ChosenRows(np.empty(0, np.int64), np.empty(0, bool), np.empty(0, object))
    first = 0
    for size in sizes:
        while not len(pending.numbers) or pending.numbers[-1] < first + size:
            more = next(chosen, None)
            if more is None:
                break
            pending = ChosenRows(*(np.concatenate(both) for both in zip(pending, more, strict=True)))
        end = int(np.searchsorted(pending.numbers, first + size))
        yield ChosenRows(pending.numbers[:end] - first, pending.is_known[:end], pending.splits[:end])
        pending = ChosenRows(*(each[end:] for each in pending))
        first += size
