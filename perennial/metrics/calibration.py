"""Calibration: whether a score of 0.8 is right eight times in ten. From stored answers alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

BINS = 15


@dataclass(frozen=True)
class Bin:
    """Answers of like scores: one bar of a reliability diagram."""

    low: float
    """Scores from here …"""
    high: float
    """… to before here; the last bin holds a score of 1 as well."""
    n: int
    mean_score: float
    accuracy: float
    """Share of them that are right."""


def reliability(scores: Sequence[float], right: Sequence[bool]) -> tuple[Bin, ...]:
    """Equal-width bins of answers by score (0 to 1), without the empty ones; `right`: whether each answer is right.

    What a kind's answers and scores are, `Kind.scored` says. (Guo et al. 2017, section 2; Niculescu-Mizil and Caruana
    2005.)
    """
    import numpy as np

    given, truth = np.asarray(scores, dtype=np.float64), np.asarray(right, dtype=np.float64)
    places = np.clip((given * BINS).astype(int), 0, BINS - 1)
    counts = np.bincount(places, minlength=BINS)
    sums, hits = (np.bincount(places, weights=values, minlength=BINS) for values in (given, truth))
    return tuple(
        Bin(index / BINS, (index + 1) / BINS, int(n), float(sums[index] / n), float(hits[index] / n))
        for index, n in enumerate(counts)
        if n
    )


def error(scores: Sequence[float], right: Sequence[bool]) -> float:
    """The expected calibration error: the mean distance of score and accuracy over the bins (Guo et al. 2017)."""
    bins = reliability(scores, right)
    return sum(each.n * abs(each.accuracy - each.mean_score) for each in bins) / max(1, sum(each.n for each in bins))
