"""Some rows as a source has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Batch:
    """Some rows as the source has them: cells as text where the source has text, else as plain Python values."""

    file: str
    """Where the rows are from, as errors name it: a file's path as the spec reaches it, `query`, a data set."""
    unit: str
    """What `numbers` counts: line or row."""
    numbers: Sequence[int]
    """Line (of a record's first cell) or row number of each row, from 1."""
    columns: Mapping[str, list[object]]
    """Cells by the source's column name, None where there is nothing; all of the same length."""
    is_open: bool = False
    """Whether the last row's line has no end yet, as where a file is still written to."""

    def where(self, row: int) -> str:
        """Where row `row` (from 0) of this batch is, in words."""
        return f"{self.file}, {self.unit} {self.numbers[row]:,}"

    def take(self, positions: Sequence[int]) -> Batch:
        """Its rows at these positions (from 0, ascending)."""
        if len(positions) == len(self.numbers):
            return self
        columns = {name: [cells[row] for row in positions] for name, cells in self.columns.items()}
        return Batch(self.file, self.unit, [self.numbers[row] for row in positions], columns)
