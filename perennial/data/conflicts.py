"""Rows with the same text but another target: which of them contradict each other, or an earlier part."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from perennial.data.columns import FILE, LINE, ROW_ID, TEXT_KEY

if TYPE_CHECKING:
    import pyarrow as pa

# min and max of a struct compare its fields in order, so that the place named is the same in every run.
_WITHIN = """
    WITH told AS (
        SELECT text_key, min(placed) AS low, max(placed) AS high
        FROM part GROUP BY text_key HAVING min(placed.target) <> max(placed.target)
    ),
    others AS (
        SELECT row_id, CASE WHEN placed.target = low.target THEN high ELSE low END AS other
        FROM part JOIN told USING (text_key)
    )
    SELECT row_id, other.file, other.line FROM others
"""
_ACROSS = """
    WITH told AS (
        SELECT text_key, min(placed) AS old
        FROM earlier WHERE text_key IN (SELECT text_key FROM part) GROUP BY text_key
    )
    SELECT row_id, old.file, old.line FROM part JOIN told USING (text_key) WHERE placed.target <> old.target
"""


def find(part: pa.Table, target: str, earlier: Sequence[Path], scratch: Path) -> dict[str, str]:
    """Row ids of `part` whose text has another `target` elsewhere, each with the place (file:line) of one such row.

    `part`: the canonical columns. All rows that contradict each other within it are named; rows of the `earlier`
    Parquet files, which were trained on already, stay. Reads keys and targets only, never texts; DuckDB spills to
    the folder `scratch` when they don't fit into memory.
    """
    import duckdb

    keys = part.select(list(dict.fromkeys((ROW_ID, TEXT_KEY, target, FILE, LINE))))
    with duckdb.connect(config={"temp_directory": str(scratch)}) as database:
        database.register("rows_of_part", keys)
        database.execute(_view("part", "rows_of_part", target))
        found = database.execute(_WITHIN).fetchall()
        if earlier:
            database.from_parquet([str(path) for path in earlier]).create_view("rows_of_earlier")
            database.execute(_view("earlier", "rows_of_earlier", target))
            found += database.execute(_ACROSS).fetchall()
    return {row_id: file if line is None else f"{file}:{line}" for row_id, file, line in found}


def _view(name: str, rows: str, target: str) -> str:
    # As text, so that a target that is a list compares too. The column's name is the kind's, not a user's.
    placed = f"{{'target': CAST(\"{target}\" AS VARCHAR), 'file': {FILE}, 'line': {LINE}}}"
    select = f'SELECT {ROW_ID}, {TEXT_KEY}, {placed} AS placed FROM {rows} WHERE "{target}" IS NOT NULL'  # noqa: S608
    return f"CREATE TEMP VIEW {name} AS {select}"
