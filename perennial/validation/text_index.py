"""Which target each text had in the good rows of earlier parts: an index, so that a new part reads none of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perennial.core import digest
from perennial.ingest import retirements
from perennial.ingest.known_rows import index_file
from perennial.records.data import Retirement
from perennial.rows.columns import FILE, LINE, ROW_ID, TEXT_KEY

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

FORMAT = 1
"""Of the tables; a new number makes every index again."""
NAME = "texts.duckdb"
_TABLES = """
    CREATE TABLE IF NOT EXISTS taken (parts INTEGER, retired INTEGER, digest VARCHAR);
    CREATE TABLE IF NOT EXISTS texts (
        text_key VARCHAR, row_id VARCHAR, part INTEGER, target VARCHAR, file VARCHAR, line BIGINT
    );
    CREATE TABLE IF NOT EXISTS gone (row_id VARCHAR, part INTEGER)
"""
# min of a struct compares its fields in order, so that the row named is the same in every run.
_ACROSS = """
    WITH earlier AS (SELECT texts.* FROM texts SEMI JOIN asked ON texts.text_key = asked.text_key),
    first AS (
        SELECT text_key, min({'target': target, 'file': file, 'line': line}) AS old
        FROM earlier ANTI JOIN gone ON earlier.row_id = gone.row_id AND earlier.part = gone.part GROUP BY text_key
    )
    SELECT row_id, old.file, old.line FROM asked JOIN first USING (text_key) WHERE asked.target <> old.target
"""


@dataclass(frozen=True)
class Earlier:
    """The good rows of the parts before one that is validated."""

    keys: Sequence[str]
    """Each part's key, which tells all that its good rows depend on."""
    files: Sequence[Path]
    """Parquet of each part's good rows."""
    retired: Sequence[Retirement]
    """What was retired of them until the part came."""
    root: Path
    """The store's."""
    index: Path
    scratch: Path
    """A folder to spill to."""
    superseded: Sequence[Retirement] = ()
    """What rows of a later part were put before, by `data.contradictions`."""

    def contradicted(self, asked: pa.Table, target: str) -> list[tuple[str, str, int | None]]:
        """Those of the rows `asked` (row_id, text_key, target as text) whose text has another target in an earlier row
        that counts, with file and line of one such row. `target`: the name of its column."""
        if not self.files:
            return []

        def contradictions(connection: duckdb.DuckDBPyConnection) -> list[Any]:
            connection.execute(_TABLES)
            self._catch_up(connection, target)
            connection.register("asked", asked)
            rows: list[Any] = connection.execute(_ACROSS).fetchall()
            return rows

        with index_file.opened_index(self.index, self.scratch, contradictions) as rows:
            return rows

    def _catch_up(self, connection: duckdb.DuckDBPyConnection, target: str) -> None:
        state = connection.execute("SELECT parts, retired, digest FROM taken").fetchone()
        first, since = (state[0], state[1]) if state and state[2] == self._digest(state[0], state[1]) else (0, 0)
        now = len(self.files), len(self.retired)
        if (first, since) == now:
            return
        connection.execute("BEGIN")
        if not first:
            connection.execute("DELETE FROM texts; DELETE FROM gone")
        for number in range(first, len(self.files)):
            connection.execute(_insertion(target), [number, str(self.files[number])])
        for one in self.retired[since:]:
            rows = f"SELECT {ROW_ID}, {retirements.PART} FROM read_parquet(?) WHERE {retirements.PART} IS NOT NULL"  # noqa: S608
            connection.execute(f"INSERT INTO gone {rows}", [str(self.root / one.path)])
        connection.execute("DELETE FROM taken")
        connection.execute("INSERT INTO taken VALUES (?, ?, ?)", [*now, self._digest(*now)])
        connection.execute("COMMIT")

    def _digest(self, parts: int, retired: int) -> str | None:
        """Of the first so many parts and retirements; None: there are not so many."""
        if parts > len(self.keys) or retired > len(self.retired):
            return None
        hashes = [one.sha256 for one in self.retired[:retired]]
        return digest.of_values(format=FORMAT, last=self.keys[parts - 1] if parts else "", retired=hashes)


def selected(rows: str, target: str) -> str:
    """The query of the rows of a table `rows` that have a target, with it as text, so that lists compare too."""
    # The column's name is the kind's, not a user's.
    columns = f'CAST("{target}" AS VARCHAR) AS target, {FILE}, {LINE}'
    return f'SELECT {TEXT_KEY}, {ROW_ID}, {columns} FROM {rows} WHERE "{target}" IS NOT NULL'  # noqa: S608


def _insertion(target: str) -> str:
    rows = selected("read_parquet($2)", target)
    return f"INSERT INTO texts SELECT {TEXT_KEY}, {ROW_ID}, $1, target, {FILE}, {LINE} FROM ({rows})"  # noqa: S608
