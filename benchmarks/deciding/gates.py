"""Gates: how often a candidate that should not serve is promoted.

The simulation makes 1,000 pairs of models whose true difference is known, draws test rows for each pair, and asks two
rules: ours (non-inferiority by the paired bootstrap, at the level that `evaluation.confidence` promises) and what most
pipelines do (promote if the candidate's figure is not lower).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from perennial.evaluation import resampling
from perennial.evaluation.resampling import Distinct
from perennial.metrics import sums
from perennial.metrics.prediction import Prediction

PAIRS = 1000
ROWS = (50, 200, 1000, 5000)
CONFIDENCE = 0.95
RESAMPLES = 2000
"""Fewer than a run takes: the quantiles of each pair are a little rougher, and their mean over all pairs is not."""
MARGIN = 0.02
LABELS = ("common", "usual", "rare")
SHARES = (0.6, 0.3, 0.1)


@dataclass(frozen=True)
class World:
    """Two models as nature has them: how often each combination of a row's label and their answers comes."""

    targets: tuple[str, ...]
    candidate: tuple[str, ...]
    champion: tuple[str, ...]
    often: np.ndarray

    @property
    def distinct(self) -> Distinct:
        """The combinations as rows."""
        ours, theirs = (_answers(answers) for answers in (self.candidate, self.champion))
        both = zip(*(sums.single_label_sums(self.targets, given, LABELS) for given in (ours, theirs)), strict=True)
        one, other = next(both)
        return Distinct.of(sums.paired(one, other))

    def difference(self, metric: str) -> float:
        """Candidate minus champion on infinitely many rows."""
        sums = (self.distinct.patterns[self.distinct.like].T @ self.often)[None]
        metric_sums = self.distinct.metric_sums
        return float(metric_sums.figures(sums)[0, metric_sums.names.index((metric, None))])


def measure(scratch: Path) -> dict[str, object]:
    """Shares of promotions by both rules."""
    figures: dict[str, object] = {"promised share of wrong promotions, at most": (1 - CONFIDENCE) / 2}
    for metric in ("accuracy", "macro_f1"):
        for rows in ROWS:
            figures |= _simulated(metric, rows)
    for rows in ROWS[:-1]:
        figures |= _simulated_losses(rows)
    return figures


def world(worse: float, disagreement: float) -> World:
    """A candidate that errs on `worse` more of all rows than the champion; both err alone on `disagreement` more."""
    cells: list[tuple[str, str, str, float]] = []
    for number, (label, share) in enumerate(zip(LABELS, SHARES, strict=True)):
        other = LABELS[(number + 1) % len(LABELS)]
        lost, gained, neither = worse + disagreement, disagreement, 0.08
        cells += [
            (label, label, label, share * (1 - lost - gained - neither)),
            (label, other, label, share * lost),
            (label, label, other, share * gained),
            (label, other, other, share * neither),
        ]
    targets, candidate, champion, often = zip(*cells, strict=True)
    return World(targets, candidate, champion, np.array(often))


def _simulated(metric: str, rows: int) -> dict[str, object]:
    figures: dict[str, object] = {}
    # The margin is what the first is worse by: promoting it is always wrong. The second is equal, the third better.
    worst = world(MARGIN, 0.03)
    margin = -worst.difference(metric)
    for what, nature in (("worse by the margin", worst), ("equal", world(0.0, 0.03)), ("better", world(-MARGIN, 0.05))):
        ours, plain = _promoted(nature, metric, rows, margin)
        figures[f"{metric}, {rows:,} rows, {what}"] = {"promoted": ours, "by candidate >= champion": plain}
    return figures


def _promoted(nature: World, metric: str, rows: int, margin: float) -> tuple[float, float]:
    draw = np.random.default_rng(rows)
    distinct = nature.distinct
    column = distinct.metric_sums.names.index((metric, None))
    ours = plain = 0
    for often in draw.multinomial(rows, nature.often, size=PAIRS):
        counts = np.bincount(distinct.like, weights=often, minlength=len(distinct.patterns)).astype(np.int64)
        estimate = resampling.estimate(distinct, counts, confidence=CONFIDENCE, resamples=RESAMPLES)
        ours += bool(estimate.low[column] > -margin)
        plain += bool(estimate.values[column] >= 0)
    return ours / PAIRS, plain / PAIRS


def _simulated_losses(rows: int) -> dict[str, object]:
    """Log loss: no counts, and heavy in the tail. The candidate's is worse by exactly the margin."""
    draw = np.random.default_rng(rows)
    margin = MARGIN
    ours = plain = 0
    for _ in range(PAIRS):
        # exponential: the log loss of an answer whose probability is spread evenly
        shared, one, other = draw.exponential([[0.2], [0.1], [0.1]], (3, rows))
        both = [_losses(shared + one + margin), _losses(shared + other)]
        distinct = Distinct.of(sums.paired(*both))
        estimate = resampling.estimate(distinct, distinct.counts(), confidence=CONFIDENCE, resamples=RESAMPLES)
        # The first metric of these sums; lower is better.
        ours += bool(estimate.high[0] < margin)
        plain += bool(estimate.values[0] <= 0)
    figures = {"promoted": ours / PAIRS, "by candidate >= champion": plain / PAIRS}
    return {f"log_loss, {rows:,} rows, worse by the margin": figures}


def _losses(values: np.ndarray) -> sums.MetricSums:
    likely = np.exp(-values)
    answers: list[Prediction] = [{"label": "a", "scores": {"a": share, "b": 1 - share}} for share in likely.tolist()]
    return sums.single_label_sums(["a"] * len(values), answers, ("a", "b"))[1]


def _answers(labels: Sequence[str]) -> list[Prediction]:
    sure = [dict.fromkeys(LABELS, 0.0) | {label: 1.0} for label in labels]
    return [{"label": label, "score": 1.0, "scores": scores} for label, scores in zip(labels, sure, strict=True)]
