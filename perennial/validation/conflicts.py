"""Rows with the same text but another target: which of them contradict each other, or an earlier part."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from perennial.rows.columns import FILE, LINE, ROW_ID, TEXT_KEY
from perennial.validation.text_index import Earlier, selected

if TYPE_CHECKING:
    import pyarrow as pa

# min and max of a struct compare its fields in order, so that the row named is the same in every run.
# Say one text has the targets good (a.csv:1), bad (a.csv:2) and good (b.csv:1), and another text good twice.
# Contested is the first text only; its extremes are (bad, a.csv, 2) and (good, b.csv, 1).
# Others: both good rows contradict a.csv:2, the bad one contradicts b.csv:1.
_WITHIN = """
    WITH contested AS (SELECT text_key FROM part GROUP BY text_key HAVING min(target) <> max(target)),
    contesting AS (
        SELECT row_id, text_key, {'target': target, 'file': file, 'line': line} AS cell
        FROM part SEMI JOIN contested USING (text_key)
    ),
    extremes AS (SELECT text_key, min(cell) AS low, max(cell) AS high FROM contesting GROUP BY text_key),
    others AS (
        SELECT row_id, CASE WHEN cell.target = low.target THEN high ELSE low END AS other
        FROM contesting JOIN extremes USING (text_key)
    )
    SELECT row_id, other.file, other.line FROM others
"""


def find_conflicts(part: pa.Table, target: str, earlier: Earlier | None, scratch: Path) -> dict[str, str]:
    """Row ids of `part` whose text has another `target` elsewhere, each with the place (file:line) of one such row.

    `part`: the canonical columns. All rows that contradict each other within it are named; rows of `earlier` parts,
    which were trained on already, stay. Reads keys and targets only, never texts; DuckDB spills to the folder `scratch`
    when they don't fit into memory.
    """
    import duckdb

    keys = part.select(list(dict.fromkeys((ROW_ID, TEXT_KEY, target, FILE, LINE))))
    with duckdb.connect(config={"temp_directory": str(scratch)}) as database:
        database.register("rows_of_part", keys)
        database.execute(f"CREATE TEMP TABLE part AS {selected('rows_of_part', target)}")
        rows_within = database.execute(_WITHIN).fetchall()
        asked = database.sql("SELECT row_id, text_key, target FROM part").to_arrow_table()
    if earlier is not None:
        rows_within += earlier.contradicted(asked, target)
    return {row_id: file if line is None else f"{file}:{line}" for row_id, file, line in rows_within}
