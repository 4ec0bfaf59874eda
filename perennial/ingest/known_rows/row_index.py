"""Which rows of a run are new, corrected or deleted: what it read, beside an index of all ids known so far.

Of two rows with the same id the newer counts; where times are the same, or there are none, the one read later. What a
file says of an id counts once: a file that grew, and is read again from its start, takes back nothing that another
file corrected meanwhile.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from perennial.core import digest
from perennial.core.store import Store
from perennial.ingest import canonical_rows, retirements
from perennial.ingest.known_rows import earlier_splits, index_file
from perennial.ingest.staging import ChosenRows, StagedRows
from perennial.records.data import Retirement, Snapshot
from perennial.rows.columns import FILE, ROW_ID, SPLIT, TIME

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

FORMAT = 2
"""Of the tables; a new number makes every index again."""
BATCH_ROWS = 50_000
_LIVE, _DELETED, _PASSED = 0, 1, 2
_STEPS = 1_000_000
"""More than the runs there ever are between two parts."""

_TABLES = """
    CREATE TABLE IF NOT EXISTS taken (parts INTEGER, retired INTEGER, digest VARCHAR);
    CREATE TABLE IF NOT EXISTS versions (
        row_id VARCHAR, part INTEGER, seq BIGINT, state TINYINT, time BIGINT, content BIGINT, file VARCHAR,
        split VARCHAR
    )
"""
_TABLES_WITHOUT_IDS = """
    CREATE TABLE IF NOT EXISTS taken (parts INTEGER, retired INTEGER, digest VARCHAR);
    CREATE TABLE IF NOT EXISTS versions (row_id VARCHAR)
"""

# Ids made of the content: of rows with the same one the first counts, and known ones don't count at all.
_UNSEEN = """
    CREATE TEMP TABLE chosen AS
    SELECT fresh.number, false AS is_known, NULL::VARCHAR AS split
    FROM (SELECT row_id, min(number) AS number FROM fresh GROUP BY row_id) AS fresh
    ANTI JOIN versions ON fresh.row_id = versions.row_id
"""
# A statement is what one row that was read says of its id; its rank orders by time and then by when it was read, and
# is of one row only. Current is, of each id, what counted before this run.
# Say file f gave rows a, b and c in part 0, all of time 10, and a run reads
#   a (time 20), b (deleted at 20), c (5), d (20) from file g, a (15) from file h, and c (10) from f again, unchanged.
# Claims are all but the last: f says nothing new of c. An id's claim of the highest rank wins, unless it is older than
# what is current: a of 20, the deletion of b and d win; a of 15 and c of 5 don't.
# An id's split is what any row with it was learned in, before all else, or that of the first text it has in this run.
# Chosen are a (its id is known) and d (it is not). Retired of part 0 are a (replaced) and b (deleted); c stays.
_CHANGES = """
    CREATE TEMP TABLE statements AS SELECT *, time::HUGEINT * 1099511627776 + position AS rank FROM fresh;
    CREATE TEMP TABLE earlier AS
        SELECT versions.* FROM versions SEMI JOIN statements ON versions.row_id = statements.row_id;
    CREATE TEMP TABLE current AS
        SELECT row_id, max(seq) AS seq, arg_max(part, seq) AS part, arg_max(state, seq) AS state,
               arg_max(time, seq) AS time, arg_max(content, seq) AS content
        FROM earlier WHERE state < 2 GROUP BY row_id;
    CREATE TEMP TABLE earlier_of_file AS
        SELECT row_id, file, arg_max(content, seq) AS content, arg_max(time, seq) AS time FROM earlier
        GROUP BY row_id, file;
    CREATE TEMP TABLE last_of_file AS
        SELECT statements.* FROM statements SEMI JOIN (
            SELECT max(rank) AS rank FROM statements GROUP BY row_id, file
        ) AS last ON statements.rank = last.rank;
    CREATE TEMP TABLE claims AS
        SELECT stated.* FROM last_of_file AS stated
        LEFT JOIN earlier_of_file AS before ON before.row_id = stated.row_id AND before.file = stated.file
        LEFT JOIN current ON current.row_id = stated.row_id
        WHERE (before.row_id IS NULL OR before.content <> stated.content OR before.time <> stated.time)
        AND (current.row_id IS NULL OR current.content <> stated.content OR current.time <> stated.time);
    CREATE TEMP TABLE outcome AS
        SELECT claims.*, current.part, current.state, current.time AS time_before,
               best.rank IS NOT NULL AND (current.row_id IS NULL OR claims.time >= current.time) AS wins
        FROM claims LEFT JOIN (SELECT max(rank) AS rank FROM claims GROUP BY row_id) AS best ON claims.rank = best.rank
        LEFT JOIN current ON current.row_id = claims.row_id;
    CREATE TEMP TABLE splits AS
        SELECT row_id, CASE WHEN bool_or(split = 'train') THEN 'train'
                            WHEN bool_or(split = 'validation') THEN 'validation' ELSE 'test' END AS split
        FROM (
            SELECT row_id, split FROM earlier
            UNION ALL SELECT remembered.row_id, remembered.split FROM remembered
            SEMI JOIN statements ON remembered.row_id = statements.row_id
        ) WHERE split IS NOT NULL GROUP BY row_id;
    CREATE TEMP TABLE first_texts AS
        SELECT row_id, arg_min(split, position) AS split FROM statements WHERE NOT deleted GROUP BY row_id;
    CREATE TEMP TABLE chosen AS
        SELECT number, state IS NOT NULL AS is_known, coalesce(splits.split, first_texts.split) AS split
        FROM outcome LEFT JOIN splits ON splits.row_id = outcome.row_id
        LEFT JOIN first_texts ON first_texts.row_id = outcome.row_id
        WHERE wins AND NOT deleted
"""
_RETIRED = f"""
    WITH winners AS (SELECT row_id, max(time) AS time FROM outcome WHERE wins GROUP BY row_id)
    SELECT outcome.row_id, CASE WHEN wins AND state = {_LIVE} THEN part END AS part,
           CASE WHEN NOT wins THEN '{retirements.PASSED}'
                WHEN deleted AND state = {_LIVE} THEN '{retirements.DELETED}'
                WHEN deleted THEN '{retirements.NOTED}' ELSE '{retirements.REPLACED}' END AS what,
           outcome.time, content, file
    FROM outcome LEFT JOIN winners ON winners.row_id = outcome.row_id
    WHERE (wins AND (deleted OR state = {_LIVE}))
    OR (NOT wins AND outcome.time = coalesce(winners.time, outcome.time_before))
    ORDER BY outcome.row_id, file, rank
"""  # noqa: S608  (constants of ours)


class RowChanges:
    """What became of the ids that a run read."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, has_ids: bool) -> None:
        self._connection = connection
        self._has_ids = has_ids

    def chosen(self) -> Generator[ChosenRows, None, None]:
        """The staged rows that are to be taken in, ascending."""
        reader = self._connection.sql("SELECT number, is_known, split FROM chosen ORDER BY number")
        with closing(reader.to_arrow_reader(100_000)) as batches:
            for batch in batches:
                yield ChosenRows(*(column.to_numpy(zero_copy_only=False) for column in batch.columns))

    def retired(self) -> pa.Table:
        """What becomes of older rows, in the columns of `perennial.ingest.retirements.retirement_schema`."""
        if not self._has_ids:
            return retirements.retirement_schema().empty_table()
        return self._connection.sql(_RETIRED).to_arrow_table()


@contextmanager
def row_changes(
    staged: StagedRows,
    before: Snapshot,
    store: Store,
    path: Path,
    scratch: Path,
    remembered: pa.RecordBatchReader | None = None,
) -> Iterator[RowChanges]:
    """What becomes of the ids that are `staged` beside the snapshot `before`; the index is at `path`.

    `remembered`: ids and their splits that are in no part of `before` (`earlier_splits`). `scratch`: a folder to spill
    to. Raises StoreError when there is no space.
    """
    has_ids = staged.has_ids

    def compare(connection: duckdb.DuckDBPyConnection) -> RowChanges:
        connection.execute(_TABLES if has_ids else _TABLES_WITHOUT_IDS)
        _catch_up(connection, before, store, has_ids)
        connection.register("fresh", staged.statements() if has_ids else staged.ids())
        if has_ids:
            connection.register("known_splits", remembered or earlier_splits.schema().empty_table())
            connection.execute("CREATE TEMP TABLE remembered AS SELECT * FROM known_splits")
        connection.execute(_CHANGES if has_ids else _UNSEEN)
        return RowChanges(connection, has_ids)

    with index_file.opened_index(path, scratch, compare) as changes:
        yield changes


def _catch_up(connection: duckdb.DuckDBPyConnection, snapshot: Snapshot, store: Store, has_ids: bool) -> None:
    """Take in what earlier runs added since; all of it, if the index is not of this snapshot."""
    state = connection.execute("SELECT parts, retired, digest FROM taken").fetchone()
    first, since = (state[0], state[1]) if state and state[2] == _digest(snapshot, state[0], state[1]) else (0, 0)
    parts, retired = len(snapshot.parts), len(snapshot.retired)
    if state and (first, since) == (parts, retired) and state[2] == _digest(snapshot, parts, retired):
        return
    connection.execute("BEGIN")
    if (first, since) == (0, 0):
        connection.execute("DELETE FROM versions")
    versions = _versions(snapshot, first, since, store) if has_ids else _ids(snapshot, first, store)
    connection.register("incoming", versions)
    connection.execute("INSERT INTO versions SELECT * FROM incoming")
    connection.unregister("incoming")
    connection.execute("DELETE FROM taken")
    connection.execute("INSERT INTO taken VALUES (?, ?, ?)", [parts, retired, _digest(snapshot, parts, retired)])
    connection.execute("COMMIT")


def _digest(snapshot: Snapshot, parts: int, retired: int) -> str:
    """Of the first so many parts and retirements."""
    if len(snapshot.parts) < parts or len(snapshot.retired) < retired:
        return digest.of_values(format=FORMAT, parts=[], retired=[])
    hashes = [part.sha256 for part in snapshot.parts[:parts]]
    gone = [[one.before, one.sha256] for one in snapshot.retired[:retired]]
    return digest.of_values(format=FORMAT, parts=hashes, retired=gone)


def _version_schema() -> pa.Schema:
    import pyarrow as pa

    return pa.schema(
        [
            (ROW_ID, pa.string()),
            ("part", pa.int32()),
            ("seq", pa.int64()),
            ("state", pa.int8()),
            ("time", pa.int64()),
            ("content", pa.int64()),
            ("file", pa.string()),
            (SPLIT, pa.string()),
        ]
    )


def _ids(snapshot: Snapshot, first: int, store: Store) -> pa.RecordBatchReader:
    """The ids in the parts from `first` on."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    def batches() -> Iterator[pa.RecordBatch]:
        for part in snapshot.parts[first:]:
            with pq.ParquetFile(store.root / part.path) as file:
                yield from file.iter_batches(BATCH_ROWS, columns=[ROW_ID])

    return pa.RecordBatchReader.from_batches(pa.schema([(ROW_ID, pa.string())]), batches())


def _versions(snapshot: Snapshot, first: int, since: int, store: Store) -> pa.RecordBatchReader:
    """What the parts from `first` and the retirements from `since` on state of ids."""
    import pyarrow as pa

    def batches() -> Iterator[pa.RecordBatch]:
        for number in range(first, len(snapshot.parts)):
            yield from _versions_in_part(number, store.root / snapshot.parts[number].path)
        for number in range(since, len(snapshot.retired)):
            yield _versions_in_retirement(number, snapshot.retired[number], store)

    return pa.RecordBatchReader.from_batches(_version_schema(), batches())


def _versions_in_part(number: int, path: Path) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(BATCH_ROWS):
            count = batch.num_rows
            whole = [pa.scalar(number, pa.int32()), pa.scalar((number + 1) * _STEPS - 1, pa.int64())]
            fixed = [pa.repeat(value, count) for value in (*whole, pa.scalar(_LIVE, pa.int8()))]
            times, content = canonical_rows.micros(batch.column(TIME)), canonical_rows.content_hashes(batch)
            columns = [batch.column(ROW_ID), *fixed, times, content, batch.column(FILE), batch.column(SPLIT)]
            yield pa.RecordBatch.from_arrays(columns, schema=_version_schema())


def _versions_in_retirement(number: int, one: Retirement, store: Store) -> pa.RecordBatch:
    """What was stated without a row in a part to show for it."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    table = pq.read_table(store.root / one.path)
    table = table.filter(pc.not_equal(table[retirements.WHAT], retirements.REPLACED)).combine_chunks()
    count = table.num_rows
    passed = pc.equal(table[retirements.WHAT], retirements.PASSED)
    state = pc.if_else(passed, pa.scalar(_PASSED, pa.int8()), pa.scalar(_DELETED, pa.int8()))
    seq = pa.scalar(one.before * _STEPS + number % _STEPS, pa.int64())
    fixed = [pa.nulls(count, pa.int32()), pa.repeat(seq, count), _one(state)]
    stated = [_one(table[name]) for name in ("time", "content", "file")]
    columns = [_one(table[ROW_ID]), *fixed, *stated, pa.nulls(count, pa.string())]
    return pa.RecordBatch.from_arrays(columns, schema=_version_schema())


def _one(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    import pyarrow as pa

    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
