"""ByteDropout is dropout: the share, the scale, nothing in evaluation, and its state is torch's own."""

import pytest
import torch
from torch import nn

from perennial.training.dropout import ByteDropout, quickened


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_it_drops_the_share_and_keeps_the_sum(p: float) -> None:
    torch.manual_seed(0)

    out = ByteDropout(p)(torch.ones(1000, 999))

    assert abs(float((out == 0).float().mean()) - p) < 0.004
    assert abs(float(out.mean()) - 1) < 0.004
    assert len(out.unique()) == 2


def test_elements_are_dropped_independently() -> None:
    torch.manual_seed(0)
    zero = (ByteDropout(0.5)(torch.ones(400_000)) == 0).float() - 0.5

    # Neighbours in a 64-bit word among them.
    assert all(abs(float((zero[:-gap] * zero[gap:]).mean())) < 0.002 for gap in range(1, 17))


def test_the_gradient_goes_where_the_value_went() -> None:
    x = torch.ones(64, requires_grad=True)

    out = ByteDropout(0.5)(x)
    out.sum().backward()

    assert torch.equal(x.grad, out.detach())


def test_it_does_nothing_in_evaluation() -> None:
    x = torch.rand(17)

    assert ByteDropout(0.5).eval()(x) is x


def test_the_same_seed_drops_the_same() -> None:
    draws = []
    for _ in range(2):
        torch.manual_seed(7)
        draws.append(ByteDropout(0.3)(torch.ones(1001)))

    assert torch.equal(*draws)


def test_bfloat16_keeps_its_type() -> None:
    assert ByteDropout(0.1)(torch.ones(9, dtype=torch.bfloat16)).dtype == torch.bfloat16


def test_only_what_drops_is_replaced() -> None:
    model = quickened(nn.Sequential(nn.Dropout(0.0), nn.Sequential(nn.Dropout(0.2), nn.Linear(2, 2))))

    kinds = [type(module).__name__ for module in model.modules()]
    assert kinds == ["Sequential", "Dropout", "Sequential", "ByteDropout", "Linear"]
