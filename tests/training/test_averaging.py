"""The average follows the weights, stands in for them for a while only, and goes on where it was saved."""

import torch
from torch import nn

from perennial.training.averaging import STRIDE, Average


def model(value: float) -> nn.Module:
    made = nn.Linear(3, 2)
    for weights in made.parameters():
        nn.init.constant_(weights, value)
    return made


def move(network: nn.Module, value: float) -> None:
    with torch.no_grad():
        for weights in network.parameters():
            weights.fill_(value)


def averaged(average: Average, network: nn.Linear, step: int) -> float:
    with average.in_place(step):
        assert len(network.weight.unique()) == 1
        return float(network.weight[0, 0].detach())


def test_it_lies_between_old_and_new_weights_and_comes_to_the_new_ones() -> None:
    network = model(0.0)
    average = Average(network, 0.9)
    average.after(STRIDE)
    move(network, 1.0)

    seen = [averaged(average, network, step) for step in range(2 * STRIDE, 40 * STRIDE, STRIDE)]

    assert all(0 < value <= 1 for value in seen)
    assert seen == sorted(seen)
    assert seen[-1] > 0.999


def test_the_weights_are_back_afterwards() -> None:
    network = model(0.0)
    average = Average(network, 0.99)
    average.after(STRIDE)
    move(network, 1.0)

    averaged(average, network, STRIDE + 1)

    assert network.weight[0, 0].item() == 1.0


def test_no_averaging_is_the_model_itself() -> None:
    network = model(3.0)
    average = Average(network, 0.0)
    average.after(STRIDE)
    move(network, 4.0)

    assert averaged(average, network, 2 * STRIDE) == 4.0


def test_frozen_weights_are_left_alone() -> None:
    network = model(1.0)
    network.bias.requires_grad_(False)
    average = Average(network, 0.9)
    average.after(STRIDE)

    assert set(average.state()) == {"weight", "count"}


def test_a_loaded_average_goes_on_as_if_nothing_had_happened() -> None:
    values = [0.3, 0.9, 0.1, 0.7, 0.2]
    whole, halves = model(0.0), model(0.0)
    first = Average(whole, 0.9)
    second = Average(halves, 0.9)
    for place, value in enumerate(values, 1):
        if place == 3:
            saved, second = second.state(), Average(halves, 0.9)
            second.load(saved)
        for network, average in ((whole, first), (halves, second)):
            move(network, value)
            average.after(place * STRIDE)

    assert averaged(first, whole, 99) == averaged(second, halves, 99)
