"""How answers with spans are judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from perennial.kinds.base import KindBase
from perennial.kinds.token_classification.span_rows import (
    as_tuples,
)
from perennial.metrics.prediction import Prediction
from perennial.records.evaluation import Metrics

if TYPE_CHECKING:
    import pyarrow as pa

    from perennial.metrics.sums import MetricSums


class SpanJudging(KindBase):
    """How answers with spans are judged."""

    right_or_wrong = True
    headline_metric = "f1"
    metrics = ("f1", "precision", "recall", "macro_f1")
    label_metrics = ("precision", "recall", "f1")

    def measure(self, targets: Sequence[Any], predictions: Sequence[Prediction], labels: Sequence[str]) -> Metrics:
        from perennial.metrics import entities

        predicted = [as_tuples(prediction["spans"]) for prediction in predictions]
        return entities.entity_metrics([as_tuples(target) for target in targets], predicted, labels)

    def metric_sums(
        self, targets: Sequence[Any], predictions: Sequence[Prediction], labels: Sequence[str]
    ) -> tuple[MetricSums, ...]:
        from perennial.metrics import sums

        predicted = [as_tuples(prediction["spans"]) for prediction in predictions]
        return sums.span_sums([as_tuples(target) for target in targets], predicted, labels)

    def right(self, target: Any, prediction: Prediction) -> bool | None:
        return as_tuples(target) == as_tuples(prediction["spans"])

    def sureness(self, prediction: Prediction) -> float:
        # No span is the surest answer there is.
        return min((float(span["score"]) for span in prediction["spans"]), default=1.0)

    def scored(self, targets: Sequence[Any], predictions: Sequence[Prediction]) -> tuple[list[float], list[bool]]:
        pairs = [
            (float(span["score"]), as_tuple in target)
            for target, prediction in zip(map(set, map(as_tuples, targets)), predictions, strict=True)
            for span, as_tuple in zip(prediction["spans"], as_tuples(prediction["spans"]), strict=True)
        ]
        return [score for score, _ in pairs], [span_found for _, span_found in pairs]

    def shared(
        self, targets: Sequence[Any], predictions: Sequence[Prediction], labels: Sequence[str]
    ) -> tuple[list[Any], list[Prediction]]:
        kept = set(labels)

        def about(predicted: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
            return [span for span in predicted if span["label"] in kept]

        return [about(target) for target in targets], [{"spans": about(answer["spans"])} for answer in predictions]

    def baselines(self, train: pa.Table, test: pa.Table, labels: Sequence[str]) -> dict[str, list[Prediction]]:
        from perennial.metrics import lexicon

        lexicon_learned = lexicon.learn_lexicon(
            train["text"].to_pylist(), [as_tuples(row) for row in train["spans"].to_pylist()]
        )
        predicted = lexicon.find_spans(lexicon_learned, test["text"].to_pylist())
        return {"lexicon": [{"spans": spans} for spans in predicted]}
