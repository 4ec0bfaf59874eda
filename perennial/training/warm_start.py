"""Starting from a model that was trained before: its weights, and of its outputs those that mean the same now."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from perennial.core.errors import TrainingError
from perennial.kinds.protocols import LearnsTargets
from perennial.records.training import StartingPoint
from perennial.training.model import is_head, network_family


def encoder_names(network: nn.Module) -> frozenset[str]:
    """Names of the weights that come from a base model."""
    family = network_family(network)
    return frozenset(name for name, _ in network.named_parameters() if not is_head(name, family))


def load_start(
    network: nn.Module, start: StartingPoint, kind: LearnsTargets, labels: Sequence[str], root: Path
) -> frozenset[str]:
    """Put the weights of `start` into `network`, which is as built for `labels`; gives the names of those it knew.

    Where labels were added or removed, an output keeps what was learned for it by its name, and a new one stays as
    built. Raises TrainingError when the weights are of another network.
    """
    from safetensors.torch import load_file

    weights = load_file(root / str(start.start.path))
    before, now = kind.output_names(start.labels), kind.output_names(labels)
    fresh = _output_layer(network, len(now)) if before != now else {}
    try:
        weights |= {name: _moved(weights[name], values, before, now) for name, values in fresh.items()}
        network.load_state_dict(weights)
    except (KeyError, IndexError, RuntimeError) as error:
        raise TrainingError(
            f"The weights of version {start.start.version}, which training.start_from names, are of another network "
            f"than the one to train ({type(error).__name__}).",
            remedy="Set training.start_from to base for one run; the champion stays.",
        ) from error
    return frozenset(weights) - frozenset(fresh)


def _output_layer(network: nn.Module, outputs: int) -> dict[str, torch.Tensor]:
    """The weights of the layer that gives the outputs: the head's last one of that width."""
    family = network_family(network)
    layers = [
        name
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear) and module.out_features == outputs and is_head(f"{name}.", family)
    ]
    state = network.state_dict()
    return {name: state[name] for name in (f"{layers[-1]}.weight", f"{layers[-1]}.bias") if name in state}


def _moved(
    weights_before: torch.Tensor, fresh: torch.Tensor, before: Sequence[str], now: Sequence[str]
) -> torch.Tensor:
    """`fresh` with the rows of those outputs that `weights_before` has, too."""
    if len(weights_before) != len(before):
        raise IndexError(f"{len(weights_before)} outputs, {len(before)} expected")
    index_before = {name: index for index, name in enumerate(before)}
    rows = [
        weights_before[index_before[name]] if name in index_before else fresh[index] for index, name in enumerate(now)
    ]
    return torch.stack(rows)
