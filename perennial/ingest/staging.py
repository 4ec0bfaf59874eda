"""Rows just read, kept on disk until it is known which of them are new: the out-of-core part of a snapshot."""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from perennial.rows.columns import ROW_ID

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


class Chosen(NamedTuple):
    """Some rows of a batch: their places in it, or in the spool, and whether a row with their id was known."""

    places: np.ndarray
    known: np.ndarray


class Spool:
    """Batches of canonical rows, and what is said of ids, in files without a name, gone as soon as the process is."""

    def __init__(self, folder: Path, schema: pa.Schema) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._rows = _File(folder, schema)
        self._said: _File | None = None
        self._folder = folder
        self._sizes: list[int] = []

    @property
    def rows(self) -> int:
        """Rows in it."""
        return sum(self._sizes)

    def add(self, batch: pa.RecordBatch) -> None:
        """Append `batch`."""
        self._rows.writer.write_batch(batch)
        self._sizes.append(batch.num_rows)

    def say(self, said: pa.RecordBatch) -> None:
        """Append what is said of ids, in the columns of `perennial.ingest.row_index.said_schema`."""
        if self._said is None:
            self._said = _File(self._folder, said.schema)
        self._said.writer.write_batch(said)

    def said(self) -> pa.RecordBatchReader:
        """All that was said, from its beginning. Ends the writing."""
        import pyarrow as pa

        if self._said is None:
            raise ValueError("nothing was said of any id")
        reader = self._said.reader()
        batches = (reader.get_batch(number) for number in range(reader.num_record_batches))
        return pa.RecordBatchReader.from_batches(reader.schema, batches)

    def ids(self) -> pa.RecordBatchReader:
        """Row id and number (from 0) of every row. Ends the writing."""
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

    def taken(self, chosen: Iterator[Chosen]) -> Generator[tuple[int, pa.RecordBatch, np.ndarray], None, None]:
        """Each batch's number, with its rows among the `chosen` ones, whose numbers ascend, and whether their ids were
        known. Ends the writing."""
        import pyarrow as pa

        reader = self._rows.reader()
        with closing(_ranges(chosen, self._sizes)) as ranges:
            for number, here in enumerate(ranges):
                if len(here.places):
                    yield number, reader.get_batch(number).take(pa.array(here.places)), here.known

    def close(self) -> None:
        """Give the disk space back."""
        for file in (self._rows, self._said):
            if file is not None:
                file.file.close()


class _File:
    """Arrow batches, written once and then read."""

    def __init__(self, folder: Path, schema: pa.Schema) -> None:
        import pyarrow as pa

        self.file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  (the spool closes it)
        self.writer = pa.ipc.new_file(self.file, schema, options=pa.ipc.IpcWriteOptions(compression="lz4"))
        self._ended = False

    def reader(self, fields: list[int] | None = None) -> pa.RecordBatchFileReader:
        import pyarrow as pa

        if not self._ended:
            # A second time it would write its end where the file was read last.
            self.writer.close()
            self._ended = True
        self.file.seek(0)
        return pa.ipc.open_file(self.file, options=pa.ipc.IpcReadOptions(included_fields=fields))


def _ranges(chosen: Iterator[Chosen], sizes: Sequence[int]) -> Generator[Chosen, None, None]:
    """Cut ascending row numbers at the batches' ends: for each batch the chosen rows, counted from its start."""
    import numpy as np

    held = Chosen(np.empty(0, np.int64), np.empty(0, bool))
    first = 0
    for size in sizes:
        while not len(held.places) or held.places[-1] < first + size:
            more = next(chosen, None)
            if more is None:
                break
            held = Chosen(*(np.concatenate(both) for both in zip(held, more, strict=True)))
        here = int(np.searchsorted(held.places, first + size))
        yield Chosen(held.places[:here] - first, held.known[:here])
        held = Chosen(held.places[here:], held.known[here:])
        first += size
