"""Which weights learn how fast."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import torch

from perennial.core.model_families import ModelFamily
from perennial.settings.training import TrainingSpec
from perennial.training.model import is_head, network_family


def parameter_groups(
    network: torch.nn.Module, training: TrainingSpec, peak: float, decayed: Collection[str]
) -> list[dict[str, Any]]:
    """The optimizer's parameter groups: each layer of the encoder with its own peak rate (Howard and Ruder 2018,
    section 3.2), the head with one apart; weight decay for the parameters named in `decayed`.

    `peak`: of the top layer; each layer below learns `training.layer_decay` times as fast, the embeddings slowest.
    """
    family = network_family(network)
    learned = [(name, weights) for name, weights in network.named_parameters() if weights.requires_grad]
    layers = 1 + max((family.layer_number(name) or 0 for name, _ in learned), default=0)
    parameters_by_rate: dict[tuple[float, bool], list[torch.nn.Parameter]] = {}
    for name, weights in learned:
        rate = _rate(name, family, layers, training, peak)
        parameters_by_rate.setdefault((rate, name in decayed), []).append(weights)
    return [
        {"params": weights, "lr": rate, "weight_decay": training.weight_decay if decay else 0.0}
        for (rate, decay), weights in parameters_by_rate.items()
    ]


def _rate(name: str, family: ModelFamily, layers: int, training: TrainingSpec, peak: float) -> float:
    if is_head(name, family):
        return training.head_learning_rate
    layer = family.layer_number(name)
    below_top = layers if layer is None else layers - 1 - layer
    return float(peak * training.layer_decay**below_top)
