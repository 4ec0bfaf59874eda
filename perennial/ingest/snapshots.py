"""Snapshots: all labelled rows known so far, as a list of immutable parts to which each run appends what is new."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError as RecordMismatch

from perennial.core import digest, progress
from perennial.core.errors import SourceError, StoreError
from perennial.core.home import Home
from perennial.core.record import Record
from perennial.core.store import clear_disk_errors, write_atomically
from perennial.ingest import canonical_rows, deletions, parts, retirements, row_index, sources
from perennial.ingest.row_index import RowChanges
from perennial.ingest.staging import Spool
from perennial.records.data import Part, Retirement, Snapshot
from perennial.rows import batch, columns
from perennial.settings.data import FileSource
from perennial.settings.pipeline import PipelineSpec

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

FORMAT = 1
"""Raised when canonical rows or their ids change, so that old parts are not mixed with new ones."""
_LATER = {"deleted"}
READ = ".read.json"
INDEX = ".rows.duckdb"


class PieceState(Record):
    """What was read of a piece of the source."""

    stamp: str | None
    contents: str | None
    watermark: datetime | None
    """The newest time among its rows."""


class Head(Record):
    """The newest snapshot, with how far each piece of the source was read."""

    snapshot: Snapshot
    pieces: dict[str, PieceState]


def ingest(spec: PipelineSpec, home: Home, *, reread: bool = False) -> Snapshot:
    """Read what is new in the pipeline's source and append it as parts; memory does not grow with the source.

    A piece of the source (a file) that did not change is not opened. Of one that changed, rows are taken whose row id
    is unseen and, with a time column, which are not older than the newest read from it before. With an id column, a
    newer row takes the place of an older one with the same id, or, with a column that says so, deletes it. `reread`:
    start a new snapshot from the source's beginning. Nothing is recorded unless all of it could be read, and the next
    run starts from it only when it is accepted: rows that did not pass validation are read again once they are mended.

    Raises SourceError when the source can't be read or holds no row, StoreError when a part of the history is damaged
    or the disk is full.
    """
    head = None if reread else _head(spec, home)
    if head:
        parts.check_sizes(head.snapshot, home.store)
    with clear_disk_errors(home.root, "ingest"):
        with closing(Spool(home.root / "tmp", canonical_rows.part_schema(spec))) as spool:
            reading = _Reading(spec, head)
            reading.fill(spool)
            added, retired = reading.append(spool, home)
        made = Head(snapshot=reading.snapshot(added, retired), pieces=reading.states)
        write_atomically(_read_path(spec, home), made.model_dump_json(indent=1) + "\n")
    return made.snapshot


def accept(spec: PipelineSpec, snapshot: Snapshot, home: Home) -> None:
    """Make `snapshot`, which `ingest` gave and validation passed, what the next run starts from."""
    read = _read_path(spec, home)
    try:
        made = Head.model_validate_json(read.read_bytes())
    except (FileNotFoundError, RecordMismatch):
        return
    if made.snapshot.digest == snapshot.digest:
        read.replace(_head_path(spec, home))


def every_head(home: Home) -> list[Snapshot]:
    """The newest snapshot of every pipeline on `home`, under each of the settings it was read with.

    Raises StoreError when the record of one is damaged.
    """
    paths = sorted(path for path in home.state("").glob("*/snapshot-*.json") if not path.name.endswith(READ))
    heads = (_read_head(path, path.parent.name) for path in paths)
    return [head.snapshot for head in heads if head]


class _Reading:
    """One run over the source: what it found in each piece, and what became of the rows."""

    def __init__(self, spec: PipelineSpec, head: Head | None) -> None:
        self._spec = spec
        self._before = head.snapshot if head else None
        self.states = dict(head.pieces) if head else {}
        self._floors: list[tuple[str, datetime | None]] = []
        """Piece and its watermark before this run, by batch of the spool."""
        self._read = 0
        """Rows, those included that say that they are deleted."""
        self._late: Counter[str] = Counter()
        self._newest = datetime.fromisoformat(head.snapshot.watermark) if head and head.snapshot.watermark else None

    def fill(self, spool: Spool) -> None:
        """Read every piece that may hold something new into `spool`."""
        pieces = sources.pieces(self._spec, self.states)
        for piece in pieces:
            self._fill(piece, spool)
        if not self._read and self._before is None:
            raise SourceError(
                f"The source of pipeline '{self._spec.name}' holds no row: {_seen(self._spec, pieces)}.",
                remedy="Look whether data.source in pipeline.yaml names the right data.",
            )
        if self._before and not pieces:
            progress.note("No file of the source is there any more; the rows read from them before are used.")

    def append(self, spool: Spool, home: Home) -> tuple[tuple[Part, ...], Retirement | None]:
        """Write those rows of `spool` that are new or corrected as parts, and which older rows count no more."""
        if not self._read:
            return (), None
        before = self._before
        if before:
            parts.check_digests(before, home.store)
        path = _head_path(self._spec, home).with_suffix(INDEX)
        with row_index.compared(spool, before, self._spec, home.store, path, home.root / "tmp") as outcome:
            retired = retirements.write_retirement(outcome.retired(), len(before.parts) if before else 0, home.store)
            with closing(self._chosen(spool, outcome)) as batches:
                added = parts.write_parts(batches, canonical_rows.part_schema(self._spec), home.store)
        for name, late in self._late.items():
            progress.note(_late_note(self._spec, name, late))
        return added, retired

    def snapshot(self, added: tuple[Part, ...], retirement: Retirement | None) -> Snapshot:
        """The snapshot after this run."""
        every = (*(self._before.parts if self._before else ()), *added)
        retired = (*(self._before.retired if self._before else ()), *([retirement] if retirement else ()))
        gone, deleted = (retirements.rows_gone([retirement]), retirement.deleted) if retirement else (0, 0)
        written, late = sum(part.rows for part in added), self._late.total()
        return Snapshot(
            pipeline=self._spec.name,
            digest=retirements.digest_of([part.sha256 for part in every], retired),
            parts=every,
            retired=retired,
            rows=sum(part.rows for part in every) - retirements.rows_gone(retired),
            new_rows=written - (gone - deleted),
            corrected_rows=gone - deleted,
            deleted_rows=deleted,
            repeated_rows=self._read - written - deleted - late,
            late_rows=late,
            watermark=self._newest.isoformat() if self._newest else None,
        )

    def _fill(self, piece: sources.Piece, spool: Spool) -> None:
        state = self.states.get(piece.name)
        if state and piece.stamp is not None and piece.stamp == state.stamp:
            return
        contents = piece.contents() if piece.contents else None
        watermark = floor = state.watermark if state else None
        if not (state and contents is not None and contents == state.contents):
            for batch in piece.read(floor):
                if batch.places:
                    watermark = _newer(watermark, self._take(batch, spool))
                    self._floors.append((piece.name, floor))
        self.states[piece.name] = PieceState(stamp=piece.stamp, contents=contents, watermark=watermark)

    def _take(self, batch: batch.Batch, spool: Spool) -> pa.Array:
        """Put the rows of `batch` into `spool`; their times."""
        import pyarrow as pa

        gone, first, size = [False] * len(batch.places), self._read, len(batch.places)
        self._read += size
        if self._spec.data.columns.deleted is not None:
            gone = deletions.said(batch, self._spec.data.columns.deleted)
        if not any(gone):
            return self._take_rows(batch, pa.array(range(first, first + size), pa.int64()), spool)
        there, out = ([row for row, is_gone in enumerate(gone) if is_gone == wanted] for wanted in (False, True))
        times = self._take_rows(deletions.chosen(batch, there), pa.array([first + row for row in there]), spool)
        ids, moments = canonical_rows.gone(deletions.chosen(batch, out), self._spec)
        places = pa.array([first + row for row in out])
        spool.say(row_index.said_of_deletions(ids, moments, places, batch.file))
        return pa.concat_arrays([times, moments])

    def _take_rows(self, batch: batch.Batch, places: pa.Array, spool: Spool) -> pa.Array:
        canonical = canonical_rows.canonical_rows(batch, self._spec)
        if self._spec.data.columns.id is not None:
            spool.say(row_index.said_of_rows(canonical, places, spool.rows, self._spec))
        spool.add(canonical)
        return canonical.column(columns.TIME)

    def _chosen(self, spool: Spool, outcome: RowChanges) -> Generator[pa.RecordBatch, None, None]:
        with closing(outcome.chosen()) as chosen, closing(spool.taken(chosen)) as taken:
            for number, batch, earlier in taken:
                here = self._without_late(*self._floors[number], batch, earlier)
                self._newest = _newer(self._newest, here.column(columns.TIME))
                if here.num_rows:
                    yield here

    def _without_late(
        self, name: str, floor: datetime | None, batch: pa.RecordBatch, is_known: np.ndarray
    ) -> pa.RecordBatch:
        """The rows of `batch` but those of unseen ids that are older than what was read of the piece before."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if floor is None:
            return batch
        kept = batch.filter(pc.or_(pc.greater_equal(batch.column(columns.TIME), floor), pa.array(is_known)))
        if late := batch.num_rows - kept.num_rows:
            self._late[name] += late
        return kept


def _newer(newest: datetime | None, times: pa.Array) -> datetime | None:
    import pyarrow.compute as pc

    top = pc.max(times).cast("int64").as_py()
    if top is None:
        return newest
    here = canonical_rows.from_micros(top)
    return here if newest is None else max(newest, here)


def _late_note(spec: PipelineSpec, name: str, late: int) -> str:
    what = f"{late:,} unseen rows of {name} are older than the newest already read from it and were left out. "
    if isinstance(spec.data.source, FileSource):
        return what + "Putting them in a new file takes them in."
    return what + f"`perennial run {spec.name} --reread` takes them in."


def _seen(spec: PipelineSpec, pieces: list[sources.Piece]) -> str:
    if isinstance(spec.data.source, FileSource):
        many = f" and {len(pieces) - 1:,} more files have" if len(pieces) > 1 else " has"
        return f"{pieces[0].name}{many} nothing in it, or nothing but a header"
    return f"{pieces[0].name} gave nothing"


def _head_path(spec: PipelineSpec, home: Home) -> Path:
    data = spec.data
    # What is not set is left out, or a column that a newer Perennial knows would start every snapshot anew.
    named = {name: value for name, value in data.columns.model_dump(mode="json").items() if name not in _LATER or value}
    settings = digest.of_values(format=FORMAT, source=data.source, columns=named, kind=spec.kind, splits=data.splits)
    return home.state(spec.name) / f"snapshot-{settings[:12]}.json"


def _read_path(spec: PipelineSpec, home: Home) -> Path:
    """Where what was read waits until it is accepted."""
    return _head_path(spec, home).with_suffix(READ)


def _head(spec: PipelineSpec, home: Home) -> Head | None:
    return _read_head(_head_path(spec, home), spec.name)


def _read_head(path: Path, pipeline: str) -> Head | None:
    try:
        return Head.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(
            f"The record of what was read so far, {path}, can't be read: {error.strerror}. The champion is untouched.",
            remedy="Give yourself the right to read it, or set PERENNIAL_HOME to another folder.",
        ) from error
    except RecordMismatch as error:
        raise StoreError(
            f"The record of what was read so far, {path}, is damaged. The champion is untouched.",
            remedy=parts.remedy(pipeline),
        ) from error
