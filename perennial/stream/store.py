"""The store of answered live texts: each text once, whatever is killed when.

Rows go into a Parquet part; then one transaction of the journal lets the part count, with the position that the source
was read to and the ids of the rows. Killed before it, the part is a stray that the next monitor removes, and the source
is read again from where it was; killed after it, nothing is to be done. A text whose id is known is dropped.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Self

from perennial.core import progress
from perennial.core.errors import OverlapError, StoreError
from perennial.core.home import Home
from perennial.core.store import clear_disk_errors
from perennial.stream import parts
from perennial.stream.journal import NAME, Journal, StoredPart
from perennial.stream.live_text import stored_schema

if TYPE_CHECKING:
    import pyarrow as pa

FOLDER, PARTS, LOCK = "stream", "parts", "monitor.lock"
STEP = "store live texts"
BATCH_ROWS = 20_000
BATCH_BYTES = 64_000_000
"""From which on fewer rows are given at a time."""
SMALL_ROWS = 100_000
"""Of a part that others are joined to."""
MOST_SMALL = 32
"""Small parts one after the other, from which on they are joined: runs of some texts each would make thousands."""
READERS_SECONDS = 3600
"""How long who began to read may go on with parts that were joined or erased meanwhile."""
LATE_DAYS = 1.0
"""How much longer than asked a text may be kept, so that a part is not written anew at each run for a few of them."""
MOST_LOOKS = 2000
"""Runs of the monitor that are remembered: three weeks of one every quarter of an hour."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class StreamStore:
    """The stored texts of one pipeline. Many processes may read at once; one monitor writes."""

    def __init__(self, folder: Path, pipeline: str) -> None:
        from filelock import FileLock

        self._pipeline, self._folder, self._parts = pipeline, folder, folder / PARTS
        if not (folder / NAME).exists() and any(self._parts.glob(f"*{parts.SUFFIX}")):
            raise StoreError(
                f"{folder} holds stored texts, but {NAME}, which knows which of them count, is gone.",
                remedy="Bring the folder back from a backup, all of it, or move it away: texts are then read from the "
                "source anew.",
            )
        with clear_disk_errors(folder, STEP):
            self._parts.mkdir(parents=True, exist_ok=True)
        self._journal = Journal(folder)
        # Whichever thread of this process commits.
        self._lock = FileLock(folder / LOCK, thread_local=False)

    @classmethod
    def open(cls, home: Home, pipeline: str) -> StreamStore:
        """The store of `pipeline` in `home`, made where there is none. Raises StoreError when it can't be used."""
        return cls(home.state(pipeline) / FOLDER, pipeline)

    def close(self) -> None:
        """Let go of its files."""
        self._journal.close()

    @property
    def folder(self) -> Path:
        """Where its files are."""
        return self._folder

    @contextmanager
    def alone(self) -> Iterator[Self]:
        """A block in which no other monitor of the pipeline is at work; it ends with this process, however that ends.

        What a killed one left is removed first. Raises OverlapError when another process is in such a block.
        """
        from filelock import Timeout

        first = not self._lock.is_locked
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise OverlapError(
                f"Another `perennial monitor` of {self._pipeline} is at work on {self._folder.parent.parent.parent}.",
                remedy="Wait until it has ended: it reads all that is new.",
            ) from None
        try:
            if first:
                self._clear_away()
            yield self
        finally:
            self._lock.release()

    def position(self) -> str | None:
        """How far the source was read, as its reader says it; None: nothing was."""
        return self._journal.position()

    def count(self) -> int:
        """How many texts are stored."""
        return sum(part.rows for part in self._journal.parts())

    def newest_read(self) -> datetime | None:
        """When the newest text was read; None: there is none."""
        newest = self._journal.newest_read()
        return None if newest is None else _EPOCH + timedelta(microseconds=newest)

    def left_out(self) -> dict[str, int]:
        """How many texts of the source were left out in all, by the sentence that says why."""
        return self._journal.left_out()

    def unknown(self, ids: Sequence[str]) -> list[int]:
        """The places in `ids` of those that were never stored, in order; of one that is there twice, the first."""
        return self._journal.unknown(ids)

    def commit(self, rows: pa.Table, position: str | None, left_out: Mapping[str, int]) -> int:
        """Store `rows` (`stored_schema`) and that the source was read to `position` (None: as far as before), at once.

        Rows with an id that was ever stored are dropped, also where the row was erased since. `left_out`: as a reader
        gives it. Returns how many rows were added; all is on the disk by then. Raises StoreError, OverlapError.
        """
        if rows.schema != stored_schema():
            raise ValueError(f"expected the columns of stored_schema(), got {rows.schema}")
        with self.alone():
            fresh = _rows_at(rows, self._journal.unknown(rows.column("id").to_pylist()))
            part = None
            if fresh.num_rows:
                with clear_disk_errors(self._folder, STEP):
                    part = parts.write_part(self._parts, self._journal.next_number(), [fresh])
            self._journal.commit(part, fresh.column("id").to_pylist(), position, left_out)
        return int(fresh.num_rows)

    def tables(
        self,
        columns: Sequence[str] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        batch_rows: int = BATCH_ROWS,
    ) -> Iterator[pa.Table]:
        """The stored texts, in the order in which they were read, about `batch_rows` at a time (twice that at most).

        `columns`: only these, in this order. `since`, `until`: only those read from then on, and before. What is stored
        meanwhile is not among them. Raises StoreError when a part is missing or damaged.
        """
        import pyarrow as pa

        waiting: list[pa.Table] = []
        for table in self._filtered(columns, since, until, batch_rows):
            waiting.append(table)
            if sum(one.num_rows for one in waiting) >= batch_rows or sum(one.nbytes for one in waiting) > BATCH_BYTES:
                yield pa.concat_tables(waiting)
                waiting = []
        if waiting:
            yield pa.concat_tables(waiting)

    def _filtered(
        self, columns: Sequence[str] | None, since: datetime | None, until: datetime | None, batch_rows: int
    ) -> Iterator[pa.Table]:
        import pyarrow as pa
        import pyarrow.compute as pc

        low, high = (None if one is None else _microseconds(one) for one in (since, until))
        wanted = list(stored_schema().names if columns is None else columns)
        for part in self._journal.parts():
            if (low is not None and part.last_read < low) or (high is not None and part.first_read >= high):
                continue
            for table in parts.rows_of_part(self._parts, part, list(dict.fromkeys([*wanted, "read"])), batch_rows):
                times = pc.cast(table.column("read"), pa.int64())
                if low is not None and part.first_read < low:
                    table, times = (one.filter(pc.greater_equal(times, low)) for one in (table, times))
                if high is not None and part.last_read >= high:
                    table = table.filter(pc.less(times, high))
                if table.num_rows:
                    yield table.select(wanted)

    def tend(self, keep_days: float, now: datetime) -> int:
        """Erase texts that were read more than `keep_days` ago, and join small parts. Returns how many were erased.

        A text may stay a day longer than that. Its id stays known, so that it is not read again. Raises StoreError,
        OverlapError.
        """
        with self.alone(), clear_disk_errors(self._folder, STEP):
            erased = self._erase(_microseconds(now - timedelta(days=keep_days)))
            self._join_small()
            self._clear_away()
        return erased

    def erase(self, ids: Collection[str], names: Mapping[str, str]) -> int:
        """Erase the texts with these ids, and give them, where stories are called by them, the names of `names`.

        Their files are gone when this returns: who reads them meanwhile has to begin anew. The ids stay known, as
        digests. Returns how many texts were erased. Raises StoreError, OverlapError.
        """
        with self.alone(), clear_disk_errors(self._folder, STEP):
            old, new, erased = [], [], 0
            for part in self._journal.parts():
                looked = [_looked(table, ids, names) for table in self._names(part)]
                if not any(differs for _, differs in looked):
                    continue
                left = (_without(table, ids, names) for table in parts.rows_of_part(self._parts, part))
                gone = sum(count for count, _ in looked)
                old.append(part)
                if gone < part.rows:
                    new.append(parts.write_part(self._parts, part.number, (one for one in left if one.num_rows)))
                erased += gone
            self._journal.replace(old, new, 0)
            self._clear_away()
        return erased

    def note_look(self, look: str) -> None:
        """Remember what a run of the monitor came to, as JSON."""
        self._journal.note_look(look, MOST_LOOKS)

    def looks(self, most: int = 20) -> list[str]:
        """What the newest runs of the monitor came to, as they were remembered, the newest first."""
        return self._journal.looks(most)

    def _names(self, part: StoredPart) -> Iterator[pa.Table]:
        return parts.rows_of_part(self._parts, part, ["id", "story"])

    def _erase(self, cutoff: int) -> int:
        late = int(LATE_DAYS * 86_400_000_000)
        all_parts = self._journal.parts()
        gone = [part for part in all_parts if part.last_read < cutoff]
        mixed = [part for part in all_parts if part.first_read < cutoff - late and part.last_read >= cutoff]
        if not gone and not mixed:
            return 0
        kept = [parts.write_part(self._parts, part.number, self._read_since(part, cutoff)) for part in mixed]
        old = [*gone, *mixed]
        self._journal.replace(old, kept, time.time())
        return sum(part.rows for part in old) - sum(part.rows for part in kept)

    def _read_since(self, part: StoredPart, cutoff: int) -> Iterator[pa.Table]:
        import pyarrow as pa
        import pyarrow.compute as pc

        for table in parts.rows_of_part(self._parts, part):
            left = table.filter(pc.greater_equal(pc.cast(table.column("read"), pa.int64()), cutoff))
            if left.num_rows:
                yield left

    def _join_small(self) -> None:
        run: list[StoredPart] = []
        for part in [*self._journal.parts(), None]:
            if part is not None and part.rows < SMALL_ROWS and sum(one.rows for one in run) < SMALL_ROWS:
                run.append(part)
                continue
            self._join(run)
            run = [part] if part is not None and part.rows < SMALL_ROWS else []

    def _join(self, run: Sequence[StoredPart]) -> None:
        whole = sum(part.rows for part in run) >= SMALL_ROWS
        if len(run) < 2 or (len(run) < MOST_SMALL and not whole):
            return
        tables = (table for part in run for table in parts.rows_of_part(self._parts, part))
        joined = parts.write_part(self._parts, run[0].number, tables)
        self._journal.replace(run, [joined], time.time())

    def _clear_away(self) -> None:
        """Remove the files of parts that count no more, once nobody can be reading them, and what never counted."""
        with clear_disk_errors(self._folder, STEP):
            replaced = self._journal.replaced_since()
            over = [name for name, since in replaced.items() if not 0 <= time.time() - since < READERS_SECONDS]
            for name in over:
                (self._parts / name).unlink(missing_ok=True)
            self._journal.forget_replaced(over)
            counted = {part.name for part in self._journal.parts()} | (set(replaced) - set(over))
            strays = parts.remove_strays(self._parts, counted)
        if strays:
            progress.note(
                f"{strays:,} unfinished file{'s' * (strays > 1)} of a monitor that was killed removed; its texts are "
                "read again."
            )


def _rows_at(rows: pa.Table, places: Sequence[int]) -> pa.Table:
    import pyarrow as pa

    return rows if len(places) == rows.num_rows else rows.take(pa.array(places, pa.int64()))


def _looked(table: pa.Table, ids: Collection[str], names: Mapping[str, str]) -> tuple[int, bool]:
    """How many texts of `table` have one of `ids`, and whether any, or any of a story in `names`, is there."""
    gone = sum(one in ids for one in table.column("id").to_pylist())
    return gone, gone > 0 or any(story in names for story in table.column("story").to_pylist())


def _without(table: pa.Table, ids: Collection[str], names: Mapping[str, str]) -> pa.Table:
    """`table` without the texts with these ids, stories called as `names` has it."""
    import pyarrow as pa

    kept = pa.array([one not in ids for one in table.column("id").to_pylist()], pa.bool_())
    column = table.schema.get_field_index("story")
    called = pa.array([names.get(story, story) for story in table.column("story").to_pylist()], pa.string())
    return table.set_column(column, table.schema.field(column), called).filter(kept)


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)
