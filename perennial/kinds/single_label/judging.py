"""How answers with one label each are judged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from perennial.kinds.base import KindBase
from perennial.metrics.prediction import Prediction
from perennial.records.evaluation import Metrics

if TYPE_CHECKING:
    import pyarrow as pa

    from perennial.metrics.sums import MetricSums


class SingleLabelJudging(KindBase):
    """How answers with one label each are judged."""

    headline_metric = "accuracy"
    metrics: tuple[str, ...] = (
        "accuracy",
        "macro_f1",
        "micro_f1",
        "weighted_f1",
        "macro_precision",
        "macro_recall",
        "log_loss",
        "brier",
        "calibration_error",
    )
    label_metrics: tuple[str, ...] = ("precision", "recall", "f1")
    lower_is_better = frozenset({"log_loss", "brier", "calibration_error"})
    not_resampled = frozenset({"calibration_error"})
    right_or_wrong = True

    def measure(self, targets: Sequence[Any], predictions: Sequence[Prediction], labels: Sequence[str]) -> Metrics:
        from perennial.metrics import single_label

        return single_label.single_label_metrics(targets, predictions, labels)

    def metric_sums(
        self, targets: Sequence[Any], predictions: Sequence[Prediction], labels: Sequence[str]
    ) -> tuple[MetricSums, ...]:
        from perennial.metrics import sums

        return sums.single_label_sums(targets, predictions, labels)

    def right(self, target: Any, prediction: Prediction) -> bool | None:
        return bool(prediction["label"] == target)

    def sureness(self, prediction: Prediction) -> float:
        return float(prediction["score"])

    def scored(self, targets: Sequence[Any], predictions: Sequence[Prediction]) -> tuple[list[float], list[bool]]:
        scores = [float(prediction["score"]) for prediction in predictions]
        return scores, [prediction["label"] == target for target, prediction in zip(targets, predictions, strict=True)]

    def shared(
        self, targets: Sequence[Any], predictions: Sequence[Prediction], labels: Sequence[str]
    ) -> tuple[list[Any], list[Prediction]]:
        rows = [(target, answer) for target, answer in zip(targets, predictions, strict=True) if target in labels]
        return [target for target, _ in rows], [answer for _, answer in rows]

    def baselines(self, train: pa.Table, test: pa.Table, labels: Sequence[str]) -> dict[str, list[Prediction]]:
        from perennial.metrics import baselines

        texts = baselines.Texts.of(train, test, self.text_columns, self.target_column)
        return {
            "majority": baselines.majority_label(texts, labels),
            "tfidf": baselines.tfidf_logistic_regression(texts, labels),
        }
