"""Lower layers learn more slowly, the head by its own rate, and every weight is in exactly one group."""

import torch
from torch import nn

from perennial.settings.training import TrainingSpec
from perennial.training import param_groups


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.ModuleDict(
            {"embeddings": nn.Embedding(5, 4), "layer": nn.ModuleList([nn.Linear(4, 4) for _ in range(3)])}
        )
        self.head = nn.Linear(4, 2)


def test_each_layer_has_its_own_rate() -> None:
    model = Small()
    training = TrainingSpec(layer_decay=0.5, head_learning_rate=0.01)

    found = param_groups.parameter_groups(model, training, 0.008, {"head.weight"})
    rate_of = {id(weights): group["lr"] for group in found for weights in group["params"]}

    def rate(weights: torch.Tensor) -> float:
        return rate_of[id(weights)]

    layers = [rate(layer.weight) for layer in model.encoder["layer"]]
    assert layers == [0.002, 0.004, 0.008]
    assert rate(model.encoder["embeddings"].weight) == 0.001
    assert rate(model.head.weight) == rate(model.head.bias) == 0.01
    assert sum(len(group["params"]) for group in found) == len(list(model.parameters())) == len(rate_of)


def test_only_named_weights_decay() -> None:
    model = Small()

    found = param_groups.parameter_groups(model, TrainingSpec(weight_decay=0.1), 1e-4, {"head.weight"})

    decayed = [weights for group in found if group["weight_decay"] for weights in group["params"]]
    assert [id(weights) for weights in decayed] == [id(model.head.weight)]


def test_frozen_weights_are_in_no_group() -> None:
    model = Small()
    model.encoder["embeddings"].requires_grad_(False)

    found = param_groups.parameter_groups(model, TrainingSpec(layer_decay=1), 1e-4, ())

    assert id(model.encoder["embeddings"].weight) not in {id(w) for group in found for w in group["params"]}
    assert {group["lr"] for group in found} == {1e-4, 1e-3}
