"""How a number is learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from perennial.core.errors import TrainingError
from perennial.inference.decoders import Encoded, Outputs
from perennial.kinds.base import KindBase

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    import torch

    from perennial.settings.training import TrainingSpec

SMALLEST_SPREAD = 1e-12
"""Standard deviation, as a share of the largest number, below which numbers differ by rounding alone."""


class NumberLearning(KindBase):
    """How a number is learned."""

    selection_metric = "r2"

    def encode_targets(self, targets: pa.Array, encoded: Encoded, labels: Sequence[str]) -> pa.Array:
        import pyarrow as pa

        return targets.cast(pa.float64())

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
