"""Layers that are computed again for the gradient give the same gradient, and keep less meanwhile."""

import pytest
import torch
from torch import nn

from perennial.training import base_model, model


def learned(network: nn.Module) -> tuple[dict[str, torch.Tensor], int]:
    """The gradients of one batch, and the bytes that were kept for them."""
    kept = 0

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        nonlocal kept
        kept += tensor.nbytes
        return tensor

    ids = torch.arange(5, 37).reshape(4, 8)
    network.train()
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        outputs = network(input_ids=ids, attention_mask=torch.ones_like(ids))
    outputs.square().sum().backward()
    return {name: value.grad for name, value in network.named_parameters() if value.grad is not None}, kept


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_the_gradient_is_the_same_and_less_is_kept(work, pooling: str) -> None:
    spec = work(model__pooling=pooling, training__dropout=0.0).spec
    networks = []
    for _ in range(2):
        torch.manual_seed(1)
        networks.append(model.build_model(spec, base_model.find_base_model(spec), 3))
    model.recompute(networks[1])
    (whole, kept), (again, kept_again) = map(learned, networks)
    assert whole.keys() == again.keys()
    for name, gradient in whole.items():
        torch.testing.assert_close(again[name], gradient)
    assert kept_again < kept / 2


def test_a_training_that_computes_again_learns_as_much(work) -> None:
    made = work("again", training__gradient_checkpointing=True, training__epochs=1)
    assert made.train().validation["accuracy"] == pytest.approx(
        work("whole", training__epochs=1).train().validation["accuracy"], abs=0.05
    )
