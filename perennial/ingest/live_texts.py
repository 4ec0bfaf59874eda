"""Texts of a live source are kept for drift alone, so not for ever: parts that are too old are emptied.

An emptied part has the rows it had, without a text: by their hashes a live file that grew, and is read from its start
again, does not bring them back.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field, ValidationError

from perennial.core import progress
from perennial.core.home import Home
from perennial.core.record import Record
from perennial.core.store import Store, write_atomically
from perennial.ingest import parts, retirements, snapshot_heads
from perennial.records.data import Part, Snapshot
from perennial.rows.columns import FILE, LINE, ROW_ID, SPLIT, TEXT_KEY, TIME

if TYPE_CHECKING:
    import pyarrow as pa

LIVE = "live.json"
BATCH_ROWS = 20_000
DAY = 86400.0
_STAYS = (ROW_ID, SPLIT, TIME, FILE, LINE)


class LiveHead(Record):
    """A snapshot of live texts."""

    keep_days: float
    emptied: tuple[str, ...] = ()
    """sha256 of the parts in which no text is left."""


class LiveHeads(Record):
    """Which snapshots of a pipeline hold live texts, by the name of their head's file, and for how long."""

    heads: dict[str, LiveHead] = Field(default={})


def keep_for(head: Path, keep_days: float) -> None:
    """The texts of the snapshot at `head` are live, and are kept for `keep_days` days."""
    before = _live_heads(head.parent)
    live = before.heads.get(head.name, LiveHead(keep_days=keep_days))
    after = before.model_copy(
        update={"heads": {**before.heads, head.name: live.model_copy(update={"keep_days": keep_days})}}
    )
    if after != before:
        _write(head.parent, after)


def is_live(head: Path) -> bool:
    """Whether the snapshot at `head` holds live texts."""
    return head.name in _live_heads(head.parent).heads


def emptied_rows(head: Path, snapshot: Snapshot) -> int:
    """How many of the first rows of the snapshot at `head` have no text any more."""
    live = _live_heads(head.parent).heads.get(head.name)
    rows = 0
    for part in snapshot.parts:
        if live is None or part.sha256 not in live.emptied:
            break
        rows += part.rows
    return rows


def empty_old(home: Home, pipeline: str, *, dry_run: bool = False) -> int:
    """Empty the live texts of a pipeline (`*`: of all) that are older than they are kept; how many rows that were.

    What held them is nobody's then, and goes with the next `perennial gc`. Nobody else may be reading the pipeline's
    live source. Raises StoreError when the head of a snapshot is damaged.
    """
    rows = 0
    for path, head in snapshot_heads.heads_in(home, pipeline).items():
        state = _live_heads(path.parent)
        live = state.heads.get(path.name)
        old = _old(head.snapshot, live, home.store) if live else []
        rows += sum(part.rows for part in old)
        if dry_run or live is None or not old:
            continue
        instead = {part.sha256: _emptied(part, home.store) for part in old}
        # First this: a part that is named here and still has its texts is emptied by the next.
        emptied = dict.fromkeys((*live.emptied, *(part.sha256 for part in instead.values())))
        after = live.model_copy(update={"emptied": tuple(emptied)})
        _write(path.parent, state.model_copy(update={"heads": {**state.heads, path.name: after}}))
        _write_head(path, head, [instead.get(part.sha256, part) for part in head.snapshot.parts])
        progress.note(
            f"{sum(part.rows for part in old):,} live texts of {path.parent.name} were read more than "
            f"{live.keep_days:g} days ago (triggers.keep_days), and are kept no longer."
        )
    return rows


def _old(snapshot: Snapshot, live: LiveHead, store: Store) -> list[Part]:
    """The first parts, as far as they are too old and have texts."""
    least = time.time() - live.keep_days * DAY
    old: list[Part] = []
    for part in snapshot.parts:
        if part.sha256 in live.emptied:
            continue
        written = parts.written_at(store.root / part.path)
        if written is None or written >= least:
            break
        old.append(part)
    return old


def _emptied(part: Part, store: Store) -> Part:
    """The part with its rows, and nothing of what they say."""
    (emptied,) = parts.write_parts(_without_texts(store.root / part.path), store)
    return emptied


def _without_texts(path: Path) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(BATCH_ROWS):
            schema, count = batch.schema, batch.num_rows
            columns = [
                batch.column(name)
                if name in _STAYS
                else pa.repeat("", count)
                if name == TEXT_KEY
                else pa.nulls(count, schema.field(name).type)
                for name in schema.names
            ]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)


def _write_head(path: Path, head: snapshot_heads.Head, every: Sequence[Part]) -> None:
    snapshot = head.snapshot
    digest = retirements.digest_of_parts([part.sha256 for part in every], snapshot.retired)
    after = snapshot.model_copy(update={"parts": tuple(every), "digest": digest})
    write_atomically(path, head.model_copy(update={"snapshot": after}).model_dump_json(indent=1) + "\n")


def _live_heads(folder: Path) -> LiveHeads:
    try:
        return LiveHeads.model_validate_json((folder / LIVE).read_bytes())
    except (OSError, ValidationError):
        return LiveHeads()  # the next look at the live source says it anew


def _write(folder: Path, heads: LiveHeads) -> None:
    write_atomically(folder / LIVE, heads.model_dump_json(indent=1) + "\n")
