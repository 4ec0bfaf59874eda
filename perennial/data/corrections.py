"""Corrections: what people said of rows after looking at them. The rows as they were read stay; the label is replaced
where they are validated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perennial import kinds, progress
from perennial.artifacts import Snapshot
from perennial.data import quarantine
from perennial.data.columns import ROW_ID
from perennial.errors import SourceError, listing
from perennial.spec import PipelineSpec
from perennial.store import Store

if TYPE_CHECKING:
    import pyarrow as pa

LABEL = "label"
DROP = "drop"
"""Instead of a label: the row is taken out. Where a label has that name, it is the label."""
DELIMITERS = (",", ";", "\t")
"""As spreadsheets write them, each in its own language."""
SCRATCH = "corrected.parquet"
MAX_FAULTS = 10

Changes = Mapping[str, Any]
"""By row id the right value of the target column; None: the row is taken out."""


def read(spec: PipelineSpec) -> dict[str, Any]:
    """What the files in data.corrections say, the later of two corrections of a row; a blank label says nothing.

    Raises SourceError, naming file and line, for a file that can't be read and for what is no label.
    """
    changes: dict[str, Any] = {}
    faults: list[str] = []
    for name in spec.data.corrections:
        for place, row_id, words in _rows(spec, name):
            try:
                changes.pop(row_id, None)
                changes[row_id] = _meaning(spec, words)
            except ValueError as error:
                faults.append(f"{place}: {error}")
    if faults:
        raise SourceError(
            f"data.corrections say what can't be: {listing(faults, MAX_FAULTS)}.",
            remedy=f"Write one of data.labels, `{DROP}` to take the row out, or nothing to leave it as it is.",
        )
    return changes


def by_part(spec: PipelineSpec, snapshot: Snapshot, store: Store) -> list[dict[str, Any]]:
    """The corrections of each part's own rows, in the order of the parts; how many there are is told.

    Raises SourceError as `read` does.
    """
    changes = read(spec)
    if not changes:
        return [{} for _ in snapshot.parts]
    ids = sorted(changes)
    own = [{row_id: changes[row_id] for row_id in _there(store.root / part.path, ids)} for part in snapshot.parts]
    # A row that was replaced by one with the same id is in two parts.
    there = {row_id for part in own for row_id in part}
    known, out = len(there), sum(changes[row_id] is None for row_id in there)
    told = f"Corrections: {known - out:,} rows have another label, {out:,} are taken out"
    if unknown := len(changes) - known:
        told += f"; {unknown:,} row ids are of no row that was read (one of them is {_unknown(changes, own)!r})"
    progress.note(f"{told}.")
    return own


def dropped(changes: Changes) -> int:
    """How many rows they take out."""
    return sum(value is None for value in changes.values())


@contextmanager
def applied(source: Path, changes: Changes, target: str, folder: Path) -> Iterator[Path]:
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

    given = rows[target].combine_chunks()
    said = pa.array(list(changes.values()), given.type)
    which = pc.index_in(rows[ROW_ID].combine_chunks(), value_set=pa.array(list(changes), pa.string()))
    # Of what is given and then what was said, each row takes one.
    place = pc.coalesce(pc.add(which.cast(pa.int64()), len(given)), pa.array(range(len(given)), pa.int64()))
    mended = rows.set_column(rows.column_names.index(target), target, pa.concat_arrays([given, said]).take(place))
    out = pa.array([row_id for row_id, value in changes.items() if value is None], pa.string())
    return mended.filter(pc.invert(pc.is_in(rows[ROW_ID], value_set=out)))


def _meaning(spec: PipelineSpec, words: str) -> Any:
    if words == DROP and DROP not in spec.data.labels:
        return None
    return kinds.get(spec.kind).target_of_words(words, spec.data.labels)


def _rows(spec: PipelineSpec, name: str) -> Iterator[tuple[str, str, str]]:
    """Place, row id and label of each row that has both."""
    from perennial.data.sources import file

    path = spec.folder / name
    if not path.is_file():
        raise SourceError(
            f"data.corrections names {name}, and there is no file {path}.",
            remedy=f"`perennial review {spec.name} --out {path}` writes one to correct; or take it out there.",
        )
    for batch in file.read(path, None, _delimiter(next(iter(file.lines_of(path)), ""))):
        if missing := [column for column in (ROW_ID, LABEL) if column not in batch.columns]:
            raise SourceError(
                f"{path} has no column {listing(map(repr, missing))}; {ROW_ID} and {LABEL} are needed.",
                remedy=f"`perennial review {spec.name}` writes a file that has both.",
            )
        cells = zip(batch.columns[ROW_ID], batch.columns[LABEL], strict=True)
        for number, (row_id, words) in enumerate(cells):
            if row_id is not None and words is not None and str(words).strip():
                yield batch.place(number), quarantine.unsafe(str(row_id)), quarantine.unsafe(str(words).strip())


def _delimiter(header: str) -> str:
    return max(DELIMITERS, key=header.count)


def _there(path: Path, ids: Sequence[str]) -> list[str]:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    wanted, found = pa.array(ids, pa.string()), []
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(columns=[ROW_ID]):
            column = batch.column(0)
            found += column.filter(pc.is_in(column, value_set=wanted)).to_pylist()
    return sorted(found)


def _unknown(changes: Changes, own: Sequence[Changes]) -> str:
    known = {row_id for part in own for row_id in part}
    return next(row_id for row_id in changes if row_id not in known)
