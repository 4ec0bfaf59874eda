"""One label for a text."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from perennial.artifacts import Metrics
from perennial.kinds.base import Prediction

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    import torch

    from perennial.spec import DataSpec, ExpectationSpec, PipelineSpec, TrainingSpec


class TextClassification:
    """Exactly one of `data.labels` for each text."""

    name = "text-classification"
    text_columns = ("text",)
    target_column = "label"
    label_column = "label"
    selection_metric = "macro_f1"
    headline_metric = "accuracy"
    metrics = (
        "accuracy",
        "macro_f1",
        "micro_f1",
        "weighted_f1",
        "macro_precision",
        "macro_recall",
        "log_loss",
        "calibration_error",
    )
    label_metrics = ("precision", "recall", "f1")
    lower_is_better = frozenset({"log_loss", "calibration_error"})

    def column_types(self) -> dict[str, pa.DataType]:
        import pyarrow as pa

        return {"text": pa.string(), "label": pa.string()}

    def spec_problems(self, spec: PipelineSpec) -> list[tuple[tuple[str | int, ...], str]]:
        problems: list[tuple[tuple[str | int, ...], str]] = []
        if len(spec.data.labels) < 2:
            problems.append((("data", "labels"), "text-classification needs two labels or more; list them all"))
        for place, gate in enumerate(spec.gates):
            known = self.label_metrics if gate.per == "label" else self.metrics
            if gate.metric not in known:
                near = difflib.get_close_matches(gate.metric, known, 1)
                hint = f"did you mean {near[0]!r}? " if near else ""
                scope = " per label" if gate.per == "label" else ""
                problem = f"{gate.metric!r} is no metric{scope} of {self.name}; {hint}There are: {', '.join(known)}"
                problems.append((("gates", place, "metric"), problem))
        return problems

    def expectations(self, data: DataSpec) -> tuple[ExpectationSpec, ...]:
        from perennial.spec import ExpectationSpec

        return (
            ExpectationSpec(type="expect_column_values_to_not_be_null", column="label", severity="warning"),
            ExpectationSpec.model_validate(
                {
                    "type": "expect_column_values_to_be_in_set",
                    "column": "label",
                    "value_set": list(data.labels),
                    "severity": "warning",
                }
            ),
        )

    def encode_targets(self, targets: pa.Array, labels: Sequence[str]) -> pa.Array:
        import pyarrow as pa
        import pyarrow.compute as pc

        return pc.index_in(targets, value_set=pa.array(labels, pa.string())).cast(pa.int64())

    def decode_targets(self, encoded: np.ndarray, labels: Sequence[str]) -> list[Any]:
        return [labels[place] for place in encoded]

    def outputs(self, labels: Sequence[str]) -> int:
        return len(labels)

    def loss(
        self, logits: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor | None, training: TrainingSpec
    ) -> torch.Tensor:
        import torch.nn.functional as F

        return F.cross_entropy(logits, targets, weight=weights, label_smoothing=training.label_smoothing)

    def label_weights(self, targets: np.ndarray, labels: Sequence[str]) -> np.ndarray | None:
        import numpy as np

        counts = np.bincount(targets, minlength=len(labels)).clip(min=1)
        return (len(targets) / (len(labels) * counts)).astype(np.float32)

    def collapsed(self, predictions: Sequence[Prediction]) -> str | None:
        answers = {prediction["label"] for prediction in predictions}
        return f"label {answers.pop()!r}" if len(answers) == 1 else None

    def same_answer(self, one: Prediction, other: Prediction) -> bool:
        return bool(one["label"] == other["label"])

    def measure(self, targets: Sequence[Any], predictions: Sequence[Prediction], labels: Sequence[str]) -> Metrics:
        from perennial.evaluation import classification

        return classification.measure(targets, predictions, labels)

    def baselines(self, train: pa.Table, test: pa.Table, labels: Sequence[str]) -> dict[str, list[Prediction]]:
        from perennial.evaluation import baselines

        return {
            "majority": baselines.majority_label(train, test, labels),
            "tfidf": baselines.tfidf_logistic_regression(train, test, labels),
        }


KIND = TextClassification()
