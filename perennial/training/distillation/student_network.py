"""A network of fewer layers, begun with some of those of a larger one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from perennial.core.errors import TrainingError
from perennial.core.model_families import ModelFamily, entry_name, family_named
from perennial.training import model
from perennial.training.dropout import quickened


def evenly_spaced_layers(layers: int, of: int) -> list[int]:
    """The numbers of `layers` of `of` layers, evenly spaced from the lowest to the highest; of one, the lowest.

    DistilBERT began so (Sanh et al. 2019, section 3); Sun et al. 2019 compare it with other choices.
    """
    return [round(index * (of - 1) / max(1, layers - 1)) for index in range(layers)]


def student_of(teacher: Path, layers: int, dropout: float) -> nn.Module:
    """A network of `layers` layers with the weights of the model in the folder `teacher`, which has more.

    `dropout`: before the head. Raises TrainingError if layers can't be taken out of such a model.
    """
    from safetensors.torch import load_file

    config = model.saved_config(teacher)
    family = family_named(config.model_type)
    kept = evenly_spaced_layers(layers, _layer_count(config, family))
    network = model.empty(teacher, _with_layers(config, family, kept), model.training_attention(family), dropout)
    try:
        network.load_state_dict(_with_weights(load_file(teacher / model.WEIGHTS), family, kept))
    except RuntimeError as error:
        raise TrainingError(
            f"No student of {layers:,} layers can be made: in this architecture ({config.model_type}) they can't be "
            "taken out one by one.",
            remedy="Leave export.student out, or choose another model.base; the champion stays.",
        ) from error
    return network if torch.cuda.is_available() else quickened(network)


def layers_of(folder: Path) -> int:
    """Layers of the model in `folder`."""
    config = model.saved_config(folder)
    return _layer_count(config, family_named(config.model_type))


def _layer_count(config: Any, family: ModelFamily) -> int:
    return int(getattr(config, entry_name(config, family.layer_counts)))


def _with_layers(config: Any, family: ModelFamily, kept: list[int]) -> Any:
    for name in family.listed_by_layer:
        by_layer = getattr(config, name, None)
        if isinstance(by_layer, list):
            setattr(config, name, [by_layer[number] for number in kept])
    setattr(config, entry_name(config, family.layer_counts), len(kept))
    return config


def _with_weights(weights: dict[str, torch.Tensor], family: ModelFamily, kept: list[int]) -> dict[str, torch.Tensor]:
    new_numbers = {number: index for index, number in enumerate(kept)}
    kept_weights = {}
    for name, values in weights.items():
        number = family.layer_number(name)
        if number is None:
            kept_weights[name] = values
        elif number in new_numbers:
            kept_weights[family.in_layer(name, new_numbers[number])] = values
    return kept_weights
