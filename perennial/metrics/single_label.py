"""Metrics of single-label classification."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from perennial.metrics import calibration
from perennial.metrics.prediction import Prediction
from perennial.records.evaluation import Metrics

SMALLEST_PROBABILITY = 1e-15


def single_label_metrics(targets: Sequence[str], predictions: Sequence[Prediction], labels: Sequence[str]) -> Metrics:
    """Every metric of `predictions` beside the true labels `targets`, in the same order.

    Averages over labels leave out labels that have no row in `targets`. No rows at all: no metrics, so that every
    gate stays undecided.
    """
    if not targets:
        return Metrics(n=0, values={})
    from sklearn import metrics

    answers = [prediction["label"] for prediction in predictions]
    present = [label for label in labels if label in set(targets)]
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        targets, answers, labels=present, zero_division=0.0
    )
    rows_of = Counter(targets)
    values = {
        "accuracy": metrics.accuracy_score(targets, answers),
        "macro_precision": precision.mean(),
        "macro_recall": recall.mean(),
        "macro_f1": f1.mean(),
        "micro_f1": metrics.f1_score(targets, answers, labels=present, average="micro", zero_division=0.0),
        "weighted_f1": (f1 * support).sum() / support.sum(),
        "log_loss": _log_loss(targets, predictions),
        "brier": _brier(targets, predictions, labels),
        "calibration_error": _calibration_error(targets, predictions),
    }
    per_label = {
        label: {"precision": float(precision[i]), "recall": float(recall[i]), "f1": float(f1[i])}
        for i, label in enumerate(present)
    }
    confusion = metrics.confusion_matrix(targets, answers, labels=list(labels))
    return Metrics(
        n=len(targets),
        values={name: float(value) for name, value in values.items()},
        per_label=per_label,
        # Not the confusion's sums: a champion of other labels gives answers that are in none of its columns.
        support={label: rows_of[label] for label in labels},
        confusion=tuple(tuple(int(count) for count in row) for row in confusion),
    )


def _log_loss(targets: Sequence[str], predictions: Sequence[Prediction]) -> float:
    import numpy as np

    given = [prediction["scores"].get(target, 0.0) for target, prediction in zip(targets, predictions, strict=True)]
    return float(-np.log(np.maximum(given, SMALLEST_PROBABILITY)).mean())


def _brier(targets: Sequence[str], predictions: Sequence[Prediction], labels: Sequence[str]) -> float:
    """The mean over rows of the squared errors of all labels' scores together: 0 best, 2 worst (Brier 1950)."""
    import numpy as np

    scores = np.array([[prediction["scores"].get(label, 0.0) for label in labels] for prediction in predictions])
    true = np.array(targets)[:, None] == np.array(labels)
    return float(np.square(scores - true).sum(axis=1).mean())


def _calibration_error(targets: Sequence[str], predictions: Sequence[Prediction]) -> float:
    right = [prediction["label"] == target for prediction, target in zip(predictions, targets, strict=True)]
    return calibration.error([prediction["score"] for prediction in predictions], right)
