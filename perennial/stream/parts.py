"""Parts of stored live texts: immutable Parquet files, each there whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from perennial.core.errors import StoreError
from perennial.core.store import put_on_disk
from perennial.stream.journal import StoredPart
from perennial.stream.live_text import stored_schema

if TYPE_CHECKING:
    import pyarrow as pa

SUFFIX = ".parquet"
UNFINISHED = ".new-"
"""How the name of a part starts that is being written."""
GROUP_ROWS = 10_000
"""Rows of a row group, which a reader holds in memory at least."""


def write_part(folder: Path, number: int, tables: Iterable[pa.Table]) -> StoredPart:
    """Write a part of all rows of `tables`, which are not none; it is on the disk when this returns. Raises OSError.

    Written under another name, put on the disk and then renamed: under its own name a part is whole.
    """
    import pyarrow.parquet as pq

    name = f"{number:010d}-{uuid4().hex[:8]}{SUFFIX}"
    unfinished = folder / f"{UNFINISHED}{name}"
    spans: list[tuple[int, int, int]] = []
    with pq.ParquetWriter(unfinished, stored_schema(), compression="zstd") as writer:
        for table in tables:
            writer.write_table(table, row_group_size=GROUP_ROWS)
            spans.append((table.num_rows, *_read_ends(table)))
    put_on_disk(unfinished)
    unfinished.rename(folder / name)
    put_on_disk(folder)
    rows, first_read, last_read = zip(*spans, strict=True)
    return StoredPart(number, name, sum(rows), min(first_read), max(last_read))


def rows_of_part(
    folder: Path, part: StoredPart, columns: Sequence[str] | None = None, batch_rows: int = GROUP_ROWS
) -> Iterator[pa.Table]:
    """The rows of a part in order, `batch_rows` at most at a time. Raises StoreError when it is missing or damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / part.name
    try:
        with pq.ParquetFile(path) as file:
            # Group by group: a batch over several would hold all of them, and texts may be long.
            for group in range(file.num_row_groups):
                for batch in file.iter_batches(batch_rows, [group], None if columns is None else list(columns)):
                    yield pa.Table.from_batches([batch])
    except (FileNotFoundError, pa.ArrowException) as error:
        why = "the file is gone" if isinstance(error, FileNotFoundError) else str(error).splitlines()[0]
        raise StoreError(
            f"The stored texts in {path} can't be read: {why}.",
            remedy=f"Bring the folder {folder.parent} back from a backup, all of it, or move it away: texts are then "
            "read from the source anew.",
        ) from error


def remove_strays(folder: Path, counted: Iterable[str]) -> int:
    """Remove the parts in `folder` that are not `counted`, which a killed process left. Says how many. Raises
    OSError."""
    known_names = set(counted)
    strays = [path for path in folder.iterdir() if path.name.endswith(SUFFIX) and path.name not in known_names]
    for path in strays:
        path.unlink(missing_ok=True)
    return len(strays)


def _read_ends(table: pa.Table) -> tuple[int, int]:
    """When the first and the last text were read, in microseconds since 1970."""
    import pyarrow as pa
    import pyarrow.compute as pc

    ends = pc.min_max(pc.cast(table.column("read"), pa.int64())).as_py()
    return ends["min"], ends["max"]
