"""The seam between the pipeline and what it learns: all that a step needs to know of a kind of task.

A kind is one module in this folder plus one decoder in `perennial.inference`; no other code asks which kind it is.
Heavy libraries are imported inside the methods that need them, so that a spec can be checked without torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from perennial.artifacts import Metrics

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    import torch

    from perennial.spec import DataSpec, ExpectationSpec, PipelineSpec, TrainingSpec

Prediction = Mapping[str, Any]
"""What the predictor answers for one row, ready for JSON, for example {"label": …, "score": …, "scores": {…}}."""


class Kind(Protocol):
    """What a kind of task decides; the steps do the rest."""

    name: str
    text_columns: tuple[str, ...]
    """Canonical columns that hold what the model reads; their normalised content decides a row's split."""
    target_column: str
    """Canonical column that holds what the model learns."""
    label_column: str | None
    """Canonical column with one label a row, by which rows are counted; None: the kind has none."""
    selection_metric: str
    """Chooses the best checkpoint; higher is better."""
    headline_metric: str
    """What `export.max_drop` limits and tables show first; higher is better."""
    metrics: tuple[str, ...]
    """Names of the overall metrics."""
    label_metrics: tuple[str, ...]
    """Names of the metrics there are for each label."""
    lower_is_better: frozenset[str]

    def column_types(self) -> dict[str, pa.DataType]:
        """Canonical columns of this kind, each named as its setting in `data.columns`, with their Arrow types."""

    def spec_problems(self, spec: PipelineSpec) -> list[tuple[tuple[str | int, ...], str]]:
        """What in `spec` does not fit this kind: (path of the setting, what is wrong and what to do)."""

    def expectations(self, data: DataSpec) -> tuple[ExpectationSpec, ...]:
        """Expectations every data set of this kind must meet."""

    def encode_targets(self, targets: pa.Array, labels: Sequence[str]) -> pa.Array:
        """The target column as numbers the model learns from, one per row."""

    def decode_targets(self, encoded: np.ndarray, labels: Sequence[str]) -> list[Any]:
        """The targets that `encode_targets` made numbers of."""

    def outputs(self, labels: Sequence[str]) -> int:
        """Width of the model's output."""

    def loss(
        self, logits: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor | None, training: TrainingSpec
    ) -> torch.Tensor:
        """The scalar training loss of a batch. `weights`: per label, from `label_weights`; None: all alike."""

    def label_weights(self, targets: np.ndarray, labels: Sequence[str]) -> np.ndarray | None:
        """Weights of the labels, inverse to their frequency, for `training.class_weights: balanced`."""

    def collapsed(self, predictions: Sequence[Prediction]) -> str | None:
        """What a model that learned nothing answers to everything; None: these answers differ."""

    def same_answer(self, one: Prediction, other: Prediction) -> bool:
        """Whether two predictions tell a user the same, whatever their scores."""

    def measure(self, targets: Sequence[Any], predictions: Sequence[Prediction], labels: Sequence[str]) -> Metrics:
        """Every metric of `predictions`, row by row beside `targets` (values of the target column)."""

    def baselines(self, train: pa.Table, test: pa.Table, labels: Sequence[str]) -> dict[str, list[Prediction]]:
        """Predictions for `test` of simple models trained on `train`, by name; both hold the canonical columns."""
