"""One number for a text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from perennial.core.errors import TrainingError
from perennial.inference.decoders import Encoded, Outputs
from perennial.kinds.base import Problem, cascade_problems
from perennial.kinds.floors import Floor
from perennial.kinds.gate_problems import metric_problems
from perennial.kinds.regression.wording import WORDING
from perennial.kinds.text_classification.kind import TextClassificationKind
from perennial.metrics.prediction import Prediction
from perennial.records.evaluation import Metrics

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    import torch

    from perennial.inference.spans import Span
    from perennial.kinds.floors import CountedRows
    from perennial.metrics.label_errors import Doubt
    from perennial.metrics.sums import MetricSums
    from perennial.rows.batch import Batch
    from perennial.rows.expectation import Expected
    from perennial.settings.behaviours import ExpectSpec
    from perennial.settings.data import ColumnsSpec, DataSpec
    from perennial.settings.pipeline import PipelineSpec
    from perennial.settings.training import TrainingSpec

EXPLAINED = 0.1
"""R² for numbers: people who rate texts agree with each other less than people who sort them."""
SMALLEST_SPREAD = 1e-12
"""Standard deviation, as a share of the largest number, below which numbers differ by rounding alone."""


class RegressionKind(TextClassificationKind):
    """A number for each text, in whatever unit `data.columns.label` has."""

    name = "regression"
    # Two people who give the same text 3 and 4 stars do not contradict each other; the mean is what is learned.
    contradicts = False
    selection_metric = "r2"
    headline_metric = "r2"
    metrics = ("rmse", "mae", "spearman", "r2")
    label_metrics = ()
    lower_is_better = frozenset({"rmse", "mae"})
    not_resampled = frozenset({"spearman"})
    right_or_wrong = False
    expected_forms = ("between",)
    cascades = False
    degree_of = "number"
    least_labels = 0
    takes_any_text = False
    wording = WORDING

    def column_types(self) -> dict[str, pa.DataType]:
        import pyarrow as pa

        return {"text": pa.string(), "label": pa.float64()}

    def canonical(self, batch: Batch, columns: ColumnsSpec) -> dict[str, pa.Array]:
        import pyarrow as pa

        from perennial.rows import cells

        numbers = [cells.number(value) for value in batch.columns[columns.label]]
        return {"text": cells.text_array(batch, columns.text), "label": pa.array(numbers, pa.float64())}

    def spec_problems(self, spec: PipelineSpec) -> list[Problem]:
        problems = [*metric_problems(self, spec), *cascade_problems(self, spec)]
        if spec.data.labels:
            problems.append((("data", "labels"), "regression has no labels, it answers a number; leave them out"))
        return problems

    def expectations(self, data: DataSpec) -> tuple[Expected, ...]:
        from perennial.rows.expectation import built_in

        return (built_in("expect_column_values_to_not_be_null", column="label", fault="label holds no number"),)

    def labels_in(self, targets: pa.Array) -> pa.Array | None:
        return None

    def encode_targets(self, targets: pa.Array, encoded: Encoded, labels: Sequence[str]) -> pa.Array:
        import pyarrow as pa

        return targets.cast(pa.float64())

    def labels_learned(self, targets: np.ndarray, labels: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        import numpy as np

        return np.empty(0, np.int64), np.empty(0, np.int64)

    def outputs(self, labels: Sequence[str]) -> int:
        return 1

    def output_names(self, labels: Sequence[str]) -> tuple[str, ...]:
        return ("number",)

    def statistics(self, targets: np.ndarray, labels: Sequence[str], training: TrainingSpec) -> dict[str, np.ndarray]:
        import numpy as np

        scale = float(targets.std())
        if scale <= SMALLEST_SPREAD * float(np.abs(targets).max()):
            raise TrainingError(
                f"All {len(targets):,} train rows have the number {targets[0]:g}: there is nothing to learn.",
                remedy="Check that data.columns.label names the right column, or add data; the champion stays.",
            )
        return {"mean": np.array(targets.mean()), "scale": np.array(scale)}

    def loss(
        self,
        outputs: torch.Tensor,
        targets: torch.Tensor,
        statistics: Mapping[str, torch.Tensor],
        training: TrainingSpec,
    ) -> torch.Tensor:
        import torch.nn.functional as F

        # In standard deviations, so that one learning rate fits stars as well as prices.
        standard = (targets - statistics["mean"]) / statistics["scale"]
        return F.mse_loss(outputs.squeeze(1), standard.to(outputs.dtype))

    def soft_loss(
        self, outputs: torch.Tensor, soft: torch.Tensor, targets: torch.Tensor, temperature: float
    ) -> torch.Tensor:
        import torch.nn.functional as F

        # Both are in the same units. A number is no probability: there is nothing for a temperature to soften.
        return F.mse_loss(outputs, soft)

    def decoding(
        self,
        outputs: Outputs,
        encoded: Encoded,
        targets: Sequence[Any],
        labels: Sequence[str],
        statistics: Mapping[str, np.ndarray],
    ) -> dict[str, Any]:
        return {name: float(value) for name, value in statistics.items()}

    def collapsed(self, predictions: Sequence[Prediction]) -> str | None:
        # The decoder leaves out what is rounding alone, so answers that mean the same are equal, in whatever unit.
        values = {prediction["value"] for prediction in predictions}
        return f"{values.pop():.4g}" if len(values) == 1 and len(predictions) > 1 else None

    def same_answer(self, one: Prediction, other: Prediction) -> bool:
        # Numbers differ by degrees; what a lower precision costs, the metrics tell.
        return True

    def measure(self, targets: Sequence[Any], predictions: Sequence[Prediction], labels: Sequence[str]) -> Metrics:
        from perennial.metrics import regression

        return regression.regression_metrics(targets, predictions)

    def tallies(
        self, targets: Sequence[Any], predictions: Sequence[Prediction], labels: Sequence[str]
    ) -> tuple[MetricSums, ...]:
        from perennial.metrics import sums

        return sums.number_sums(targets, predictions)

    def right(self, target: Any, prediction: Prediction) -> bool | None:
        return None

    def sureness(self, prediction: Prediction) -> float:
        return 0.0

    def scored(self, targets: Sequence[Any], predictions: Sequence[Prediction]) -> tuple[list[float], list[bool]]:
        return [], []

    def meets(self, expect: ExpectSpec, marks: Sequence[Span], prediction: Prediction) -> bool:
        return expect.between is not None and expect.between[0] <= prediction["value"] <= expect.between[1]

    def degree(self, prediction: Prediction, label: str | None) -> float:
        return float(prediction["value"])

    def shift(self, before: Prediction, after: Prediction) -> float:
        return abs(self.degree(before, None) - self.degree(after, None))

    def doubts(self, targets: Sequence[Any], predictions: Sequence[Prediction], labels: Sequence[str]) -> list[Doubt]:
        from perennial.metrics import label_errors

        return label_errors.of_numbers(targets, predictions)

    def target_in_words(self, target: Any) -> str:
        return f"{target:.12g}"

    def target_of_words(self, words: str, labels: Sequence[str]) -> Any:
        from perennial.rows import cells

        value = cells.number(words)
        if value is None:
            raise ValueError(f"{words[:60]!r} is no number")
        return value

    def shared(
        self, targets: Sequence[Any], predictions: Sequence[Prediction], labels: Sequence[str]
    ) -> tuple[list[Any], list[Prediction]]:
        return list(targets), list(predictions)

    def floor(self, counted: CountedRows) -> Floor:
        import statistics

        spread = statistics.pstdev(counted.numbers)
        basis = f"0 is as good as always answering the mean, which is off by {spread:.3g} (rmse)"
        return Floor(metric="r2", value=EXPLAINED, basis=basis)

    def majority(self, counted: CountedRows) -> float | None:
        return None

    def baselines(self, train: pa.Table, test: pa.Table, labels: Sequence[str]) -> dict[str, list[Prediction]]:
        from perennial.metrics import baselines

        texts = baselines.Texts.of(train, test, self.text_columns, self.target_column)
        return {"mean": baselines.mean_value(texts), "tfidf": baselines.tfidf_ridge(texts)}


KIND = RegressionKind()
