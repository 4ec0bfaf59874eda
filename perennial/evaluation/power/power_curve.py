"""How likely a candidate as good as the champion is to pass a comparison, given how many independent rows there are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

ENOUGH = 0.8
"""Probability of passing from which rows are said to be enough; what studies are planned for by custom (Cohen 1988)."""
MANY = 1000.0
"""Times as many rows: nobody has them."""


@dataclass(frozen=True)
class PlannedComparison:
    """A figure that will be compared with the champion's."""

    rows: float
    """Independent ones it will be made of."""
    variance: float
    """Of one independent row's part in the difference."""
    way: str | None = None
    """Of a slice that leans on others: what they are told apart by."""

    def power(self, margin: float, confidence: float, times: float = 1.0) -> float:
        """The probability of passing, with `times` as many rows, of a candidate whose true difference is 0.

        The interval is as wide as the bootstrap's, in which z² imagined rows are answered otherwise.
        """
        z, rows = NormalDist().inv_cdf((1 + confidence) / 2), self.rows * times
        if rows <= 0:
            return 0.0
        error = math.sqrt(self.variance / rows)
        # A slice that leans on the others passes if its own figure is within the margin, and theirs, as it mostly is.
        half = 0.0 if self.way is not None else z * math.sqrt(self.variance / rows + z * z / rows**2)
        room = margin - half
        return NormalDist().cdf(room / error) if error > 0 else float(room > 0)


def joint_power(planned: Sequence[PlannedComparison], margin: float, confidence: float, times: float = 1.0) -> float:
    """Of passing all of them, if they are independent of each other."""
    return math.prod(one.power(margin, confidence, times) for one in planned)


def times_needed(planned: Sequence[PlannedComparison], margin: float, confidence: float) -> float | None:
    """With how many times as many rows all of them are passed with the probability `ENOUGH`; None: with no number."""
    low, high = 1.0, MANY
    if joint_power(planned, margin, confidence, high) < ENOUGH:
        return None
    if joint_power(planned, margin, confidence, low) >= ENOUGH:
        return low
    while high / low > 1.01:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if joint_power(planned, margin, confidence, middle) >= ENOUGH else (middle, high)
    return high
