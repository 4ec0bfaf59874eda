"""Dropout that costs next to nothing on a CPU."""

from __future__ import annotations

import torch
from torch import nn

LEVELS = 256
EIGHT_BYTES = 8
FROM_ALL_INTEGERS = -(2**63)


class ByteDropout(nn.Dropout):
    """Dropout (Srivastava et al. 2014) that draws one random byte for each element.

    torch draws a 64-bit number for each, one after the other, which takes a CPU a third of a small model's step. The
    share that is dropped is `p` rounded to 1/256.
    """

    def __init__(self, p: float) -> None:
        super().__init__(p)
        self.dropped = round(p * LEVELS)

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002 - torch's name
        """`input` with some elements 0 and the others scaled up, so that the expected sum stays; as it is in eval."""
        if not self.training or not self.dropped:
            return input
        kept = _bytes(input.numel()).view(input.shape) >= self.dropped
        return input * kept * (LEVELS / (LEVELS - self.dropped))


def quickened(model: nn.Module) -> nn.Module:
    """`model` with every dropout that drops something in ByteDropout's way; for training on a CPU."""
    for name, module in model.named_children():
        if isinstance(module, nn.Dropout) and module.p > 0:
            setattr(model, name, ByteDropout(module.p))
        else:
            quickened(module)
    return model


def _bytes(count: int) -> torch.Tensor:
    # From torch's own generator, whose state a checkpoint keeps.
    words = torch.empty(-(-count // EIGHT_BYTES), dtype=torch.int64).random_(FROM_ALL_INTEGERS, None)
    return words.view(torch.uint8)[:count]
