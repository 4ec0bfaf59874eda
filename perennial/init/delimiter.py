"""Which character separates the cells of a CSV file."""

import csv
import itertools
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from perennial.ingest.sources import file

CANDIDATES = (",", ";", "\t", "|")
LINES = 200
CHARACTERS = 200_000
CONSISTENT = 0.9
"""Share of the records that must have as many cells as the header."""


def sniff(path: Path) -> str:
    """The delimiter by which the first records of the CSV file at `path` have the header's width; "," if none does.

    Raises SourceError when the file can't be read as UTF-8.
    """
    head: list[str] = []
    for line in itertools.islice(file.lines_of(path), LINES):
        head.append(line)
        if sum(map(len, head)) > CHARACTERS:
            break
    widths = {delimiter: _width(head, delimiter) for delimiter in CANDIDATES}
    return max(CANDIDATES, key=lambda delimiter: widths[delimiter])


def _width(lines: Sequence[str], delimiter: str) -> int:
    """Cells of the header if the records agree with it, else 1."""
    records: list[list[str]] = []
    with suppress(csv.Error):
        records.extend(cells for cells in csv.reader(lines, delimiter=delimiter) if cells)
    # The last record may be cut off where the sample ends.
    records = records[:-1] if len(records) > 2 else records
    if not records:
        return 1
    agreeing = sum(len(cells) == len(records[0]) for cells in records)
    return len(records[0]) if agreeing >= CONSISTENT * len(records) else 1
