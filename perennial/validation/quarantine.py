"""The file of rows set aside: for a person to open, in a spreadsheet too, and to mend the source by."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from perennial.rows.columns import FILE, LINE, ROW_ID
from perennial.rows.spreadsheet import safe

if TYPE_CHECKING:
    import pyarrow as pa

REASON = "reason"
LEADING = (ROW_ID, FILE, LINE, REASON)
BATCH_ROWS = 1_000


def write_quarantine(path: Path, rows: pa.Table, reasons: Mapping[str, Sequence[str]]) -> None:
    """Write `rows`, each with its reasons (by row id) joined by `; `, as CSV in UTF-8 with the mark Excel looks for.

    For a spreadsheet's sake a cell is cut at MAX_CELL characters, NUL is shown as ␀, and a cell that would be run as
    a formula starts with an apostrophe: the source, at the file and line named, holds the row as it was.
    """
    rest = [name for name in rows.column_names if name not in LEADING]
    with path.open("w", encoding="utf-8-sig", newline="", errors="backslashreplace") as file:
        writer = csv.writer(file)
        writer.writerow([*LEADING, *rest])
        for batch in rows.to_batches(max_chunksize=BATCH_ROWS):
            for row in batch.to_pylist():
                reasons_of_row = "; ".join(reasons[row[ROW_ID]])
                cells = [row[ROW_ID], row[FILE], row[LINE], reasons_of_row, *(row[name] for name in rest)]
                writer.writerow([safe(cell) for cell in cells])
