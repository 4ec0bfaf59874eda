"""Batches: every row once, within the budget, with like lengths together."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from perennial.inference.batching import pad, plan_batches

LENGTHS = st.lists(st.integers(0, 50), max_size=200).map(np.array)


@given(lengths=LENGTHS, budget=st.integers(1, 300), max_rows=st.none() | st.integers(1, 9))
def test_every_row_is_in_one_batch_within_the_budget(lengths: np.ndarray, budget: int, max_rows: int | None) -> None:
    batches = plan_batches(lengths, budget, max_rows=max_rows)
    assert sorted(int(row) for batch in batches for row in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * lengths[batch].max() <= budget
        assert len(batch) <= (max_rows or len(batch))


@given(lengths=LENGTHS, budget=st.integers(1, 300), max_rows=st.none() | st.integers(1, 9), run=st.integers(1, 40))
def test_where_a_run_costs_something_batches_cost_no_more_than_the_fullest(
    lengths: np.ndarray, budget: int, max_rows: int | None, run: int
) -> None:
    fullest = plan_batches(lengths, budget, max_rows=max_rows)
    cheapest = plan_batches(lengths, budget, max_rows=max_rows, run_tokens=run)
    assert sorted(int(row) for batch in cheapest for row in batch) == list(range(len(lengths)))
    for batch in cheapest:
        assert len(batch) == 1 or len(batch) * lengths[batch].max() <= budget
        assert len(batch) <= (max_rows or len(batch))

    def cost(batches: list[np.ndarray]) -> int:
        return sum(run + len(batch) * max(1, int(lengths[batch].max())) for batch in batches)

    assert cost(cheapest) <= cost(fullest)


def test_a_long_row_is_run_apart_from_short_ones_and_like_ones_together() -> None:
    cheapest = plan_batches(np.array([10, 60, 11, 9, 10]), 512, run_tokens=24)
    assert [batch.tolist() for batch in cheapest] == [[1], [2, 0, 4, 3]]


@given(lengths=LENGTHS, budget=st.integers(1, 300))
def test_lengths_fall_from_batch_to_batch(lengths: np.ndarray, budget: int) -> None:
    ordered = [int(lengths[row]) for batch in plan_batches(lengths, budget) for row in batch]
    assert ordered == sorted(ordered, reverse=True)


def test_padding_is_little_when_lengths_differ_much() -> None:
    lengths = np.random.default_rng(0).integers(1, 128, 2_000)
    padded = sum(len(batch) * lengths[batch].max() for batch in plan_batches(lengths, 1024))
    assert padded < 1.05 * lengths.sum()


def test_short_rows_are_padded_and_masked() -> None:
    ids, mask = pad([np.array([5, 6, 7]), np.array([8]), np.array([], np.int32)], pad_id=1)
    assert ids.tolist() == [[5, 6, 7], [8, 1, 1], [1, 1, 1]]
    assert mask.tolist() == [[1, 1, 1], [1, 0, 0], [0, 0, 0]]
    assert ids.dtype == mask.dtype == np.int64


def test_a_batch_is_never_without_columns() -> None:
    assert pad([np.array([], np.int32)], pad_id=1)[0].shape == (1, 1)
