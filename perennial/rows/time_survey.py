"""How the times of a whole column are written, where a cell alone does not tell."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal

from perennial.rows import cells, moments, written_times
from perennial.rows.written_times import DAY_FIRST, MONTH_FIRST

MOST = 0.9
"""Share of the filled cells by which a column is taken for one of times of a form."""
_COUNT = re.compile(r"-?\d{9,}(?:\.\d+)?$|-?\d+(?:\.\d+)?[eE]\+?\d+$")
EITHER, DOTTED, ALIKE = "either", "dotted", "alike"


class TimeSurvey:
    """Counts of cells by the forms that they may have."""

    def __init__(self) -> None:
        self.filled = 0
        self._forms: Counter[str] = Counter()
        self._examples: dict[str, str] = {}

    def add(self, values: Iterable[object]) -> None:
        """Count these cells; empty ones are none."""
        for value in values:
            if cells.is_missing(value):
                continue
            self.filled += 1
            if form := _form(value):
                self._forms[form] += 1
                self._examples.setdefault(form, str(value).strip()[:40])

    @property
    def form(self) -> str | None:
        """What data.columns.time_format must say; None: nothing, or it can't be told."""
        counted = [form for form in moments.UNITS if form != "epoch_s" and self._are_most(form)]
        if counted:
            return counted[0]
        if not self._are_most(DAY_FIRST, MONTH_FIRST, EITHER, DOTTED, ALIKE) or self.doubt:
            return None
        return MONTH_FIRST if self._forms[MONTH_FIRST] else DAY_FIRST

    @property
    def likely_form(self) -> str | None:
        """A form in which most cells are times, also where that is in doubt."""
        return self.form or (DAY_FIRST if self.doubt else None)

    @property
    def doubt(self) -> str:
        """Why the form can't be told, as half a sentence; empty: it can, or there are no such times."""
        if not self._are_most(DAY_FIRST, MONTH_FIRST, EITHER, DOTTED, ALIKE):
            return ""
        day, month = self._forms[DAY_FIRST], self._forms[MONTH_FIRST]
        if day and month:
            return (
                f"of its dates {day:,} have the day before the month, such as {self._examples[DAY_FIRST]!r}, and "
                f"{month:,} the month before the day, such as {self._examples[MONTH_FIRST]!r}; write all alike"
            )
        # Nobody writes 12.31.2025.
        if day or month or not self._forms[EITHER]:
            return ""
        return (
            f"whether the day or the month comes first no cell tells, such as {self._examples[EITHER]!r}; say it: "
            "--time-format day_first or month_first"
        )

    def _are_most(self, *forms: str) -> bool:
        return self.filled > 0 and sum(self._forms[form] for form in forms) >= MOST * self.filled


def _form(value: object) -> str | None:
    """The form of a time that says itself which one it is not; None: it is of no such form."""
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return moments.unit_of(float(value))
    if not isinstance(value, str):
        return None
    if _COUNT.match(value.strip()):
        return moments.unit_of(float(value))
    numbers = written_times.day_and_month(value)
    if numbers is None or max(numbers[:2]) > 31 or min(numbers[:2]) < 1 or min(numbers[:2]) > 12:
        return None
    one, two, parts = numbers
    if one == two:
        return ALIKE
    return DAY_FIRST if one > 12 else MONTH_FIRST if two > 12 else DOTTED if parts["mark"] == "." else EITHER
