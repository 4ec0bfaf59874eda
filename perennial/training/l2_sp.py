"""A penalty that keeps weights near those that a training starts from."""

from __future__ import annotations

from collections.abc import Collection

import torch


class L2SP:
    """L2-SP (Li, Grandvalet and Davoine 2018): a penalty of strength / 2 · ‖weights − starting weights‖².

    It takes the place of weight decay, which pulls to zero, on the weights that it holds.
    """

    def __init__(self, model: torch.nn.Module, strength: float, names: Collection[str]) -> None:
        """`model`: with its starting weights. `names`: of the parameters to hold; frozen ones need none."""
        self._strength = strength
        self._held = {
            name: (weights, weights.detach().clone())
            for name, weights in model.named_parameters()
            if strength and weights.requires_grad and name in names
        }

    @property
    def names(self) -> frozenset[str]:
        """Names of the parameters that are held."""
        return frozenset(self._held)

    @torch.no_grad()
    def pull(self) -> None:
        """Add the penalty's gradient to that of the weights, once for each step of the optimizer."""
        for weights, start in self._held.values():
            if weights.grad is not None:
                weights.grad.add_(weights - start, alpha=self._strength)
