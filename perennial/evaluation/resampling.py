"""Confidence intervals by the bootstrap: how a figure would vary if other rows like these had come.

Rows are drawn with replacement, as many as there are (Efron 1979); of two models on the same rows, row and row
together. Where rows belong together (copies of a text, a group), whole clusters of them are drawn (Field and Welsh
2007). The interval is the bias-corrected and accelerated one, BCa (Efron 1987; DiCiccio and Efron 1996), which
holds its level where the distribution is skewed, as it is when mistakes are few.

A bootstrap knows only rows it has seen: of twenty rows that two models answer alike it would conclude that they never
differ. So each resample also holds imagined rows: on average z²/2 that are answered badly and z²/2 that are answered
well, z being the normal quantile of the confidence, which is what Agresti and Coull (1998) add to a share, and Agresti
and Min (2005) and Bonett and Price (2012), with other numbers, to a difference of paired shares. Each is worth what a
row of the sort that matters most to the metric is worth, so few rows of a label make a wide interval.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from perennial.metrics.clusters import Clusters, Together, rows_together
from perennial.metrics.sums import MetricSums, Name

WORK = 100_000_000
"""Draws of a row (rows × resamples) up to which resamples are drawn row by row. Beyond, sums of so many rows are drawn
from the normal distribution that they have by then."""
DRAWN_AT_ONCE = 2_000_000
"""Rows drawn at once; they take some 50 MB."""
ROW_BY_ROW = 12
"""Drawing how often a distinct row comes takes as long as drawing this many rows."""
ROUNDING = 1e-12
STEEPEST = 0.2
"""Of the acceleration: beyond, BCa's quantile is not defined everywhere."""
SEED = 20_050


@dataclass(frozen=True)
class Distinct:
    """Rows that differ, which of them each row is like, and which rows belong together."""

    metric_sums: MetricSums
    patterns: np.ndarray
    """distinct rows × sums."""
    like: np.ndarray
    """For each row, its place in `patterns`."""
    clusters: Clusters | None = None
    """None: each row is independent of all others."""

    @classmethod
    def of(cls, metric_sums: MetricSums, clusters: Clusters | None = None) -> Distinct:
        """The distinct rows of `metric_sums`."""
        patterns, like = np.unique(metric_sums.rows, axis=0, return_inverse=True)
        together = None if clusters is None or clusters.each_alone() else clusters
        return cls(metric_sums, patterns.astype(np.float64), like.ravel(), together)

    def counts(self, inside: np.ndarray | None = None) -> np.ndarray:
        """How often each distinct row is there, among all rows or those `inside` (bool)."""
        like = self.like if inside is None else self.like[inside]
        return np.bincount(like, minlength=len(self.patterns))


@dataclass(frozen=True)
class Units:
    """What is drawn: rows, or clusters of rows that belong together."""

    patterns: np.ndarray
    """distinct units × sums."""
    counts: np.ndarray
    """How often each is there."""
    size: np.ndarray
    """Rows that an imagined unit of each sort stands for, by metric (sorts × metrics); all 1 where units are rows."""
    stretch: np.ndarray
    """How much more each metric varies than these units say, as they are not all independent (metrics)."""


@dataclass(frozen=True)
class Estimate:
    """Figures and how sure they are; one entry for each of `names`."""

    names: tuple[Name, ...]
    values: np.ndarray
    low: np.ndarray
    high: np.ndarray
    errors: np.ndarray
    """Standard errors."""


def estimate(
    distinct: Distinct, counts: np.ndarray, *, confidence: float, resamples: int, work: int = WORK
) -> Estimate:
    """The figures of the rows that `counts` counts, all independent, with two-sided intervals; NaN where there is
    nothing to measure.

    Seeded: the same rows give the same intervals.
    """
    metric_sums, there = distinct.metric_sums, counts > 0
    patterns, counts = distinct.patterns[there], counts[there]
    size = np.ones((len(metric_sums.counted_in), len(metric_sums.names)))
    units = Units(patterns, counts, size, np.ones(len(metric_sums.names)))
    return _estimate(metric_sums, units, confidence, resamples, work)


def estimate_inside(
    distinct: Distinct, inside: np.ndarray | None, *, confidence: float, resamples: int, work: int = WORK
) -> Estimate:
    """`estimate` of all rows or those `inside` (bool); what is drawn are clusters where rows belong together."""
    counts = distinct.counts(inside)
    clusters, like = distinct.clusters, distinct.like
    if clusters is not None and inside is not None:
        clusters, like = clusters.inside(inside), like[inside]
    if clusters is None or clusters.each_alone():
        return estimate(distinct, counts, confidence=confidence, resamples=resamples, work=work)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    return _estimate(distinct.metric_sums, clustered(distinct, like, clusters, z), confidence, resamples, work)


def clustered(distinct: Distinct, like: np.ndarray, clusters: Clusters, z: float) -> Units:
    """The units that the rows `like` form in `clusters`, `z` being the normal quantile of the confidence.

    How many rows an imagined unit stands for lies between the worst case, that all rows of a cluster are alike (Kish
    1965), and the design effect that is seen, by z² units against those that tell of it.
    """
    metric_sums, counts = distinct.metric_sums, np.bincount(like, minlength=len(distinct.patterns))
    patterns = distinct.patterns
    ways = [rows_together(way) for way in clusters.ways]
    alone, sums = _sums_of_clusters(patterns, like, ways[0])
    total = (counts @ patterns)[None]
    values = metric_sums.figures(total)[0]
    there = counts > 0
    influence = np.zeros((len(patterns), len(values)))
    influence[there] = np.nan_to_num(values - metric_sums.figures(total - patterns[there]))
    influence -= counts @ influence / counts.sum()
    by_rows = counts @ influence**2
    squares, fourths = zip(*(_powers(influence, like, way) for way in ways), strict=True)
    together = squares[0] + squares[1] - squares[2] if len(squares) > 1 else squares[0]
    together = np.maximum.reduce([together, *squares, by_rows])
    columns = list(metric_sums.counted_in)
    kish = np.maximum.reduce([_kish(patterns[:, columns], like, counts, way) for way in ways])
    with np.errstate(divide="ignore", invalid="ignore"):
        effect = np.nan_to_num(together / by_rows, nan=1.0)
        telling = np.nan_to_num(np.square(squares[0]) / fourths[0])
        stretch = np.sqrt(np.nan_to_num(together / squares[0], nan=1.0, posinf=1.0))
    stretch = stretch * _of_few(int(alone.sum()) + len(sums), z)
    size = (z**2 * kish[:, None] + telling * effect) / (z**2 + telling)
    units, often = np.unique(sums, axis=0, return_counts=True)
    return Units(np.concatenate([patterns[alone > 0], units]), np.concatenate([alone[alone > 0], often]), size, stretch)


def _of_few(clusters: int, z: float) -> float:
    """How much wider an interval of so few clusters must be: G / (G - 1), and Student's t (Cameron and Miller 2015)."""
    others = max(clusters - 1, 1)
    return float(np.sqrt(clusters / others) * (1 + (z**2 + 1) / (4 * others)))


def _sums_of_clusters(patterns: np.ndarray, like: np.ndarray, together: Together) -> tuple[np.ndarray, np.ndarray]:
    """How often each of `patterns` is a row by itself, and the sums of each cluster of more rows."""
    alone = np.bincount(np.delete(like, together.rows), minlength=len(patterns))
    if not len(together.rows):
        return alone, np.empty((0, patterns.shape[1]))
    return alone, np.add.reduceat(patterns[like[together.rows]], together.starts, axis=0)


def _powers(influence: np.ndarray, like: np.ndarray, together: Together) -> tuple[np.ndarray, np.ndarray]:
    """Sums over clusters of the second and the fourth power of their rows' influence, by metric."""
    alone, sums = _sums_of_clusters(influence, like, together)
    return alone @ influence**2 + (sums**2).sum(axis=0), alone @ influence**4 + (sums**4).sum(axis=0)


def _kish(columns: np.ndarray, like: np.ndarray, counts: np.ndarray, together: Together) -> np.ndarray:
    """How much more the sums `columns` would vary if the rows of each cluster were all alike."""
    alone, sums = _sums_of_clusters(columns, like, together)
    squares = counts @ columns**2
    return np.where(squares > 0, (alone @ columns**2 + (sums**2).sum(axis=0)) / np.where(squares > 0, squares, 1), 1.0)


def _estimate(metric_sums: MetricSums, units: Units, confidence: float, resamples: int, work: int) -> Estimate:
    patterns, counts = units.patterns, units.counts
    if not counts.sum():
        nothing = np.full(len(metric_sums.names), np.nan)
        return Estimate(metric_sums.names, nothing, nothing, nothing, nothing)
    draw = np.random.default_rng(SEED)
    total = (counts @ patterns)[None]
    values = metric_sums.figures(total)[0]
    if not np.isfinite(total).all():
        unknown = np.full(len(values), np.nan)
        return Estimate(metric_sums.names, values, unknown, unknown, unknown)
    sums = _draws(patterns, counts, resamples, work, draw)
    drawn = np.concatenate([metric_sums.figures(part) for part in sums])
    imagined = NormalDist().inv_cdf((1 + confidence) / 2) ** 2 / 2
    worth = _worth(metric_sums, total, values, imagined, units.size)
    skew = _acceleration(metric_sums, patterns, counts, total, values, worth, imagined)
    bias = _bias(drawn, values)
    drawn = values + units.stretch * (drawn - values)
    drawn = drawn + draw.poisson(imagined, (len(drawn), len(worth))) @ worth
    low, high = _quantiles(drawn, bias, skew, confidence)
    # Imagined rows may carry an end beyond what a metric can be.
    least, most = metric_sums.bounds()
    low, high = np.maximum(np.minimum(low, values), least), np.minimum(np.maximum(high, values), most)
    return Estimate(metric_sums.names, values, low, high, _spread(drawn))


def _draws(
    patterns: np.ndarray, counts: np.ndarray, resamples: int, work: int, draw: np.random.Generator
) -> Iterator[np.ndarray]:
    """Sums (draws × sums) of `resamples` resamples in all."""
    rows = int(counts.sum())
    by_pattern = ROW_BY_ROW * len(patterns) < rows
    if min(ROW_BY_ROW * len(patterns), rows) * resamples > work:
        yield _normal(patterns, counts, resamples, draw)
        return
    at_once = max(1, DRAWN_AT_ONCE // (len(patterns) if by_pattern else rows))
    for start in range(0, resamples, at_once):
        size = min(at_once, resamples - start)
        if by_pattern:
            often = draw.multinomial(rows, counts / rows, size=size)
        else:
            of_row = np.repeat(np.arange(len(patterns)), counts)
            chosen = of_row[draw.integers(0, rows, (size, rows))]
            places = (chosen + np.arange(size)[:, None] * len(patterns)).ravel()
            often = np.bincount(places, minlength=size * len(patterns)).reshape(size, -1)
        yield often @ patterns


def _normal(patterns: np.ndarray, counts: np.ndarray, resamples: int, draw: np.random.Generator) -> np.ndarray:
    rows, mean = counts.sum(), counts @ patterns / counts.sum()
    around = patterns - mean
    spread, ways = np.linalg.eigh((around * counts[:, None]).T @ around)
    # Either direction is as good; the same one on every machine.
    ways = ways * np.where(ways[np.abs(ways).argmax(axis=0), np.arange(len(ways))] < 0, -1.0, 1.0)
    steps = ways * np.sqrt(np.maximum(spread, 0.0))
    sums = rows * mean + draw.standard_normal((resamples, len(mean))) @ steps.T
    # What is never negative in a row is not so in a sum.
    return np.asarray(np.where(patterns.min(axis=0) >= 0, np.maximum(sums, 0.0), sums))


def _worth(
    metric_sums: MetricSums, total: np.ndarray, values: np.ndarray, imagined: float, size: np.ndarray
) -> np.ndarray:
    """What one imagined unit, badly or well answered (2 × metrics), adds to each metric: of the sort that adds most."""
    there = [index for index, column in enumerate(metric_sums.counted_in) if total[0, column] > 0]
    # Rows may hold no label at all: then a row of any label may be what is imagined.
    sorts = there or list(range(len(metric_sums.counted_in)))
    kinds = []
    for rows in (metric_sums.wrong[sorts], metric_sums.right[sorts]):
        added = np.stack(
            [_added(metric_sums, total, imagined * size[sort], row) for sort, row in zip(sorts, rows, strict=True)]
        )
        change = np.nan_to_num(added - values) / imagined
        kinds.append(change[np.abs(change).argmax(axis=0), np.arange(change.shape[1])])
    return np.stack(kinds)


def _added(metric_sums: MetricSums, total: np.ndarray, often: np.ndarray, row: np.ndarray) -> np.ndarray:
    """Each metric after `row` was added as often as `often` says for this metric."""
    if (often == often[0]).all():
        return np.asarray(metric_sums.figures(total + often[0] * row)[0])
    return np.asarray(np.diagonal(metric_sums.figures(total + often[:, None] * row)))


def _acceleration(
    metric_sums: MetricSums,
    patterns: np.ndarray,
    counts: np.ndarray,
    total: np.ndarray,
    values: np.ndarray,
    worth: np.ndarray,
    imagined: float,
) -> np.ndarray:
    """How skewed the rows' influence on each metric is: of all but one row (the jackknife), and of imagined rows."""
    if counts.sum() < 2:
        return np.zeros(len(values))
    without = metric_sums.figures(total - patterns)
    influence = np.nan_to_num(values - without)
    influence = influence - counts @ influence / counts.sum()
    squares = counts @ influence**2 + imagined * (worth**2).sum(axis=0)
    cubes = counts @ influence**3 + imagined * (worth**3).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        skew = np.nan_to_num(cubes / (6 * squares**1.5))
    return np.asarray(np.clip(skew, -STEEPEST, STEEPEST))


def _spread(drawn: np.ndarray) -> np.ndarray:
    """Standard deviation of each column's numbers; NaN where it has none."""
    is_number = ~np.isnan(drawn)
    count = np.where(is_number.any(axis=0), is_number.sum(axis=0), np.nan)
    around = np.where(is_number, drawn - np.where(is_number, drawn, 0.0).sum(axis=0) / count, 0.0)
    return np.asarray(np.sqrt(np.square(around).sum(axis=0) / count))


def _bias(drawn: np.ndarray, values: np.ndarray) -> np.ndarray:
    """How far the median of `drawn` lies from `values`, in standard deviations."""
    below = (drawn < values - ROUNDING).mean(axis=0)
    equal = (np.abs(drawn - values) <= ROUNDING).mean(axis=0)
    share = np.clip(below + equal / 2, 0.05, 0.95)
    return np.array([NormalDist().inv_cdf(each) for each in share])


def _quantiles(
    drawn: np.ndarray, bias: np.ndarray, skew: np.ndarray, confidence: float
) -> tuple[np.ndarray, np.ndarray]:
    low, high = np.full(len(bias), np.nan), np.full(len(bias), np.nan)
    ends = np.array([NormalDist().inv_cdf((1 - confidence) / 2), NormalDist().inv_cdf((1 + confidence) / 2)])
    for index, column in enumerate(drawn.T):
        numbers = column[~np.isnan(column)]
        if len(numbers) > len(column) / 2:
            from_bias = bias[index] + ends
            levels = [NormalDist().cdf(at) for at in bias[index] + from_bias / (1 - skew[index] * from_bias)]
            low[index], high[index] = np.quantile(numbers, levels)
    return low, high
