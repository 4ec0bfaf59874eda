"""Snapshots: all labelled rows known so far, as a list of immutable parts to which each run appends what is new."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pydantic import ValidationError as RecordMismatch

from perennial.core import progress
from perennial.core.errors import SourceError
from perennial.core.home import Home
from perennial.core.store import clear_disk_errors, write_atomically
from perennial.ingest import canonical_rows, differing, forgotten, parts, retirements, row_ids, snapshot_heads, sources
from perennial.ingest.known_rows import earlier_splits, older_rows, row_index
from perennial.ingest.known_rows.row_index import RowChanges
from perennial.ingest.set_aside import SetAsideRows
from perennial.ingest.snapshot_heads import Head, PieceState
from perennial.ingest.staging import Origin, StagedRows
from perennial.records.data import Part, Retirement, Snapshot, SourceReading
from perennial.rows.columns import ROW_ID, SPLIT, TIME
from perennial.settings.data import FileSource
from perennial.settings.pipeline import PipelineSpec

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

INDEX = ".rows.duckdb"


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
    path, splits = stored = snapshot_heads.stored_at(spec, home)
    start = (None if reread else snapshot_heads.read_head(path)) or snapshot_heads.first_head(spec.name)
    earlier = snapshot_heads.heads_before(stored) if not start.pieces else []
    parts.check_sizes(start.snapshot, home.store)
    has_ids = spec.data.columns.id is not None
    with clear_disk_errors(home.root, "ingest"):
        start = _with_ids(_without_future(start, datetime.now(UTC) + spec.data.future_tolerance, home), has_ids, home)
        with closing(StagedRows(home.root / "tmp", has_ids=has_ids)) as staged:
            pieces, forgotten_rows = _stage(spec, start, staged, home)
            additions = _append(staged, start, pieces, path, home, [head.snapshot for head in earlier])
        for piece, late in additions.late.items():
            progress.note(
                f"{late:,} unseen rows of {piece.name} are older than the newest already read from it and were left "
                f"out. {piece.late_remedy}"
            )
        readings = tuple(state.reading for state in pieces.values() if state.reading)
        snapshot = _snapshot(start.snapshot, additions, readings).model_copy(update={"forgotten_rows": forgotten_rows})
        after = Head(snapshot=snapshot, pieces=pieces, splits=splits, whole_ids=start.whole_ids)
        write_atomically(path.with_suffix(snapshot_heads.READ), after.model_dump_json(indent=1) + "\n")
    return after.snapshot


def accept(spec: PipelineSpec, snapshot: Snapshot, home: Home) -> None:
    """Make `snapshot`, which `ingest` gave and validation passed, what the next run starts from."""
    path = snapshot_heads.stored_at(spec, home).path
    waiting = path.with_suffix(snapshot_heads.READ)
    try:
        head = Head.model_validate_json(waiting.read_bytes())
    except (FileNotFoundError, RecordMismatch):
        return
    if head.snapshot.digest == snapshot.digest:
        waiting.replace(path)


class _Additions(NamedTuple):
    """What a run adds to the snapshot before it."""

    parts: tuple[Part, ...]
    retirement: Retirement | None
    late: Counter[sources.Piece]
    """Unseen rows that were left out because they are older than what was read of their piece before."""
    newest: datetime | None
    """The newest time among the rows that were added."""
    rows_read: int
    kept_splits: int = 0
    """Rows that are in the split their id had, and not in that of their text."""


def _without_future(start: Head, latest: datetime, home: Home) -> Head:
    """`start`, where an older Perennial took a time after `latest` for the newest one read: without such rows, and with
    nothing of the source read."""
    tops = [state.watermark for state in start.pieces.values() if state.watermark and state.watermark > latest]
    if not tops:
        return start
    snapshot = start.snapshot
    rows, newest = older_rows.rows_after(latest, snapshot, home.store)
    retirement = retirements.write_retirement(rows, len(snapshot.parts), home.store)
    progress.note(
        f"The newest time read so far was {max(tops):%Y-%m-%d %H:%M}Z, which lies in the future: since then newer rows "
        f"were left out. {rows.num_rows:,} rows dated so are taken out, and the source is read from its beginning; "
        "rows that are known count once."
    )
    retired = (*snapshot.retired, *([retirement] if retirement else ()))
    update = {
        "retired": retired,
        "digest": retirements.digest_of_parts([part.sha256 for part in snapshot.parts], retired),
        "rows": snapshot.rows - rows.num_rows,
        "watermark": newest.isoformat() if newest else None,
    }
    nothing = PieceState(stamp=None, contents=None, watermark=None)
    pieces = dict.fromkeys(start.pieces, nothing)
    return start.model_copy(update={"snapshot": snapshot.model_copy(update=update), "pieces": pieces})


def _with_ids(start: Head, has_ids: bool, home: Home) -> Head:
    """`start`, knowing how its ids are spelled."""
    if not has_ids or start.whole_ids is not None:
        return start
    whole = not row_ids.known_as_fractions(start.snapshot, home.store)
    if not whole:
        progress.note(
            "Ids like 17.0 are among the rows read so far, and stay as they are: 17.0 and 17 count as two. Run with "
            "--reread and they are one."
        )
    return start.model_copy(update={"whole_ids": whole})


def _stage(spec: PipelineSpec, start: Head, staged: StagedRows, home: Home) -> tuple[dict[str, PieceState], int]:
    """Read every piece of the source that may hold something new into `staged`; how far each piece is read by then, and
    how many rows were left out as they were forgotten."""
    states, sieve, forgotten_rows = dict(start.pieces), forgotten.sieve_of(home.state(start.snapshot.pipeline)), 0
    pieces = sources.pieces(spec, states)
    for piece in pieces:
        state = states.get(piece.name)
        if state and piece.stamp is not None and piece.stamp == state.stamp:
            continue
        contents = piece.contents() if piece.contents else None
        watermark = floor = state.watermark if state else None
        reading, open_row = (state.reading, state.open_row) if state else (None, None)
        if not (state and contents is not None and contents == state.contents):
            aside, open_row = SetAsideRows(), None
            for batch in piece.read(floor):
                if batch.numbers:
                    canonical = canonical_rows.canonical_batch(batch, spec, aside, whole_ids=start.whole_ids is True)
                    canonical, gone = forgotten.without_forgotten(canonical, sieve)
                    forgotten_rows += gone
                    staged.add(canonical, Origin(piece, None if piece.takes_late else floor))
                    watermark = canonical_rows.newest(watermark, canonical.rows.column(TIME), canonical.deleted_times)
                    if batch.is_open and canonical.rows.num_rows:
                        open_row = canonical.rows.column(ROW_ID)[-1].as_py()
            aside.tell()
            reading = piece.reading() if piece.reading else None
            if piece.differing:
                differing.write(home, spec.name, piece.differing())
        states[piece.name] = PieceState(
            stamp=piece.stamp, contents=contents, watermark=watermark, reading=reading, open_row=open_row
        )
    if forgotten_rows:
        progress.note(f"{forgotten_rows:,} rows of the source were forgotten before (`perennial forget`): set aside.")
    if not staged.rows_read and not forgotten_rows and not start.pieces:
        raise _nothing_read(spec, pieces)
    if not pieces:
        progress.note("No file of the source is there any more; the rows read from them before are used.")
    return states, forgotten_rows


def _append(
    staged: StagedRows,
    start: Head,
    pieces: dict[str, PieceState],
    head_path: Path,
    home: Home,
    earlier: Sequence[Snapshot],
) -> _Additions:
    """Write those of the `staged` rows that are new or corrected as parts, and which older rows count no more.

    `earlier`: snapshots that are not gone on from, whose ids stay in their splits.
    """
    import pyarrow as pa

    before, new_rows = start.snapshot, _NewRows()
    if not staged.rows_read:
        return _Additions((), None, new_rows.late, None, 0)
    parts.check_digests(before, home.store)
    index = head_path.with_suffix(INDEX)
    remembered = earlier_splits.splits_of_ids(earlier, home.store) if earlier else None
    with row_index.row_changes(staged, before, home.store, index, home.root / "tmp", remembered) as changes:
        retired = changes.retired()
        ended = older_rows.rows_named(_ended(start, pieces, staged), before, home.store)
        retired = pa.concat_tables([retired, _unless_in(retired, ended)]) if ended.num_rows else retired
        retirement = retirements.write_retirement(retired, len(before.parts), home.store)
        with closing(new_rows.batches(staged, changes)) as batches:
            added = parts.write_parts(batches, home.store)
    return _Additions(added, retirement, new_rows.late, new_rows.newest, staged.rows_read, new_rows.kept_splits)


def _ended(start: Head, pieces: dict[str, PieceState], staged: StagedRows) -> dict[str, str]:
    """Row ids, with their files, of lines that had no end when they were read, and are other lines now."""
    rows = {
        state.open_row: name
        for name, state in start.pieces.items()
        if state.open_row and state.contents != pieces[name].contents
    }
    return {row_id: rows[row_id] for row_id in staged.without(rows)} if rows else {}


def _unless_in(retired: pa.Table, more: pa.Table) -> pa.Table:
    """Those of `more` whose ids are not among those `retired` already."""
    import pyarrow.compute as pc

    return more.filter(pc.invert(pc.is_in(more[ROW_ID], value_set=retired[ROW_ID].combine_chunks())))


class _NewRows:
    """The staged rows that are added, and what is counted as they pass."""

    def __init__(self) -> None:
        self.late: Counter[sources.Piece] = Counter()
        self.newest: datetime | None = None
        self.kept_splits = 0

    def batches(self, staged: StagedRows, changes: RowChanges) -> Generator[pa.RecordBatch, None, None]:
        """The rows that `changes` chose, less those of unseen ids that are late."""
        with closing(changes.chosen()) as chosen, closing(staged.taken(chosen)) as taken:
            for origin, rows, of_batch in taken:
                in_time = _without_late(self._in_their_splits(rows, of_batch.splits), origin.floor, of_batch.is_known)
                if late := rows.num_rows - in_time.num_rows:
                    self.late[origin.piece] += late
                self.newest = canonical_rows.newest(self.newest, in_time.column(TIME))
                if in_time.num_rows:
                    yield in_time

    def _in_their_splits(self, rows: pa.RecordBatch, splits: np.ndarray) -> pa.RecordBatch:
        """`rows`, each in the split that its id has (None: that of its text)."""
        import pyarrow as pa
        import pyarrow.compute as pc

        by_text, position = rows.column(SPLIT), rows.schema.get_field_index(SPLIT)
        by_id = pc.coalesce(pa.array(splits, pa.string(), from_pandas=True), by_text)
        self.kept_splits += pc.sum(pc.not_equal(by_id, by_text)).as_py() or 0
        return rows.set_column(position, rows.schema.field(position), by_id)


def _without_late(rows: pa.RecordBatch, floor: datetime | None, is_known: np.ndarray) -> pa.RecordBatch:
    """`rows` less those of unseen ids that are older than `floor`, the newest time read of their piece before."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if floor is None:
        return rows
    # A row without a time is for validation to set aside, not for nobody to hear of.
    in_time = pc.fill_null(pc.greater_equal(rows.column(TIME), floor), True)
    return rows.filter(pc.or_(in_time, pa.array(is_known)))


def _snapshot(before: Snapshot, additions: _Additions, readings: tuple[SourceReading, ...]) -> Snapshot:
    """The snapshot after this run."""
    retirement = additions.retirement
    every = (*before.parts, *additions.parts)
    retired = (*before.retired, *([retirement] if retirement else ()))
    gone, deleted = (retirements.retired_rows([retirement]), retirement.deleted) if retirement else (0, 0)
    written, late = sum(part.rows for part in additions.parts), additions.late.total()
    newest = max(filter(None, (additions.newest, _watermark(before))), default=None)
    return Snapshot(
        pipeline=before.pipeline,
        digest=retirements.digest_of_parts([part.sha256 for part in every], retired),
        parts=every,
        retired=retired,
        rows=sum(part.rows for part in every) - retirements.retired_rows(retired),
        new_rows=written - (gone - deleted),
        corrected_rows=gone - deleted,
        kept_splits=additions.kept_splits,
        deleted_rows=deleted,
        repeated_rows=additions.rows_read - written - deleted - late,
        late_rows=late,
        watermark=newest.isoformat() if newest else None,
        readings=readings,
    )


def _watermark(snapshot: Snapshot) -> datetime | None:
    return datetime.fromisoformat(snapshot.watermark) if snapshot.watermark else None


def _nothing_read(spec: PipelineSpec, pieces: list[sources.Piece]) -> SourceError:
    what = f"{pieces[0].name} gave nothing"
    if isinstance(spec.data.source, FileSource):
        many = f" and {len(pieces) - 1:,} more files have" if len(pieces) > 1 else " has"
        what = f"{pieces[0].name}{many} nothing in it, or nothing but a header"
    return SourceError(
        f"The source of pipeline '{spec.name}' holds no row: {what}.",
        remedy="Look whether data.source in pipeline.yaml names the right data.",
    )
