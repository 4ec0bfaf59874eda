"""Two models on the same rows: how much better or worse the candidate is, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist
from typing import Any

import numpy as np

from perennial.evaluation import resampling
from perennial.evaluation.resampling import Distinct, Estimate
from perennial.kinds.protocols import JudgesAnswers
from perennial.metrics.clusters import Clusters, effective_rows, mcnemar_by_cluster
from perennial.metrics.prediction import Prediction
from perennial.metrics.sums import MetricSums, paired
from perennial.records.evaluation import Comparison, Difference, Metrics
from perennial.records.interval import Interval
from perennial.settings.evaluation import EvaluationSpec

WORST = 20
SLICE_WORK = 5_000_000
"""As `resampling.WORK`, for a slice: there may be many."""
DECIMALS = 10
"""Of what is kept: the last digits of a sum differ between machines."""


@dataclass(frozen=True)
class ComparedRows:
    """Rows that models are judged on, and how."""

    kind: JudgesAnswers
    labels: tuple[str, ...]
    ids: Sequence[str]
    targets: Sequence[Any]
    settings: EvaluationSpec
    clusters: Clusters | None = None
    """Which of them belong together; None: each is independent."""

    def measure(self, answers: Sequence[Prediction]) -> Metrics:
        """Every metric of `answers`."""
        return self.kind.measure(self.targets, answers, self.labels)

    def metric_sums(self, answers: Sequence[Prediction]) -> tuple[MetricSums, ...]:
        """What `answers` add to sums, row by row; none where there is nothing to measure."""
        if not self.targets or (not self.labels and self.kind.label_metrics):
            return ()
        return self.kind.metric_sums(self.targets, answers, self.labels)


@dataclass(frozen=True)
class Sums:
    """Some metric sums, ready for any choice of rows."""

    rows: ComparedRows
    parts: tuple[Distinct, ...]

    @classmethod
    def of(cls, rows: ComparedRows, metric_sums: Sequence[MetricSums]) -> Sums:
        """The sums of `metric_sums`."""
        return cls(rows, tuple(Distinct.of(one, rows.clusters) for one in metric_sums))

    def estimates(self, inside: np.ndarray | None = None) -> Iterator[Estimate]:
        """Figures with intervals of all rows, or of those `inside` (bool)."""
        settings = self.rows.settings
        work = resampling.WORK if inside is None else SLICE_WORK
        for part in self.parts:
            yield resampling.estimate_inside(
                part, inside, confidence=settings.confidence, resamples=settings.resamples, work=work
            )

    def with_intervals(self, metrics: Metrics) -> Metrics:
        """`metrics` with the interval of each figure that has one."""
        overall: dict[str, Interval] = {}
        by_label: dict[str, dict[str, Interval]] = {}
        for metric, label, _, interval, _ in _figures(self.estimates()):
            if label is None and metric in metrics.values:
                overall[metric] = interval
            elif label is not None and metric in metrics.per_label.get(label, {}):
                by_label.setdefault(label, {})[metric] = interval
        every = np.ones(len(self.rows.targets), bool)
        independent = _independent(self.rows.clusters, every) | (
            {"label_clusters": self._label_clusters()} if metrics.support else {}
        )
        return metrics.model_copy(update={"intervals": overall, "label_intervals": by_label} | independent)

    def metrics(self, inside: np.ndarray) -> Metrics:
        """The metrics of the rows `inside`, with intervals of those of all labels together."""
        values: dict[str, float] = {}
        intervals: dict[str, Interval] = {}
        per_label: dict[str, dict[str, float]] = {}
        for metric, label, value, interval, _ in _figures(self.estimates(inside)):
            if label is None:
                values[metric], intervals[metric] = value, interval
            else:
                per_label.setdefault(label, {})[metric] = value
        return Metrics(
            n=int(inside.sum()),
            values=values,
            per_label=per_label,
            support=self._support(inside) if per_label else {},
            intervals=intervals,
            **_independent(self.rows.clusters, inside),
        )

    def _label_clusters(self) -> dict[str, int]:
        """How many clusters have rows of each label."""
        clusters, first = self.rows.clusters, self.parts[0]
        if clusters is None or clusters.each_alone():
            return {}
        columns = first.patterns[first.like][:, list(first.metric_sums.counted_in)] > 0
        counts = (clusters.count(rows) for rows in columns.T)
        return dict(zip(self.rows.labels, counts, strict=True))

    def _support(self, inside: np.ndarray) -> dict[str, int]:
        first = self.parts[0]
        there = (first.counts(inside) @ first.patterns)[list(first.metric_sums.counted_in)]
        return {label: int(count) for label, count in zip(self.rows.labels, there, strict=True)}


@dataclass(frozen=True)
class Rivals:
    """Candidate and champion on the same rows."""

    rows: ComparedRows
    candidate: Sequence[Prediction]
    champion: Sequence[Prediction]

    @cached_property
    def differences(self) -> Sums:
        """Of candidate minus champion."""
        both = zip(self.rows.metric_sums(self.candidate), self.rows.metric_sums(self.champion), strict=True)
        return Sums.of(self.rows, [paired(one, other) for one, other in both])

    @cached_property
    def flips(self) -> np.ndarray:
        """For each row 1: only the candidate is right, -1: only the champion is, 0: both are, or neither."""
        right = self.rows.kind.right
        each = zip(self.rows.targets, self.candidate, self.champion, strict=True)
        return np.array([int(bool(right(t, one))) - int(bool(right(t, other))) for t, one, other in each], dtype=int)

    def compare(self) -> Comparison:
        """The candidate beside the champion on all rows."""
        overall: dict[str, Difference] = {}
        by_label: dict[str, dict[str, Difference]] = {}
        for metric, label, difference in self._differences(None):
            group = overall if label is None else by_label.setdefault(label, {})
            group[metric] = difference
        figures = self._counted(np.ones(len(self.rows.targets), bool), overall)
        return figures.model_copy(update={"per_label": by_label, "worst": self._worst()})

    def compare_inside(self, inside: np.ndarray) -> Comparison:
        """The candidate beside the champion on the rows `inside`, without single labels' figures."""
        overall = {metric: change for metric, label, change in self._differences(inside) if not label}
        return self._counted(inside, overall)

    def _differences(self, inside: np.ndarray | None) -> Iterator[tuple[str, str | None, Difference]]:
        lower = self.rows.kind.lower_is_better
        for metric, label, value, interval, error in _figures(self.differences.estimates(inside)):
            better = -value if metric in lower else value
            yield (
                metric,
                label,
                Difference(value=value, interval=interval, standard_error=error, worse_p=p_value(better, error)),
            )

    def _counted(self, inside: np.ndarray, values: dict[str, Difference]) -> Comparison:
        independent = _independent(self.rows.clusters, inside)
        if not self.rows.kind.right_or_wrong:
            return Comparison(n=int(inside.sum()), values=values, **independent)
        flips = self.flips[inside]
        negative, positive = int((flips < 0).sum()), int((flips > 0).sum())
        clusters = self.rows.clusters.inside(inside) if self.rows.clusters and independent else None
        z = NormalDist().inv_cdf((1 + self.rows.settings.confidence) / 2)
        return Comparison(
            n=int(inside.sum()),
            values=values,
            mcnemar_p=_mcnemar_of(flips, clusters) if clusters else mcnemar(negative, positive),
            negative_flips=negative,
            positive_flips=positive,
            effective_n=round(effective_rows(flips < 0, clusters, z), DECIMALS) if clusters else None,
            **independent,
        )

    def _worst(self) -> tuple[str, ...]:
        if not self.rows.kind.right_or_wrong:
            return ()
        lost = np.flatnonzero(self.flips < 0).tolist()
        surest = sorted(lost, key=lambda row: -self.rows.kind.sureness(self.candidate[row]))
        return tuple(self.rows.ids[row] for row in surest[:WORST])


def p_value(difference: float, error: float) -> float:
    """One-sided, of "the true difference is not below 0": small where it is shown to be."""
    if error == 0:
        return 1.0 if difference >= 0 else 0.0
    return round(NormalDist().cdf(difference / error), DECIMALS)


def mcnemar(one: int, other: int) -> float:
    """The exact two-sided p-value of rows on which only one, or only the other model is right (McNemar 1947)."""
    both = one + other
    ways = (math.lgamma(both + 1) - math.lgamma(k + 1) - math.lgamma(both - k + 1) for k in range(min(one, other) + 1))
    return round(min(1.0, 2 * sum(math.exp(way - both * math.log(2)) for way in ways)), DECIMALS)


def _mcnemar_of(flips: np.ndarray, clusters: Clusters) -> float:
    return round(mcnemar_by_cluster(flips, clusters.first), DECIMALS)


def _independent(clusters: Clusters | None, inside: np.ndarray) -> dict[str, Any]:
    """The fields that say how many of the rows `inside` are independent; none where all of them are."""
    if clusters is None or not inside.any() or clusters.inside(inside).each_alone():
        return {}
    return {"clusters": clusters.count(inside), "clustered_by": clusters.unit}


def _figures(estimates: Iterator[Estimate]) -> Iterator[tuple[str, str | None, float, Interval, float]]:
    """Metric, label, value, interval and standard error of all that could be measured."""
    for estimate in estimates:
        columns = np.round(np.stack([estimate.values, estimate.low, estimate.high, estimate.errors]), DECIMALS)
        for (metric, label), (value, low, high, error) in zip(estimate.names, columns.T.tolist(), strict=True):
            if np.isfinite([value, low, high, error]).all():
                yield metric, label, value, Interval(low=low, high=high), error
