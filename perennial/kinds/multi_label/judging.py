"""How answers with any number of labels are judged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from perennial.kinds.base import KindBase
from perennial.metrics.prediction import Prediction
from perennial.records.evaluation import Metrics

if TYPE_CHECKING:
    import pyarrow as pa

    from perennial.metrics.sums import MetricSums


class MultiLabelJudging(KindBase):
    """How answers with any number of labels are judged."""

    label_metrics = ("precision", "recall", "f1")
    right_or_wrong = True
    headline_metric = "micro_f1"
    metrics = ("micro_f1", "macro_f1", "exact_match", "micro_precision", "micro_recall", "log_loss", "brier")
    lower_is_better = frozenset({"log_loss", "brier"})

    def measure(self, targets: Sequence[Any], predictions: Sequence[Prediction], labels: Sequence[str]) -> Metrics:
        from perennial.metrics import multi_label

        return multi_label.multi_label_metrics(targets, predictions, labels)

    def metric_sums(
        self, targets: Sequence[Any], predictions: Sequence[Prediction], labels: Sequence[str]
    ) -> tuple[MetricSums, ...]:
        from perennial.metrics import sums

        return sums.multi_label_sums(targets, predictions, labels)

    def right(self, target: Any, prediction: Prediction) -> bool | None:
        return set(target) == set(prediction["labels"])

    def sureness(self, prediction: Prediction) -> float:
        scores = prediction["scores"].values()
        return float(sum(max(score, 1 - score) for score in scores) / len(scores))

    def scored(self, targets: Sequence[Any], predictions: Sequence[Prediction]) -> tuple[list[float], list[bool]]:
        pairs = [
            (float(score), label in target)
            for target, prediction in zip(map(set, targets), predictions, strict=True)
            for label, score in prediction["scores"].items()
        ]
        return [score for score, _ in pairs], [held for _, held in pairs]

    def shared(
        self, targets: Sequence[Any], predictions: Sequence[Prediction], labels: Sequence[str]
    ) -> tuple[list[Any], list[Prediction]]:
        kept = set(labels)
        answers: list[Prediction] = [
            {
                "labels": [label for label in answer["labels"] if label in kept],
                "scores": {label: score for label, score in answer["scores"].items() if label in kept},
            }
            for answer in predictions
        ]
        return [[label for label in target if label in kept] for target in targets], answers

    def baselines(self, train: pa.Table, test: pa.Table, labels: Sequence[str]) -> dict[str, list[Prediction]]:
        from perennial.metrics import baselines

        texts = baselines.Texts.of(train, test, self.text_columns, self.target_column)
        return {
            "commonest": baselines.commonest_labels(texts, labels),
            "tfidf": baselines.tfidf_one_versus_rest(texts, labels),
        }
