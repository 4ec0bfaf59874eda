"""Rows with the same text and other targets, where the pipeline says which of them count: the newest, or the most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from perennial.ingest import retirements
from perennial.rows.columns import FILE, LINE, ROW_ID, TEXT_KEY, TIME
from perennial.validation.text_index import Earlier

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

Rule = Literal["newest", "majority"]
OUTVOTED = "outvoted.parquet"
"""Of a part: its rows whose target another one was put before."""
SUPERSEDED = "superseded.parquet"
"""Of a part: rows of earlier parts whose target one of its own was put before."""
COLUMNS = (ROW_ID, TEXT_KEY, TIME, FILE, LINE)
_TABLE = """
    CREATE TEMP TABLE votes (
        text_key VARCHAR, row_id VARCHAR, part INTEGER, position BIGINT, target VARCHAR, file VARCHAR, line BIGINT,
        time BIGINT, good BOOLEAN
    )
"""
_CONTESTED = """
    DELETE FROM votes WHERE text_key NOT IN (
        SELECT text_key FROM votes GROUP BY text_key HAVING min(target) <> max(target)
    )
"""
# Say a text has the targets good (parts 0 and 1), bad (part 2, the last) and bad again (part 2).
# newest: bad, as that row came last. majority: two say each, so what stands (good) stays; a third bad one decides.
_RULES: Mapping[str, str] = {
    "newest": """
        SELECT text_key, arg_max(target, {'time': time, 'part': part, 'position': position}) AS target
        FROM votes WHERE good GROUP BY text_key
    """,
    "majority": """
        WITH counted AS (SELECT text_key, target, count(*) AS rows FROM votes GROUP BY text_key, target),
        most AS (SELECT text_key, max(rows) AS rows FROM counted GROUP BY text_key),
        ahead AS (
            SELECT text_key, CASE WHEN count(*) = 1 THEN min(target) END AS target
            FROM counted JOIN most USING (text_key, rows) GROUP BY text_key
        ),
        standing AS (
            SELECT text_key, CASE WHEN min(target) = max(target) THEN min(target) END AS target
            FROM votes WHERE good AND part < $1 GROUP BY text_key
        )
        SELECT text_key, coalesce(ahead.target, standing.target) AS target
        FROM ahead LEFT JOIN standing USING (text_key)
    """,
}
# min and max of a struct compare its fields in order, so that the row named is the same in every run.
_LOSERS = """
    WITH others AS (
        SELECT votes.text_key, votes.target AS said,
               min({'file': other.file, 'line': other.line}) FILTER (other.target = winners.target) AS winner,
               min({'file': other.file, 'line': other.line}) AS any_other
        FROM (SELECT DISTINCT text_key, target FROM votes WHERE part = $1) AS votes
        JOIN votes AS other ON other.text_key = votes.text_key AND other.target <> votes.target
        JOIN winners ON winners.text_key = votes.text_key
        GROUP BY votes.text_key, votes.target
    )
    SELECT votes.row_id, coalesce(winner, any_other).file, coalesce(winner, any_other).line
    FROM votes JOIN winners ON winners.text_key = votes.text_key
    JOIN others ON others.text_key = votes.text_key AND said = votes.target
    WHERE votes.part = $1 AND votes.target IS DISTINCT FROM winners.target
    ORDER BY votes.position
"""
_SUPERSEDED = """
    SELECT votes.row_id, votes.part, votes.file FROM votes JOIN winners USING (text_key)
    WHERE votes.part < $1 AND good AND winners.target IS NOT NULL AND votes.target <> winners.target
    ORDER BY votes.part, votes.position
"""


@dataclass(frozen=True)
class Resolution:
    """What becomes of rows that contradict each other."""

    outvoted: dict[str, str]
    """Row ids of the part whose target another one is put before, each with the place (file:line) of such a row."""
    superseded: pa.Table
    """Rows of earlier parts that count no more, in the columns of a retirement."""


def nothing(outvoted: dict[str, str]) -> Resolution:
    """These rows are set aside, and no older one."""
    return Resolution(outvoted, retirements.retirement_schema().empty_table())


def resolve(rule: Rule, part: pa.Table, target: str, earlier: Earlier, scratch: Path) -> Resolution:
    """Which rows of `part` and of the parts before it (`earlier`) count by `rule`, where the same text has more than
    one `target`. A tie of the most is none's: what was learned before stays, and else no row counts.

    Reads keys, targets and times of all parts, never texts; DuckDB spills to the folder `scratch`.
    """
    import duckdb

    number = len(earlier.files)
    with duckdb.connect(config={"temp_directory": str(scratch)}) as database:
        database.execute(_TABLE)
        database.register("own", part.select(list(dict.fromkeys((*COLUMNS, target)))))
        database.execute(_insertion("own", "(row_number() OVER ()) - 1", target, own=True), [number, True])
        _add_earlier(database, earlier, target)
        database.execute(_CONTESTED)
        asked = [number] if "$1" in _RULES[rule] else []
        database.execute(f"CREATE TEMP TABLE winners AS {_RULES[rule]}", asked)
        losers = database.execute(_LOSERS, [number]).fetchall()
        superseded = database.sql(_SUPERSEDED, params=[number]).to_arrow_table()
    outvoted = {row_id: file if line is None else f"{file}:{line}" for row_id, file, line in losers}
    return Resolution(outvoted, _retired(superseded))


def _add_earlier(database: duckdb.DuckDBPyConnection, earlier: Earlier, target: str) -> None:
    """The rows of earlier parts whose texts the part has, less those that count no more; such as lost a vote count as
    votes."""
    for number, path in enumerate(earlier.files):
        for source, good in ((path, True), (path.parent / OUTVOTED, False)):
            if good or source.exists():
                rows = f"read_parquet('{source}', file_row_number = true)"
                database.execute(_insertion(rows, "file_row_number", target, own=False), [number, good])
    for change, some in (("DELETE FROM votes", earlier.retired), ("UPDATE votes SET good = false", earlier.superseded)):
        for one in some:
            gone = f"SELECT {ROW_ID}, {retirements.PART} FROM read_parquet(?) WHERE {retirements.PART} IS NOT NULL"  # noqa: S608
            database.execute(f"{change} WHERE (row_id, part) IN ({gone})", [str(earlier.root / one.path)])


def _insertion(rows: str, position: str, target: str, *, own: bool) -> str:
    # The column's name is the kind's, not a user's.
    time = f"coalesce(epoch_us({TIME}), 0)"
    columns = f'{TEXT_KEY}, {ROW_ID}, $1, {position}, CAST("{target}" AS VARCHAR), {FILE}, {LINE}, {time}, $2'
    asked = "true" if own else f"{TEXT_KEY} IN (SELECT text_key FROM votes)"  # noqa: S608
    return f'INSERT INTO votes SELECT {columns} FROM {rows} WHERE "{target}" IS NOT NULL AND {asked}'  # noqa: S608


def _retired(rows: pa.Table) -> pa.Table:
    import pyarrow as pa

    count = rows.num_rows
    zeros = pa.repeat(pa.scalar(0, pa.int64()), count)
    what = pa.repeat(retirements.REPLACED, count)
    columns = [rows["row_id"], rows["part"], what, zeros, zeros, rows["file"]]
    return pa.Table.from_arrays(columns, schema=retirements.retirement_schema())
