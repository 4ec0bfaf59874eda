"""How answers with a number are judged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from perennial.kinds.base import KindBase
from perennial.metrics.prediction import Prediction
from perennial.records.evaluation import Metrics

if TYPE_CHECKING:
    import pyarrow as pa

    from perennial.metrics.sums import MetricSums


class NumberJudging(KindBase):
    """How answers with a number are judged."""

    headline_metric = "r2"
    metrics = ("rmse", "mae", "spearman", "r2")
    lower_is_better = frozenset({"rmse", "mae"})
    not_resampled = frozenset({"spearman"})
    right_or_wrong = False

    def measure(self, targets: Sequence[Any], predictions: Sequence[Prediction], labels: Sequence[str]) -> Metrics:
        from perennial.metrics import regression

        return regression.regression_metrics(targets, predictions)

    def metric_sums(
        self, targets: Sequence[Any], predictions: Sequence[Prediction], labels: Sequence[str]
    ) -> tuple[MetricSums, ...]:
        from perennial.metrics import sums

        return sums.number_sums(targets, predictions)

    def right(self, target: Any, prediction: Prediction) -> bool | None:
        return None

    def baselines(self, train: pa.Table, test: pa.Table, labels: Sequence[str]) -> dict[str, list[Prediction]]:
        from perennial.metrics import baselines

        texts = baselines.Texts.of(train, test, self.text_columns, self.target_column)
        return {"mean": baselines.mean_value(texts), "tfidf": baselines.tfidf_ridge(texts)}
