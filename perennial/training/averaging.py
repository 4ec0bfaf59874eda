"""The running average of the weights: what is judged and kept instead of the last step's noise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch

STRIDE = 5
"""Steps from one update to the next: each would read all weights, and neighbours hardly differ."""
WARM_UP = 10
COUNT = "count"


class Average:
    """An exponential moving average of the weights that are learned (Polyak and Juditsky 1992).

    Early on it forgets faster, so that the first weights, which nobody trained, do not weigh on it.
    """

    def __init__(self, model: torch.nn.Module, decay: float) -> None:
        """`decay`: the share that is kept at each step; 0: the average is the model itself."""
        self._decay = decay
        self._learned = {name: weights for name, weights in model.named_parameters() if weights.requires_grad}
        self._values: dict[str, torch.Tensor] = {}
        self._count = 0
        self._newest = 0

    def after(self, step: int) -> None:
        """Take in the weights as they are after `step`, if it is time for it."""
        if step % STRIDE == 0:
            self._take_in(step)

    @contextmanager
    def in_place(self, step: int) -> Iterator[None]:
        """For the block, the model has the average after `step` as its weights."""
        if not self._decay:
            yield
            return
        self._take_in(step)
        before = {name: weights.detach().clone() for name, weights in self._learned.items()}
        self._put(self._values)
        try:
            yield
        finally:
            self._put(before)

    def state(self) -> dict[str, torch.Tensor]:
        """What `load` needs to go on from here."""
        return {**self._values, COUNT: torch.tensor([self._count, self._newest])}

    def load(self, state: Mapping[str, torch.Tensor]) -> None:
        """Go on from `state`."""
        self._count, self._newest = state[COUNT].tolist()
        self._values = {
            name: state[name].to(weights.device) for name, weights in self._learned.items() if name in state
        }

    def _take_in(self, step: int) -> None:
        if not self._decay or (self._values and step <= self._newest):
            return
        steps, self._newest = step - self._newest, step
        learned = [weights.detach() for weights in self._learned.values()]
        if not self._values:
            self._values = {name: weights.clone() for name, weights in zip(self._learned, learned, strict=True)}
            return
        self._count += 1
        kept = min(self._decay**steps, self._count / (WARM_UP + self._count))
        torch._foreach_lerp_(list(self._values.values()), learned, 1 - kept)

    @torch.no_grad()
    def _put(self, values: Mapping[str, torch.Tensor]) -> None:
        for name, weights in self._learned.items():
            weights.copy_(values[name])
