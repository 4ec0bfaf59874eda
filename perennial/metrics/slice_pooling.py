"""Slices judged together: what each one's rows say, and what the others make of it.

Thirty slices of a hundred rows are never all shown by themselves to be no worse than a margin: each has its own chance
to look bad. Slices of one way of telling rows apart are mostly alike, so each one's difference is drawn towards their
common mean, by as much as its own rows can't tell it from the others (parametric empirical Bayes: Morris 1983; the
variance between slices after DerSimonian and Laird 1986). That forgives chance, and would forgive a single bad slice
among many good ones, too: one that stands out is left to its own rows. It stands out if it is significantly below the
mean of all, by Holm's procedure over the slices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from perennial.metrics import ranges


@dataclass(frozen=True)
class PooledSlice:
    """One slice's difference (positive: the candidate is better) beside those of the others."""

    value: float
    low: float
    high: float
    stands_out: bool
    """Whether it is below the others by more than chance, so that its own rows alone decide."""


def pool(
    values: Sequence[float],
    errors: Sequence[float],
    *,
    confidence: float,
    shared: float = 1.0,
    bounds: tuple[float, float] = ranges.UNBOUNDED,
) -> list[PooledSlice]:
    """Each slice's difference and its interval, given those of all slices of one way of telling rows apart.

    `values`: positive where the candidate is better; `errors`: their standard errors, above 0. `shared`: how many times
    as much a mean of slices varies as if they had no text or group in common, at least 1. `bounds`: the lowest and the
    highest that a difference can be; no interval goes beyond.
    """
    differences, variances = np.array(values, dtype=np.float64), np.square(np.array(errors, dtype=np.float64))
    between = _between(differences, variances)
    weights = 1 / (variances + between)
    mean, of_mean = float(weights @ differences / weights.sum()), shared / float(weights.sum())
    kept = between / (between + variances)
    pooled = mean + kept * (differences - mean)
    spread = np.sqrt(kept * variances + (1 - kept) ** 2 * of_mean)
    reach = NormalDist().inv_cdf((1 + confidence) / 2) * spread
    outlying = _stands_out((differences - mean) / np.sqrt(variances), (1 - confidence) / 2)
    rows = zip(pooled.tolist(), reach.tolist(), outlying, strict=True)
    low, high = bounds
    return [PooledSlice(value, max(low, value - half), min(high, value + half), is_out) for value, half, is_out in rows]


def _between(values: np.ndarray, variances: np.ndarray) -> float:
    """How much the slices' true differences vary: what their spread has beyond chance."""
    if len(values) < 2:
        return 0.0
    weights = 1 / variances
    mean = weights @ values / weights.sum()
    excess = weights @ np.square(values - mean) - (len(values) - 1)
    return max(0.0, float(excess / (weights.sum() - np.square(weights).sum() / weights.sum())))


def _stands_out(scores: np.ndarray, level: float) -> list[bool]:
    """Which of the standard scores are too low for chance, among so many."""
    return [p < level for p in holm([NormalDist().cdf(score) for score in scores.tolist()])]


def holm(p_values: Sequence[float]) -> list[float]:
    """`p_values` of one family, adjusted for how many there are (Holm 1979).

    The smallest of three counts three times, the next twice, the last once, and none less than the one before it:

    >>> holm([0.04, 0.01, 0.03])
    [0.06, 0.03, 0.06]
    """
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, p_values[index] * (len(p_values) - rank)))
        adjusted[index] = highest
    return adjusted
