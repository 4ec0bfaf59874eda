"""How one label of several is learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from perennial.inference.decoders import Encoded, Outputs
from perennial.kinds.base import KindBase
from perennial.kinds.loss_parts import balance, soft_divergence

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    import torch

    from perennial.settings.training import TrainingSpec


class SingleLabelLearning(KindBase):
    """How one label of several is learned."""

    selection_metric = "macro_f1"

    def encode_targets(self, targets: pa.Array, encoded: Encoded, labels: Sequence[str]) -> pa.Array:
        import pyarrow as pa
        import pyarrow.compute as pc

        return pc.index_in(targets, value_set=pa.array(labels, pa.string())).cast(pa.int64())

    def labels_learned(self, targets: np.ndarray, labels: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        import numpy as np

        return np.arange(len(targets)), targets

    def outputs(self, labels: Sequence[str]) -> int:
        return len(labels)

    def output_names(self, labels: Sequence[str]) -> tuple[str, ...]:
        return tuple(labels)

    def statistics(self, targets: np.ndarray, labels: Sequence[str], training: TrainingSpec) -> dict[str, np.ndarray]:
        return balance(targets, self.outputs(labels), training)

    def loss(
        self,
        outputs: torch.Tensor,
        targets: torch.Tensor,
        statistics: Mapping[str, torch.Tensor],
        training: TrainingSpec,
    ) -> torch.Tensor:
        import torch.nn.functional as F

        weights = statistics.get("weights")
        return F.cross_entropy(outputs, targets, weight=weights, label_smoothing=training.label_smoothing)

    def soft_loss(
        self, outputs: torch.Tensor, soft: torch.Tensor, targets: torch.Tensor, temperature: float
    ) -> torch.Tensor:
        return soft_divergence(outputs, soft, temperature).mean()

    def decoding(
        self,
        outputs: Outputs,
        encoded: Encoded,
        targets: Sequence[Any],
        labels: Sequence[str],
        statistics: Mapping[str, np.ndarray],
    ) -> dict[str, Any]:
        import numpy as np

        from perennial.metrics import temperature

        places = {label: index for index, label in enumerate(labels)}
        right = np.array([places[target] for target in targets], dtype=np.int64)
        logits = np.stack(outputs) if len(outputs) else np.empty((0, len(labels)))
        return temperature.of_one(logits, right).decoding()
