"""Slices: whether gates on many small slices promote a candidate as good as the champion, and stop a worse one.

Slices are independent of each other, and on 8% of the rows one model alone is right. `each`: every slice is shown by
itself to be at most 0.1 worse; `pooled`: as the setting `slices: pooled` of a gate has it. BENCH_PAIRS: how many pairs
of models for each figure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from benchmarks import gates
from benchmarks.clusters import PAIRS
from perennial.evaluation import resampling
from perennial.metrics.slice_pooling import pool

MARGIN = 0.1
ALONE = 0.04
"""Share of rows that only one model gets right, of either if they are equal."""
LAYOUTS = ((5, 200), (10, 100), (30, 100), (30, 300))
"""Slices, and rows of each."""


def _first(count: Callable[[int], int], worse: float) -> Callable[[int], np.ndarray]:
    """The first of so many slices are worse by so much."""
    return lambda slices: np.where(np.arange(slices) < count(slices), worse, 0.0)


NATURES: Mapping[str, Callable[[int], np.ndarray]] = {
    "equal": _first(lambda slices: 0, 0.0),
    "all worse by 0.02": _first(lambda slices: slices, 0.02),
    "all at the margin": _first(lambda slices: slices, MARGIN),
    "a third at the margin": _first(lambda slices: slices // 3, MARGIN),
    "one at the margin": _first(lambda slices: 1, MARGIN),
    "one at one and a half times it": _first(lambda slices: 1, 1.5 * MARGIN),
    "one at twice it": _first(lambda slices: 1, 2 * MARGIN),
}


@dataclass(frozen=True)
class SlicePromotions:
    """Shares of pairs of models in which the candidate passed on all slices."""

    each: float
    pooled: float


def measure(scratch: Path) -> dict[str, object]:
    """Shares of promotions by both rules."""
    figures: dict[str, object] = {}
    for slices, rows in LAYOUTS:
        for nature in NATURES:
            shares = promotions(slices, rows, nature, PAIRS)
            figures[f"{slices} slices of {rows}, {nature}"] = {"each": shares.each, "pooled": shares.pooled}
    return figures


def promotions(slices: int, rows: int, nature: str, pairs: int) -> SlicePromotions:
    """How often a candidate of this nature passes."""
    draw = np.random.default_rng(1)
    worse = NATURES[nature](slices)
    passed = np.zeros(2)
    for _ in range(pairs):
        counts = [draw.multinomial(rows, (ALONE + by, ALONE, 1 - 2 * ALONE - by)) for by in worse]
        passed += _passes(np.array([_estimate(rows, int(lost), int(gained)) for lost, gained, _ in counts]))
    each, pooled = (passed / pairs).tolist()
    return SlicePromotions(each, pooled)


def _passes(estimates: np.ndarray) -> tuple[bool, bool]:
    """Whether all slices (value, low end, standard error) pass by either rule."""
    values, low, errors = estimates.T
    alone = low > -MARGIN
    together = pool(values.tolist(), errors.tolist(), confidence=gates.CONFIDENCE)
    leaning = [one.low > -MARGIN and not one.stands_out for one in together]
    return bool(alone.all()), bool((alone | (np.array(leaning) & (values > -MARGIN))).all())


@cache
def _estimate(rows: int, lost: int, gained: int) -> tuple[float, float, float]:
    """Value, low end and standard error of the difference in accuracy."""
    distinct = gates.world(0.0, ALONE).distinct
    column = distinct.metric_sums.names.index(("accuracy", None))
    # The world's first three sorts of rows: both are right, only the champion, only the candidate.
    often = np.zeros(len(distinct.like))
    often[:3] = rows - lost - gained, lost, gained
    counts = np.bincount(distinct.like, weights=often, minlength=len(distinct.patterns)).astype(np.int64)
    estimate = resampling.estimate(distinct, counts, confidence=gates.CONFIDENCE, resamples=gates.RESAMPLES)
    return float(estimate.values[column]), float(estimate.low[column]), float(estimate.errors[column])
