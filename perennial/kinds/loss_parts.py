"""Parts of losses that kinds share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import torch

    from perennial.settings.training import TrainingSpec


def soft_divergence(outputs: torch.Tensor, soft: torch.Tensor, temperature: float) -> torch.Tensor:
    """The Kullback-Leibler divergence of the softmax of `outputs` from that of `soft` at `temperature`, times its
    square, for each row (of the last axis)."""
    import torch.nn.functional as F

    own, wanted = (F.log_softmax(each / temperature, dim=-1) for each in (outputs, soft))
    return F.kl_div(own, wanted, reduction="none", log_target=True).sum(-1) * temperature**2


def balance(targets: np.ndarray, outputs: int, training: TrainingSpec) -> dict[str, np.ndarray]:
    """Weights of the outputs, inverse to how often each is the target, for `training.class_weights: balanced`."""
    import numpy as np

    if training.class_weights == "none":
        return {}
    counts = np.bincount(targets, minlength=outputs).clip(min=1)
    return {"weights": (len(targets) / (outputs * counts)).astype(np.float32)}
