"""Numbers that stand for something else (none, unknown: 9999999, -1, 999), told by how far they are from the rest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

LEAST_NUMBERS = 20
"""Of fewer it can't be told what the rest is."""
MOST_AWAY = 0.2
"""Share of the numbers that may be far from the rest, on each side."""
REPEATED = 3
MOST_NAMED = 5
"""Far numbers that are named."""
ALONE = 100
"""How many times the spread of the rest a number is away that is there once: a slip, not a long tail."""
_STANDS_FOR_NONE = frozenset({*(float("9" * digits) for digits in range(2, 16)), float(2**31 - 1), float(2**63 - 1)})


@dataclass(frozen=True)
class FarNumbers:
    """Numbers that are far from the rest, on one side or on both."""

    count: int
    numbers: int
    """In all."""
    distance: float
    """That each of them is at least away from the rest."""
    least: float
    greatest: float
    """Of the rest."""
    commonest: tuple[tuple[float, int], ...]
    """The far number that is there most often, with how often; and others that are there three times or more."""

    @property
    def in_words(self) -> str:
        """What a person should know of them."""
        rest = f"the rest ({number_in_words(self.least)} to {number_in_words(self.greatest)})"
        numbers = f"{self.count:,} of {self.numbers:,} numbers {'is' if self.count == 1 else 'are'}"
        away = f"{numbers} more than {_rounded_down(self.distance)} from {rest}"
        return ", ".join((away, *(f"{count:,} of them {number_in_words(value)}" for value, count in self.commonest)))

    def expectation(self, column: str) -> str:
        """What data.expectations must say to have rows with the commonest of them set aside, as YAML."""
        exact = map(_exactly, (value for value, _ in self.commonest))
        of_values = f"column: {column}, value_set: [{', '.join(exact)}]"
        return f"{{type: expect_column_values_to_not_be_in_set, {of_values}, severity: warning}}"


def far_numbers(values: Sequence[float] | np.ndarray) -> FarNumbers | None:
    """Those of `values` that lie far from the rest; None: none does.

    Far is: more than the rest's own spread away, and there three times or more (twice, if written in nines); or a
    hundred times that; or -1, -9, -99, … twice or more where nothing else is below 0.
    """
    import numpy as np

    values = np.asarray(values, float)
    values = values[np.isfinite(values)]
    if len(values) < LEAST_NUMBERS:
        return None
    distinct, counts = np.unique(values, return_counts=True)
    above = _first_far(distinct, counts)
    below = _first_far(-distinct[::-1], counts[::-1])
    start, end = len(distinct) - below, above
    if (start, end) == (0, len(distinct)):
        return None
    away = np.r_[0:start, end : len(distinct)]
    by_count = sorted(away.tolist(), key=lambda index: (-counts[index], distinct[index]))
    commonest = [index for rank, index in enumerate(by_count) if rank == 0 or counts[index] >= REPEATED][:MOST_NAMED]
    gaps = np.diff(distinct)[[edge - 1 for edge in (start, end) if 0 < edge < len(distinct)]]
    return FarNumbers(
        count=int(counts[away].sum()),
        numbers=len(values),
        distance=float(gaps.min()),
        least=float(distinct[start]),
        greatest=float(distinct[end - 1]),
        commonest=tuple((float(distinct[index]), int(counts[index])) for index in commonest),
    )


def number_in_words(value: float) -> str:
    """A number as a person writes it."""
    return f"{value:.0f}" if value.is_integer() and abs(value) < 1e16 else f"{value:.6g}"


def _exactly(value: float) -> str:
    return number_in_words(value) if value.is_integer() and abs(value) < 1e16 else repr(value)


def _first_far(distinct: np.ndarray, counts: np.ndarray) -> int:
    """Where in these ascending numbers those begin that are far above the rest; their length: none is."""
    import numpy as np

    total = counts.sum()
    low = distinct[counts.cumsum().searchsorted(MOST_AWAY * total, side="right")]
    first = max(1, int((counts[::-1].cumsum()[::-1] > MOST_AWAY * total).sum()))
    gaps, spreads = np.diff(distinct)[first - 1 :], distinct[first - 1 : -1] - low
    for position in np.flatnonzero((gaps > spreads) & (spreads > 0)) + first:
        if _is_far(distinct[position:], counts[position:], gaps[position - first] > ALONE * spreads[position - first]):
            return int(position)
    return len(distinct) - _is_lone_negative(distinct, counts)


def _is_far(values: np.ndarray, times: np.ndarray, very_far: bool) -> bool:
    nines = any(abs(value) in _STANDS_FOR_NONE and count > 1 for value, count in zip(values, times, strict=True))
    return bool(very_far or nines or times.max() >= REPEATED)


def _is_lone_negative(distinct: np.ndarray, counts: np.ndarray) -> bool:
    """Whether the last number, which has its sign changed, is the only one below 0 and such as stands for none."""
    import numpy as np

    value, rest = distinct[-1], distinct[:-1]
    if counts[-1] < 2 or counts[-1] > MOST_AWAY * counts.sum() or len(rest) < 3 or not rest[-1] <= 0 < value:
        return False
    stands_for_none = value in (1, 9) or value in _STANDS_FOR_NONE
    return bool(stands_for_none and value - rest[-1] > 1.5 * np.median(np.diff(rest)))


def _rounded_down(value: float) -> str:
    scale = 10.0 ** (math.floor(math.log10(value)) - 1)
    return number_in_words((math.ceil(value / scale) - 1) * scale)
