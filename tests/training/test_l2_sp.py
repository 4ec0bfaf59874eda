"""What is held is pulled back to where it started, by the penalty's own gradient; decay does not pull it to zero."""

from typing import Any

import torch
from safetensors.torch import load_file
from tiny_pipeline import LABELS
from torch import nn
from training_helpers import killed

from perennial.training import base_model, model
from perennial.training.l2_sp import L2SP


def moved(network: nn.Module) -> None:
    with torch.no_grad():
        for weights in network.parameters():
            weights.add_(torch.rand_like(weights))


def test_its_gradient_is_that_of_the_penalty() -> None:
    torch.manual_seed(0)
    network = nn.Linear(3, 2)
    start = {name: weights.detach().clone() for name, weights in network.named_parameters()}
    hold = L2SP(network, 0.5, {"weight"})
    moved(network)
    inputs = torch.rand(4, 3)

    penalty = 0.5 / 2 * (network.weight - start["weight"]).square().sum()
    (network(inputs).square().mean() + penalty).backward()
    expected = [weights.grad.clone() for weights in network.parameters() if weights.grad is not None]
    network.zero_grad()
    network(inputs).square().mean().backward()
    hold.pull()

    found = [weights.grad for weights in network.parameters() if weights.grad is not None]
    assert hold.names == {"weight"}
    for one, other in zip(found, expected, strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_where_it_started_it_does_not_pull() -> None:
    network = nn.Linear(3, 2)
    hold = L2SP(network, 1.0, {"weight", "bias"})
    network(torch.ones(1, 3)).sum().backward()
    before = network.weight.grad
    assert before is not None
    before = before.clone()
    hold.pull()
    assert torch.equal(before, network.weight.grad)  # type: ignore[arg-type]


def test_frozen_weights_and_no_strength_hold_nothing() -> None:
    network = nn.Linear(3, 2)
    network.bias.requires_grad_(False)
    assert L2SP(network, 1.0, {"weight", "bias"}).names == {"weight"}
    assert L2SP(network, 0.0, {"weight", "bias"}).names == frozenset()


def distance(made: Any, trained: Any) -> float:
    start = model.build_model(made.spec, base_model.find_base_model(made.spec), len(LABELS)).state_dict()
    now = load_file(made.root / trained.path / model.WEIGHTS)
    return sum(float((now[name] - start[name]).square().sum()) for name in now if name.startswith("encoder."))


def test_the_stronger_it_is_the_nearer_the_encoder_stays(work) -> None:
    some = {"training__epochs": 2}
    made = [work("none", **some)]
    made += [
        work(f"{strength}", training__hold="l2-sp", training__hold_strength=strength, **some) for strength in (0.01, 1)
    ]
    apart = [distance(one, one.train()) for one in made]
    assert apart[0] > apart[1] > apart[2] > 0


def test_a_held_training_that_is_killed_resumes_to_the_same_model(work, tmp_path) -> None:
    some = {"training__checkpoint_seconds": 1e-6, "training__hold": "l2-sp", "training__averaging": 0.9}
    whole = work("whole", **some, training__hold_strength=0.1).train()
    made = work(**some, training__hold_strength=0.1)
    killed(tmp_path / "work", 24)
    assert made.train().digest == whole.digest
    assert len([note for note in made.notes.messages if note.startswith("Resuming")]) == 1
