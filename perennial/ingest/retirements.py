"""Rows of older parts that count no more. Parts are immutable: what a later run reads of their rows lies beside them.

A retirement is a Parquet file with a row for each id: `replaced` or `deleted` with the number of the part whose row
goes, `noted` for a deletion that took no row, and `passed` for what a file said of an id that another file said
otherwise in the same run. All of it follows from the files alone, so an index of rows can be made again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from perennial.core import digest
from perennial.core.errors import StoreError
from perennial.core.store import Store
from perennial.records.data import Retirement
from perennial.rows.columns import ROW_ID

if TYPE_CHECKING:
    import pyarrow as pa

STEP = "retired"
FILE = "rows.parquet"
PART = "part"
WHAT = "what"
REPLACED = "replaced"
DELETED = "deleted"
NOTED = "noted"
PASSED = "passed"


def retirement_schema() -> pa.Schema:
    """row_id; part: its number, null where no row goes; what; time in microseconds, content and file as the index of
    rows has them."""
    import pyarrow as pa

    return pa.schema(
        [
            (ROW_ID, pa.string()),
            (PART, pa.int32()),
            (WHAT, pa.string()),
            ("time", pa.int64()),
            ("content", pa.int64()),
            ("file", pa.string()),
        ]
    )


def write_retirement(rows: pa.Table, before: int, store: Store) -> Retirement | None:
    """Store what became of `rows` (columns of `retirement_schema`) of the first `before` parts; None: there is nothing
    to say."""
    if not rows.num_rows:
        return None

    def make(folder: Path) -> tuple[str, Retirement]:
        import pyarrow.parquet as pq

        path = folder / FILE
        pq.write_table(rows.cast(retirement_schema()), path, compression="zstd")
        key = digest.of_file(path)
        hits = Counter(number for number in rows[PART].to_pylist() if number is not None)
        gone = sum(what == DELETED for what in rows[WHAT].to_pylist())
        stored_at = f"{STEP}/{key}/{FILE}"
        return key, Retirement(path=stored_at, sha256=key, before=before, hits=dict(sorted(hits.items())), deleted=gone)

    return store.put(STEP, Retirement, make)


def digest_of_parts(hashes: Iterable[str], retired: Iterable[Retirement]) -> str:
    """The digest of parts with these sha256 less what was retired of them: another one exactly when the rows are."""
    gone = [[one.before, one.sha256] for one in retired if one.hits]
    return digest.of_values(parts=list(hashes), **({"retired": gone} if gone else {}))


def retired_rows(retired: Iterable[Retirement]) -> int:
    """How many rows do not count any more."""
    return sum(sum(one.hits.values()) for one in retired)


def retirements_of_part(retired: Iterable[Retirement], number: int) -> list[Retirement]:
    """Those that concern the part `number`."""
    return [one for one in retired if number in one.hits]


def retired_at(retired: Iterable[Retirement], before: int) -> list[str]:
    """The sha256 of what was retired when there were `before` parts."""
    return [one.sha256 for one in retired if one.hits and one.before == before]


class RetiredIds:
    """The row ids that count no more, by part; each file is read once."""

    def __init__(self, retired: Iterable[Retirement], store: Store) -> None:
        """Reads the files. Raises StoreError when one is missing."""
        self._by_part: dict[int, list[pa.Array]] = {}
        for one in retired:
            if one.hits:
                for number, gone in _by_part(store.root / one.path):
                    self._by_part.setdefault(number, []).append(gone)

    def ids(self, number: int) -> pa.Array:
        """Those of the part `number`."""
        import pyarrow as pa

        return pa.concat_arrays([pa.array([], pa.string()), *self._by_part.get(number, [])])

    def filtered(self, number: int, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The rows of `batch`, some of the part `number` with their ids, that count."""
        import pyarrow.compute as pc

        if number not in self._by_part:
            return batch
        return batch.filter(pc.invert(pc.is_in(batch.column(ROW_ID), value_set=self.ids(number))))

    def __contains__(self, number: int) -> bool:
        return number in self._by_part


def _by_part(path: Path) -> Iterator[tuple[int, pa.Array]]:
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    try:
        rows = pq.read_table(path, columns=[ROW_ID, PART])
    except FileNotFoundError as error:
        raise StoreError(
            f"The list of rows that were corrected or deleted, {path}, is missing. The champion is untouched.",
            remedy="Run with --reread: it reads the source from its beginning into a new snapshot.",
        ) from error
    numbered = rows.filter(pc.is_valid(rows[PART])).sort_by(PART).combine_chunks()
    counted = pc.value_counts(numbered[PART].combine_chunks()) if numbered.num_rows else []
    start = 0
    for count in counted:
        number, rows_here = count["values"].as_py(), count["counts"].as_py()
        yield number, numbered[ROW_ID].combine_chunks().slice(start, rows_here)
        start += rows_here
