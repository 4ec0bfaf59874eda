"""Training batches of like lengths under a token budget."""

from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler

from perennial.inference.batching import plan_batches


class TokenBudgetSampler(Sampler[list[int]]):
    """Batches of rows of like lengths, at most `tokens` with padding, shuffled anew each epoch.

    Rows are sorted by length with ties in random order, cut into batches, and the batches shuffled. The lengths in
    sorted order are the same in every epoch, so every epoch has the same number of batches, which the learning-rate
    schedule and a resumed run rely on. The order depends on `seed` and `epoch` alone.
    """

    def __init__(
        self, lengths: np.ndarray, *, tokens: int, max_rows: int, seed: int, rank: int = 0, world_size: int = 1
    ) -> None:
        """`rank` of `world_size` processes takes every world_size-th batch."""
        self.epoch = 0
        self._lengths = lengths
        self._seed = seed
        self._rank, self._world_size = rank, world_size
        self._plan = plan_batches(np.sort(lengths, kind="stable"), tokens, max_rows=max_rows)

    def __len__(self) -> int:
        return len(self._plan) // self._world_size if self._world_size > 1 else len(self._plan)

    def __iter__(self) -> Iterator[list[int]]:
        random = np.random.default_rng((self._seed, self.epoch))
        by_length = np.lexsort((random.random(len(self._lengths)), self._lengths))
        order = random.permutation(len(self._plan))
        mine = order[self._rank :: self._world_size][: len(self)]
        for batch_number in mine:
            yield by_length[self._plan[batch_number]].tolist()
