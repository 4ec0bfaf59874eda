"""Snapshots without some rows: parts are never changed, so a part less its forgotten rows is another part.

What takes the place of a snapshot's head names the parts that are left and what was retired of them, as if the rows had
never been read. The old parts are nobody's then.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from perennial.core.errors import StoreError
from perennial.core.store import Store, write_atomically
from perennial.ingest import parts, retirements
from perennial.ingest.forgotten import ForgottenPart, Sieve
from perennial.ingest.snapshot_heads import Head
from perennial.records.data import Part, Retirement, Snapshot
from perennial.rows.columns import ROW_ID, SPLIT, TEXT_KEY

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS = 20_000


@dataclass(frozen=True)
class MatchedRow:
    """A forgotten row of a part."""

    row_id: str
    text_key: str
    split: str


@dataclass
class Rewriting:
    """A snapshot without its forgotten rows."""

    snapshot: Snapshot
    parts: dict[str, ForgottenPart] = field(default_factory=dict)
    """By sha256, the parts that held some."""


def matched_rows(path: Path, sieve: Sieve) -> list[MatchedRow]:
    """The forgotten rows of a part. Raises StoreError when it can't be read."""
    import pyarrow as pa

    try:
        return _matched_rows(path, sieve)
    except (OSError, pa.ArrowException) as error:
        raise StoreError(
            f"The rows in {path} can't be read, so whether some of them are to be forgotten is not known.",
            remedy="Restore that file from a backup, or remove its folder; if a snapshot names it, `perennial run NAME "
            "--reread` then reads the source anew.",
        ) from error


def _matched_rows(path: Path, sieve: Sieve) -> list[MatchedRow]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows: list[MatchedRow] = []
    with pq.ParquetFile(path) as file:
        columns = [*sieve.columns(file.schema_arrow.names), SPLIT]
        for batch in file.iter_batches(BATCH_ROWS, columns=columns):
            hits = batch.filter(pa.array(sieve.is_forgotten(batch)))
            cells = (hits.column(name).to_pylist() for name in (ROW_ID, TEXT_KEY, SPLIT))
            rows += [MatchedRow(*row) for row in zip(*cells, strict=True)]
    return rows


def matched_in(snapshot: Snapshot, sieve: Sieve, store: Store) -> dict[int, list[MatchedRow]]:
    """The forgotten rows of a snapshot, by the number of their part."""
    matched = {number: matched_rows(store.root / part.path, sieve) for number, part in enumerate(snapshot.parts)}
    return {number: rows for number, rows in matched.items() if rows}


def ids_stated(snapshot: Snapshot, sieve: Sieve, store: Store) -> int:
    """How many times lists of corrected and deleted rows name a forgotten id."""
    return sum(_stated(store.root / one.path, sieve) for one in snapshot.retired)


def write_head(path: Path, head: Head, snapshot: Snapshot) -> None:
    """Let the next run start from `snapshot`, all of the source being read that was."""
    after = head.model_copy(update={"snapshot": snapshot})
    write_atomically(path, after.model_dump_json(indent=1) + "\n")


def rewritten(snapshot: Snapshot, matched: Mapping[int, Sequence[MatchedRow]], sieve: Sieve, store: Store) -> Rewriting:
    """`snapshot` without the rows that are `matched`, and without what it states of forgotten ids; new parts are in the
    store then, the old ones untouched."""
    done, left, numbers = Rewriting(snapshot), list[Part](), dict[int, int]()
    for number, part in enumerate(snapshot.parts):
        instead: Part | None = part
        if number in matched:
            instead = _part_without(store.root / part.path, sieve, store)
            done.parts[part.sha256] = ForgottenPart(
                rows=len(matched[number]),
                train_rows=sum(row.split == "train" for row in matched[number]),
                now=instead.sha256 if instead else None,
            )
        if instead is not None:
            numbers[number] = len(left)
            left.append(instead)
    retired = _retirements(snapshot, matched, numbers, sieve, store)
    done.snapshot = snapshot.model_copy(
        update={
            "parts": tuple(left),
            "retired": retired,
            "digest": retirements.digest_of_parts([part.sha256 for part in left], retired),
            "rows": sum(part.rows for part in left) - retirements.retired_rows(retired),
        }
    )
    return done


def _part_without(path: Path, sieve: Sieve, store: Store) -> Part | None:
    """A part less its forgotten rows; None: nothing is left of it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    def batches() -> Iterator[pa.RecordBatch]:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(BATCH_ROWS):
                kept = batch.filter(pa.array(~sieve.is_forgotten(batch)))
                if kept.num_rows:
                    yield kept

    # Fewer rows than were one part are one part.
    return next(iter(parts.write_parts(batches(), store)), None)


def _stated(path: Path, sieve: Sieve) -> int:
    import pyarrow.parquet as pq

    ids = pq.read_table(path, columns=[ROW_ID])[ROW_ID].to_pylist()
    return sum(sieve.id_pseudonym(row_id) is not None for row_id in ids)


def _retirements(
    snapshot: Snapshot,
    matched: Mapping[int, Sequence[MatchedRow]],
    numbers: Mapping[int, int],
    sieve: Sieve,
    store: Store,
) -> tuple[Retirement, ...]:
    if not matched and not any(_stated(store.root / one.path, sieve) for one in snapshot.retired):
        return snapshot.retired
    gone = {number: {row.row_id for row in rows} for number, rows in matched.items()}
    left = _parts_with(snapshot, set().union(*gone.values()), gone, store) if snapshot.retired else {}
    kept = (_retirement(one, gone, left, numbers, sieve, store) for one in snapshot.retired)
    return tuple(one for one in kept if one)


def _parts_with(
    snapshot: Snapshot, ids: Collection[str], gone: Mapping[int, set[str]], store: Store
) -> dict[str, list[int]]:
    """The numbers of the parts that hold other rows with these ids."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    wanted, left = pa.array(list(ids), pa.string()), dict[str, list[int]]()
    for number, part in enumerate(snapshot.parts):
        column = pq.read_table(store.root / part.path, columns=[ROW_ID])[ROW_ID]
        for row_id in column.filter(pc.is_in(column, value_set=wanted)).to_pylist():
            if row_id not in gone.get(number, ()):
                left.setdefault(row_id, []).append(number)
    return left


def _retirement(
    one: Retirement,
    gone: Mapping[int, set[str]],
    left: Mapping[str, Sequence[int]],
    numbers: Mapping[int, int],
    sieve: Sieve,
    store: Store,
) -> Retirement | None:
    """A retirement without what it says of forgotten rows, of the parts as they are numbered now."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    replacers = {row_id for number, ids in gone.items() if number >= one.before for row_id in ids}
    rows = []
    for row in pq.read_table(store.root / one.path).to_pylist():
        row_id, number, what = row[ROW_ID], row[retirements.PART], row[retirements.WHAT]
        if sieve.id_pseudonym(row_id) is not None:
            continue
        if number is not None and row_id in gone.get(number, ()):
            if what == retirements.REPLACED:
                continue
            row |= {retirements.PART: None, retirements.WHAT: retirements.NOTED}
        elif what == retirements.REPLACED and row_id in replacers and max(left.get(row_id, [-1])) < one.before:
            # What took its place was forgotten: it counts no more all the same.
            row |= {retirements.WHAT: retirements.DELETED, "content": 0}
        if row[retirements.PART] is not None:
            row[retirements.PART] = numbers[row[retirements.PART]]
        rows.append(row)
    before = sum(number < one.before for number in numbers)
    table = pa.Table.from_pylist(rows, schema=retirements.retirement_schema())
    return retirements.write_retirement(table, before, store)
