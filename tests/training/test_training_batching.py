"""Every row once an epoch, within the budget, in an order that seed and epoch alone decide."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from perennial.training.batching import TokenBudgetSampler

LENGTHS = np.random.default_rng(5).integers(1, 60, 500)


def sampler(lengths: np.ndarray = LENGTHS, *, epoch: int = 0, seed: int = 1, tokens: int = 256, **other: int):
    made = TokenBudgetSampler(lengths, tokens=tokens, max_rows=other.pop("max_rows", 16), seed=seed, **other)
    made.epoch = epoch
    return made


def batches(*arguments: np.ndarray, **settings: int) -> list[list[int]]:
    return list(sampler(*arguments, **settings))


@given(
    lengths=st.lists(st.integers(0, 70), min_size=1, max_size=80),
    tokens=st.integers(1, 200),
    max_rows=st.integers(1, 20),
    epoch=st.integers(0, 5),
)
@settings(max_examples=3 * settings.default.max_examples)
def test_every_row_once_within_both_limits(lengths: list[int], tokens: int, max_rows: int, epoch: int) -> None:
    array = np.array(lengths)
    made = sampler(array, tokens=tokens, max_rows=max_rows, epoch=epoch)
    cut = list(made)
    assert len(cut) == len(made)
    assert sorted(row for batch in cut for row in batch) == list(range(len(lengths)))
    for batch in cut:
        assert len(batch) <= max_rows
        assert len(batch) == 1 or len(batch) * array[batch].max() <= tokens


def test_rows_of_a_batch_are_of_like_lengths() -> None:
    spread = [int(np.ptp(LENGTHS[batch])) for batch in batches()]
    assert np.mean(spread) < 3


def test_same_seed_and_epoch_same_order() -> None:
    assert batches(epoch=3) == batches(epoch=3)


def test_another_epoch_or_seed_another_order_and_other_companions() -> None:
    first = batches()
    for other in (batches(epoch=1), batches(seed=2)):
        assert other != first
        assert {frozenset(batch) for batch in other} != {frozenset(batch) for batch in first}
        assert len(other) == len(first)


def test_processes_share_the_batches_out() -> None:
    whole = {tuple(batch) for batch in batches(epoch=2)}
    shares = [batches(epoch=2, rank=rank, world_size=3) for rank in range(3)]
    assert len({len(share) for share in shares}) == 1
    given_out = [tuple(batch) for share in shares for batch in share]
    assert len(given_out) == len(set(given_out)) > len(whole) - 3
    assert set(given_out) <= whole
