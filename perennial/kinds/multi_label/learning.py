"""How any number of labels is learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from perennial.inference.decoders import Encoded, Outputs
from perennial.inference.decoders.base import sigmoid
from perennial.kinds.base import KindBase

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    import torch

    from perennial.settings.training import TrainingSpec


class MultiLabelLearning(KindBase):
    """How any number of labels is learned."""

    selection_metric = "micro_f1"

    def encode_targets(self, targets: pa.Array, encoded: Encoded, labels: Sequence[str]) -> pa.Array:
        import numpy as np
        import pyarrow as pa

        places = {label: index for index, label in enumerate(labels)}
        held = np.zeros((len(targets), len(labels)), np.float32)
        for row, names in enumerate(targets.to_pylist()):
            held[row, [places[name] for name in names]] = 1
        return pa.FixedSizeListArray.from_arrays(pa.array(held.ravel()), len(labels))

    def labels_learned(self, targets: np.ndarray, labels: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        places, numbers = targets.nonzero()
        return places, numbers

    def outputs(self, labels: Sequence[str]) -> int:
        return len(labels)

    def output_names(self, labels: Sequence[str]) -> tuple[str, ...]:
        return tuple(labels)

    def statistics(self, targets: np.ndarray, labels: Sequence[str], training: TrainingSpec) -> dict[str, np.ndarray]:
        import numpy as np

        if training.class_weights == "none":
            return {}
        rows_with_label = targets.sum(axis=0).clip(min=1)
        return {"weights": ((len(targets) - rows_with_label) / rows_with_label).clip(min=1).astype(np.float32)}

    def loss(
        self,
        outputs: torch.Tensor,
        targets: torch.Tensor,
        statistics: Mapping[str, torch.Tensor],
        training: TrainingSpec,
    ) -> torch.Tensor:
        import torch.nn.functional as F

        # Label smoothing spreads a share over both answers, as it does over all labels of a single-label kind.
        soft = targets * (1 - training.label_smoothing) + training.label_smoothing / 2
        # Summed over labels: the mean would make a step smaller the more labels there are.
        losses = F.binary_cross_entropy_with_logits(
            outputs, soft, pos_weight=statistics.get("weights"), reduction="none"
        )
        return losses.sum(dim=1).mean()

    def soft_loss(
        self, outputs: torch.Tensor, soft: torch.Tensor, targets: torch.Tensor, temperature: float
    ) -> torch.Tensor:
        import torch.nn.functional as F

        wanted = (soft / temperature).sigmoid()
        losses = F.binary_cross_entropy_with_logits(outputs / temperature, wanted, reduction="none")
        return losses.sum(dim=1).mean() * temperature**2

    def decoding(
        self,
        outputs: Outputs,
        encoded: Encoded,
        targets: Sequence[Any],
        labels: Sequence[str],
        statistics: Mapping[str, np.ndarray],
    ) -> dict[str, Any]:
        import numpy as np

        from perennial.metrics import multi_label, temperature

        logits = np.stack(outputs)
        fitted = temperature.of_each(logits, multi_label.label_matrix(targets, labels) == 1)
        return {"thresholds": multi_label.thresholds(sigmoid(logits), targets, labels)} | fitted.decoding()
