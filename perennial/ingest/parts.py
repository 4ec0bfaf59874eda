"""The parts of a snapshot: written to the store as deterministic Parquet, and checked before they are read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from perennial.core import digest, progress
from perennial.core.errors import StoreError
from perennial.core.store import CHANGED, MANIFEST, Seal, Store, is_whole
from perennial.records.data import Part, Snapshot
from perennial.rows.columns import ROW_ID, TEXT_KEY

if TYPE_CHECKING:
    import pyarrow as pa

STEP = "parts"
FILE = "rows.parquet"
PART_ROWS = 500_000
"""Most rows of a part: what validation holds in memory at a time."""
PART_BYTES = 512 << 20
"""About the most of a part in memory, for long texts."""
GROUP_ROWS = 50_000
GROUP_BYTES = 64 << 20


def write_parts(batches: Iterator[pa.RecordBatch], store: Store) -> tuple[Part, ...]:
    """Write the rows of `batches` to the store, in their order, as one part or more; the same rows, the same parts."""
    parts: list[Part] = []
    writer = _PartWriter(_groups(batches))
    while writer.pending is not None:
        parts.append(store.put(STEP, Part, writer.write))
    return tuple(parts)


def check_sizes(snapshot: Snapshot, store: Store) -> None:
    """Raises StoreError when a part of `snapshot` is missing or has not the size it was written with."""
    _check(snapshot, lambda part: _size_fault(store.root / part.path))


def check_digests(snapshot: Snapshot, store: Store) -> None:
    """Raises StoreError when a part of `snapshot` is not byte for byte what was written.

    One whose time is that of its writing is taken to be; `perennial doctor` reads all of them.
    """

    def fault(part: Part) -> str:
        path = store.root / part.path
        try:
            seal = _seal(path)
        except (OSError, ValueError, KeyError):
            return "has lost its manifest"
        if seal.sha256 == part.sha256 and path.stat().st_mtime_ns == seal.mtime_ns:
            return ""
        return "" if is_whole(path, seal.model_copy(update={"sha256": part.sha256})) else f"was {CHANGED}"

    _check(snapshot, fault)


class _PartWriter:
    """Writes row groups into parts, each until it is full; the group that no longer fits starts the next."""

    def __init__(self, groups: Iterator[pa.Table]) -> None:
        self._groups = groups
        self._rows = 0
        """Of all parts so far."""
        self.pending = next(groups, None)
        """The group that is written next; None: all are."""

    def write(self, folder: Path) -> tuple[str, Part]:
        import pyarrow.parquet as pq

        if self.pending is None:
            raise ValueError("all rows are written")
        path, rows, size, schema = folder / FILE, 0, 0, self.pending.schema
        # Hashes never repeat within a part, so a dictionary of them is only work.
        repeating = [name for name in schema.names if name not in (ROW_ID, TEXT_KEY)]
        with pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=repeating) as writer:
            while self.pending is not None and rows + self.pending.num_rows <= PART_ROWS and size < PART_BYTES:
                writer.write_table(self.pending, row_group_size=PART_ROWS)
                rows, size = rows + self.pending.num_rows, size + self.pending.nbytes
                self.pending = next(self._groups, None)
                progress.advance(self._rows + rows, unit="rows", detail="writing new rows")
        self._rows += rows
        key = digest.of_file(path)
        return key, Part(path=f"{STEP}/{key}/{FILE}", sha256=key, rows=rows)


def _groups(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Row groups of exactly GROUP_ROWS rows, fewer for long texts, whatever the batches were."""
    import pyarrow as pa

    held: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        held.append(batch)
        rows, size = rows + batch.num_rows, size + batch.nbytes
        while rows >= GROUP_ROWS or size >= GROUP_BYTES:
            table = pa.Table.from_batches(held)
            yield table.slice(0, GROUP_ROWS).combine_chunks()
            held = table.slice(GROUP_ROWS).to_batches()
            rows, size = sum(left.num_rows for left in held), sum(left.nbytes for left in held)
    if rows:
        yield pa.Table.from_batches(held).combine_chunks()


def _check(snapshot: Snapshot, fault: Callable[[Part], str]) -> None:
    for number, part in enumerate(snapshot.parts, 1):
        if damage := fault(part):
            raise StoreError(
                f"Part {number} of {len(snapshot.parts)} of the rows of '{snapshot.pipeline}' ({part.path} in the "
                f"store) {damage}. The champion is untouched.",
                remedy=remedy(snapshot.pipeline),
            )


def written_at(path: Path) -> float | None:
    """When the part at `path` was written, in seconds since 1970; None: it is not there."""
    try:
        stamp = _seal(path).mtime_ns
    except (OSError, ValueError, KeyError):
        return None
    return path.stat().st_mtime if stamp is None else stamp / 1e9


def remedy(pipeline: str) -> str:
    """What to do when a snapshot is damaged."""
    return f"`perennial run {pipeline} --reread` reads the source from its beginning into a new snapshot."


def _seal(path: Path) -> Seal:
    return Seal.model_validate(json.loads((path.parent / MANIFEST).read_bytes())[path.name])


def _size_fault(path: Path) -> str:
    try:
        size = path.stat().st_size
        expected = _seal(path).bytes
    except FileNotFoundError as error:
        return "is missing" if error.filename == str(path) else "has lost its manifest"
    except (ValueError, KeyError):
        return "has a damaged manifest"
    return "" if size == expected else f"has {size:,} bytes; {expected:,} were written"
