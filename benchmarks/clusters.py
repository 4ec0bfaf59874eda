"""Clusters: how often a candidate that is worse by the margin is promoted where test rows are not independent.

The simulation of `gates`, with test rows that belong together: copies of one text, which have one label and get one
answer; groups (customers, threads) whose rows are alike in part; pairs that share their first or their second text.
Beside our rule the one that takes each row for itself. BENCH_PAIRS: how many pairs of models for each figure.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import gates
from benchmarks.gates import World
from perennial.evaluation import resampling
from perennial.evaluation.resampling import Distinct
from perennial.metrics.clusters import Clusters

PAIRS = int(os.environ.get("BENCH_PAIRS", "1000"))
Sizes = Callable[[np.random.Generator], np.ndarray]
LONGEST_TAIL = 500
"""Copies of a text, at most."""


@dataclass(frozen=True)
class Layout:
    """How test rows belong together."""

    sizes: Sizes
    """Draws how many rows each cluster has."""
    alike: float = 1.0
    """How likely two rows of a cluster are one observation, and not two (the intra-cluster correlation)."""
    crossed: int = 0
    """Over how many second texts the rows are spread, which make rows alike as much as the first do; 0: none."""


LAYOUTS: Mapping[str, Layout] = {
    "1,000 texts": Layout(lambda draw: np.full(1000, 1)),
    "250 texts × 4": Layout(lambda draw: np.full(250, 4)),
    "100 texts × 10": Layout(lambda draw: np.full(100, 10)),
    "50 texts × 40": Layout(lambda draw: np.full(50, 40)),
    "500 texts × 40": Layout(lambda draw: np.full(500, 40)),
    "400 texts, copies by Zipf's law (1.7)": Layout(lambda draw: np.minimum(draw.zipf(1.7, 400), LONGEST_TAIL)),
    "3,000 texts, copies by Zipf's law (2.2)": Layout(lambda draw: np.minimum(draw.zipf(2.2, 3000), LONGEST_TAIL)),
    "300 texts, the n-th with 100 / n copies": Layout(lambda draw: np.maximum(1, 100 // np.arange(1, 301))),
    "100 groups × 20, correlation 0.1": Layout(lambda draw: np.full(100, 20), alike=0.1),
    "150 groups of 10 on average, correlation 0.3": Layout(lambda draw: draw.geometric(0.1, 150), alike=0.3),
    "pairs: 300 first texts × 4, 150 second texts": Layout(lambda draw: np.full(300, 4), alike=0.3, crossed=150),
}


@dataclass(frozen=True)
class Promotions:
    """Shares of pairs of models in which the candidate was promoted."""

    ours: float
    by_rows: float
    """If each row is taken to be independent."""


def measure(scratch: Path) -> dict[str, object]:
    """Shares of promotions by both rules."""
    figures: dict[str, object] = {"promised share of wrong promotions, at most": (1 - gates.CONFIDENCE) / 2}
    natures = {"worse by the margin": gates.world(gates.MARGIN, 0.03), "equal": gates.world(0.0, 0.03)}
    for name, layout in LAYOUTS.items():
        for what, nature in natures.items():
            shares = promotions(nature, layout, PAIRS, gates.RESAMPLES)
            figures[f"{name}, {what}"] = {"promoted": shares.ours, "promoted if by rows": shares.by_rows}
    return figures


def promotions(nature: World, layout: Layout, pairs: int, resamples: int) -> Promotions:
    """How often a candidate like that is promoted by accuracy, whose margin is `gates.MARGIN`."""
    draw, distinct = np.random.default_rng(1), nature.distinct
    column = distinct.metric_sums.names.index(("accuracy", None))
    ours = by_rows = 0
    for _ in range(pairs):
        rows = _drawn(nature, distinct, layout, draw)
        together = resampling.estimate_inside(rows, None, confidence=gates.CONFIDENCE, resamples=resamples)
        alone = resampling.estimate(rows, rows.counts(), confidence=gates.CONFIDENCE, resamples=resamples)
        ours += bool(together.low[column] > -gates.MARGIN)
        by_rows += bool(alone.low[column] > -gates.MARGIN)
    return Promotions(ours / pairs, by_rows / pairs)


def _drawn(nature: World, distinct: Distinct, layout: Layout, draw: np.random.Generator) -> Distinct:
    """Test rows of two models of this nature."""
    sizes = layout.sizes(draw)
    first = np.repeat(np.arange(len(sizes)), sizes)
    ways = {"text": first}
    shared = _outcomes(nature, len(sizes), draw)[first]
    if layout.crossed:
        ways["text_pair"] = draw.integers(0, layout.crossed, len(first))
        other = _outcomes(nature, layout.crossed, draw)[ways["text_pair"]]
        shared = np.where(draw.random(len(first)) < 0.5, shared, other)
    # Two rows are alike if both follow what they share.
    follows = draw.random(len(first)) < np.sqrt(layout.alike)
    outcomes = np.where(follows, shared, _outcomes(nature, len(first), draw))
    return Distinct(distinct.metric_sums, distinct.patterns, distinct.like[outcomes], Clusters.by_numbers(ways))


def _outcomes(nature: World, count: int, draw: np.random.Generator) -> np.ndarray:
    return draw.choice(len(nature.often), size=count, p=nature.often)
