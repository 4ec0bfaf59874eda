"""Metrics of any number of labels a row, and the thresholds that choose them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from perennial.metrics.prediction import Prediction
from perennial.records.evaluation import Metrics

if TYPE_CHECKING:
    import numpy as np

SMALLEST_PROBABILITY = 1e-15
FEWEST_POSITIVES = 3
"""With fewer rows that have a label, its threshold would be chosen by chance; then it is 0.5."""


def multi_label_metrics(
    targets: Sequence[Sequence[str]], predictions: Sequence[Prediction], labels: Sequence[str]
) -> Metrics:
    """Every metric of `predictions` beside the true labels `targets` of each row.

    The macro average leaves out labels without a row in `targets`. No rows or no labels at all: no metrics.
    """
    import numpy as np

    if not targets or not labels:
        return Metrics(n=0, values={})
    true, answered = label_matrix(targets, labels), label_matrix([answer["labels"] for answer in predictions], labels)
    # Counted here: of a single label scikit-learn would make two, the label and its absence.
    right, given, there = (each.sum(axis=0) for each in (true & answered, answered, true))
    scores = np.array([[answer["scores"].get(label, 0.0) for label in labels] for answer in predictions])
    micro = _figures(right.sum(), given.sum(), there.sum())
    values = {f"micro_{name}": value for name, value in micro.items()}
    values["exact_match"] = float((true == answered).all(axis=1).mean())
    values["log_loss"] = _log_loss(true, scores)
    # The mean over rows and labels of the score's squared error: 0 best, 1 worst (Brier 1950).
    values["brier"] = float(np.square(scores - true).mean())
    per_label = {label: _figures(right[i], given[i], there[i]) for i, label in enumerate(labels) if there[i]}
    if per_label:
        values["macro_f1"] = sum(figures["f1"] for figures in per_label.values()) / len(per_label)
    support = {label: int(count) for label, count in zip(labels, there, strict=True)}
    return Metrics(n=len(targets), values=values, per_label=per_label, support=support)


def _figures(right: int, given: int, there: int) -> dict[str, float]:
    return {
        "precision": float(right / given) if given else 0.0,
        "recall": float(right / there) if there else 0.0,
        "f1": float(2 * right / (given + there)) if right else 0.0,
    }


def thresholds(scores: np.ndarray, targets: Sequence[Sequence[str]], labels: Sequence[str]) -> dict[str, float]:
    """For each label, the threshold on `scores` (rows × labels) with the best F1: half-way between two scores.

    0.5 for a label that fewer than FEWEST_POSITIVES rows have. Of thresholds that do as well, the one nearest to 0.5
    (Lipton et al. 2014 on why 0.5 itself is not the best).
    """
    there = label_matrix(targets, labels)
    return {label: _threshold(scores[:, i], there[:, i]) for i, label in enumerate(labels)}


def _threshold(scores: np.ndarray, held: np.ndarray) -> float:
    import numpy as np

    if held.sum() < FEWEST_POSITIVES:
        return 0.5
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order].astype(np.float64)
    right = np.cumsum(held[order])
    f1 = 2 * right / (np.arange(1, len(ranked) + 1) + held.sum())
    below = np.append(ranked[1:], 0.0)
    # A threshold can only lie between two different scores, or below all of them.
    cuts = np.append(ranked[:-1] > ranked[1:], True)
    middles = (ranked + below) / 2
    best = np.flatnonzero(cuts & (f1 >= f1[cuts].max() - 1e-12))
    chosen = best[np.abs(middles[best] - 0.5).argmin()]
    short = round(float(middles[chosen]), 6)
    # Scores may be closer to each other than six decimals tell.
    return short if below[chosen] < short <= ranked[chosen] else float(middles[chosen])


def label_matrix(rows: Sequence[Sequence[str]], labels: Sequence[str]) -> np.ndarray:
    """Whether each label holds (rows × labels, int8), for `rows` of the labels that do; others are left out."""
    import numpy as np

    matrix = np.zeros((len(rows), len(labels)), dtype=np.int8)
    places = {label: index for index, label in enumerate(labels)}
    for row, names in enumerate(rows):
        matrix[row, [places[name] for name in names if name in places]] = 1
    return matrix


def _log_loss(true: np.ndarray, scores: np.ndarray) -> float:
    import numpy as np

    given = np.where(true == 1, scores, 1 - scores)
    return float(-np.log(np.maximum(given, SMALLEST_PROBABILITY)).mean())
