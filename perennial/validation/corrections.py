"""Corrections: what people said of rows after looking at them. The rows as they were read stay; the label is replaced
where they are validated."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perennial import kinds
from perennial.core import progress
from perennial.core.errors import SourceError, listing
from perennial.core.store import Store
from perennial.ingest import row_ids
from perennial.records.data import Snapshot
from perennial.rows import spreadsheet
from perennial.rows.columns import ROW_ID
from perennial.settings.pipeline import PipelineSpec

if TYPE_CHECKING:
    import pyarrow as pa

LABEL = "label"
DROP = "drop"
"""Instead of a label: the row is taken out. Where a label has that name, it is the label."""
SCRATCH = "corrected.parquet"
MAX_FAULTS = 10
LEAVE_TEXT = "`perennial review` shows each row's text with its spans marked; only the marks are to be changed."

CONTENT_ID = re.compile(r"[0-9a-f]{32}")
"""How a row without an id of its own is called: the hash of its columns."""

Changes = Mapping[str, Any]
"""By row id the right value of the target column; None: the row is taken out."""


@dataclass(frozen=True)
class _Correction:
    """What a file says of a row."""

    where: str
    """File and line, in words."""
    words: str
    value: Any
    file: str
    """As data.corrections names it."""


@dataclass(frozen=True)
class Corrections:
    """The corrections of a snapshot's rows."""

    by_part: Sequence[Changes]
    """Those of each part's own rows, in the order of the parts."""
    unknown: tuple[str, ...] = ()
    """Row ids of no row that was read."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know, in words."""
        if not self.unknown:
            return ()
        are = "is of a row" if len(self.unknown) == 1 else "are of rows"
        return (
            f"{len(self.unknown):,} of the row ids in data.corrections {are} that was never read, so nothing was "
            f"corrected there: {listing(self.unknown, 3)}",
        )


def read_corrections(spec: PipelineSpec) -> dict[str, Any]:
    """What the files in data.corrections say, the later of two corrections of a row; a blank label says nothing.

    Raises SourceError, naming file and line, for a file that can't be read and for what is no label.
    """
    return {row_id: correction.value for row_id, correction in _given_corrections(spec).items()}


def corrections_of(spec: PipelineSpec, snapshot: Snapshot, store: Store) -> Corrections:
    """The corrections of the rows of `snapshot`; how many there are is told.

    Raises SourceError as `read_corrections` does, for a correction that does not fit its row's text, and for a file of
    which most fit no row any more.
    """
    given = _given_corrections(spec)
    if not given:
        return Corrections([{} for _ in snapshot.parts])
    ids = sorted({spelling for row_id in given for spelling in (row_id, row_ids.whole_id(row_id))})
    text = kinds.kind_named(spec.kind).text_columns[0]
    texts_by_part = [_texts_of_rows(store.root / part.path, ids, text) for part in snapshot.parts]
    ids_there = {row_id for rows in texts_by_part for row_id in rows}
    given = {row_id if row_id in ids_there else row_ids.whole_id(row_id): one for row_id, one in given.items()}
    own: list[Changes] = []
    misfits: dict[str, str | None] = {}
    for texts in texts_by_part:
        rows = {row_id: one for row_id, one in texts.items() if row_id in given}
        own.append({row_id: given[row_id].value for row_id in sorted(rows)})
        # A row that was replaced by one with the same id is in two parts, and the later one counts.
        misfits |= {row_id: _misfit(spec, given[row_id], rows[row_id]) for row_id in rows}
    if faults := [fault for fault in misfits.values() if fault]:
        raise SourceError(f"data.corrections do not fit their rows: {listing(faults, MAX_FAULTS)}.", remedy=LEAVE_TEXT)
    _require_rows(given, misfits.keys())
    out = sum(given[row_id].value is None for row_id in misfits)
    progress.note(f"Corrections: {len(misfits) - out:,} rows have another label, {out:,} are taken out.")
    return Corrections(own, tuple(row_id for row_id in given if row_id not in misfits))


def _require_rows(given: Mapping[str, _Correction], fitting: Collection[str]) -> None:
    """Raises SourceError where most of a file's rows that are called by their content are not there.

    One that was deleted is no reason to end a run. All of them at once are: the rows are there under other names, and
    what people mended would come back quietly.
    """
    for name in dict.fromkeys(correction.file for correction in given.values()):
        ids = [one for one, correction in given.items() if correction.file == name and CONTENT_ID.fullmatch(one)]
        lost = [one for one in ids if one not in fitting]
        if 2 * len(lost) > len(ids):
            raise SourceError(
                f"{len(lost):,} of the {len(ids):,} rows that data.corrections names in {name} are not there any more "
                f"({listing(lost, 3)}), so the labels that people mended there would be back. A row without "
                "data.columns.id is called by a hash of its columns: it gets another name when a column is added to or "
                "taken out of data.columns (slices, group, id), or when its cells change.",
                remedy=f"Put data.columns back as they were; or take {name} out of data.corrections, run, and write "
                "its labels into a new `perennial review`, which has the new row ids beside the texts; or take out the "
                "lines of rows that are gone for good. A stable data.columns.id keeps corrections from such changes.",
            )


def dropped_rows(changes: Changes) -> int:
    """How many rows they take out."""
    return sum(value is None for value in changes.values())


@contextmanager
def corrected_part(source: Path, changes: Changes, target: str, folder: Path) -> Iterator[Path]:
    """The Parquet file `source` with `changes` made in its column `target`: a copy in `folder` for the block.

    Without changes it is `source` itself.
    """
    import pyarrow.parquet as pq

    if not changes:
        yield source
        return
    path = folder / SCRATCH
    try:
        pq.write_table(_changed(pq.read_table(source), changes, target), path)
        yield path
    finally:
        path.unlink(missing_ok=True)


def _changed(rows: pa.Table, changes: Changes, target: str) -> pa.Table:
    import pyarrow as pa
    import pyarrow.compute as pc

    targets = rows[target].combine_chunks()
    corrected = pa.array(list(changes.values()), targets.type)
    which = pc.index_in(rows[ROW_ID].combine_chunks(), value_set=pa.array(list(changes), pa.string()))
    # Of what was read and then what is corrected, each row takes one.
    position = pc.coalesce(pc.add(which.cast(pa.int64()), len(targets)), pa.array(range(len(targets)), pa.int64()))
    mended = rows.set_column(
        rows.column_names.index(target), target, pa.concat_arrays([targets, corrected]).take(position)
    )
    out = pa.array([row_id for row_id, value in changes.items() if value is None], pa.string())
    return mended.filter(pc.invert(pc.is_in(rows[ROW_ID], value_set=out)))


def _given_corrections(spec: PipelineSpec) -> dict[str, _Correction]:
    given: dict[str, _Correction] = {}
    faults: list[str] = []
    for name in spec.data.corrections:
        for where, row_id, words in _rows(spec, name):
            try:
                given.pop(row_id, None)
                given[row_id] = _Correction(where, words, _meaning(spec, words), name)
            except ValueError as error:
                faults.append(f"{where}: {error}")
    if faults:
        raise SourceError(
            f"data.corrections say what can't be: {listing(faults, MAX_FAULTS)}.",
            remedy=f"Write one of data.labels, `{DROP}` to take the row out, or nothing to leave it as it is.",
        )
    return given


def _meaning(spec: PipelineSpec, words: str) -> Any:
    if words.casefold() == DROP and DROP not in map(str.casefold, spec.data.labels):
        return None
    return kinds.kind_named(spec.kind).target_of_words(words, spec.data.labels)


def _misfit(spec: PipelineSpec, correction: _Correction, text: str | None) -> str | None:
    if correction.value is None:
        return None
    fault = kinds.kind_named(spec.kind).misfit(correction.words, text)
    return f"{correction.where}: {fault}" if fault else None


def _rows(spec: PipelineSpec, name: str) -> Iterator[tuple[str, str, str]]:
    """Place, row id and label of each row that has both."""
    from perennial.ingest.sources import file

    path = spec.folder / name
    if not path.is_file():
        raise SourceError(
            f"data.corrections names {name}, and there is no file {path}.",
            remedy=f"`perennial review {spec.name} --out {path}` writes one to correct; or take it out there.",
        )
    for batch in file.read(path):
        if missing := [column for column in (ROW_ID, LABEL) if column not in batch.columns]:
            raise SourceError(
                f"{path} has no column {listing(map(repr, missing))}; {ROW_ID} and {LABEL} are needed.",
                remedy=f"`perennial review {spec.name}` writes a file that has both.",
            )
        cells = zip(batch.columns[ROW_ID], batch.columns[LABEL], strict=True)
        for number, (row_id, words) in enumerate(cells):
            if row_id is not None and words is not None and str(words).strip():
                yield (
                    batch.where(number),
                    spreadsheet.unsafe(str(row_id).strip()),
                    spreadsheet.unsafe(str(words).strip()),
                )


def _texts_of_rows(path: Path, ids: Sequence[str], text: str) -> dict[str, str | None]:
    """Those of `ids` that the part in `path` holds, with their texts."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    wanted = pa.array(ids, pa.string())
    texts_by_id: dict[str, str | None] = {}
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(columns=[ROW_ID, text]):
            kept = batch.filter(pc.is_in(batch.column(ROW_ID), value_set=wanted))
            texts_by_id |= dict(zip(kept.column(ROW_ID).to_pylist(), kept.column(text).to_pylist(), strict=True))
    return texts_by_id
