"""Rows that can't be learned from as they stand: counted as they are read, and set aside where rows are validated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from perennial.core import progress
from perennial.rows.batch import Batch

NO_TIME = "no time"
NOT_READ = "a time that can't be read"
FUTURE = "a time in the future"
NO_LABEL = "no label"
_WHY = {
    NO_TIME: "they are set aside",
    NOT_READ: "they are set aside",
    FUTURE: "they are set aside, and no such time is taken for the newest one read (data.future_tolerance)",
    NO_LABEL: "they are set aside, as nobody may have looked at them; data.missing_labels: none takes them as having "
    "none",
}


class SetAsideRows:
    """Those of one piece of a source, by why; deletions among them are not carried out."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._first: dict[str, str] = {}

    def add(self, reason: str, batch: Batch, rows: Sequence[int]) -> None:
        """Count these rows of `batch` (from 0)."""
        if rows:
            self.counts[reason] += len(rows)
            self._first.setdefault(reason, batch.where(rows[0]))

    def tell(self) -> None:
        """Say how many there are, why, and where the first is."""
        for reason, count in self.counts.items():
            rows = "1 row has" if count == 1 else f"{count:,} rows have"
            progress.note(f"{rows} {reason}: {_WHY[reason]}. The first: {self._first[reason]}.")
