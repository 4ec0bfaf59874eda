"""Slices judged together: power where all are alike, and no cover for one that is not."""

from typing import Any

import numpy as np
import pytest
from test_checks import decided, part

from benchmarks.deciding import slices
from perennial.metrics.slice_pooling import pool
from perennial.records.decision import Outcome

POOLED: dict[str, Any] = {
    "metric": "accuracy", "per": "slice", "versus": "champion", "margin": 0.1, "slices": "pooled", "min_n": 50,
}  # fmt: skip


def test_slices_that_vary_by_chance_are_drawn_to_their_mean() -> None:
    values = np.random.default_rng(1).normal(-0.01, 0.04, 30).tolist()
    pooled = pool(values, [0.04] * 30, confidence=0.95)
    assert max(abs(one.value - np.mean(values)) for one in pooled) < 0.03
    assert min(one.low for one in pooled) > -0.06 > min(values)
    assert not any(one.stands_out for one in pooled)


def test_slices_that_differ_are_left_where_they_are() -> None:
    values = [-0.2, -0.1, 0.0, 0.1, 0.2]
    for one, value in zip(pool(values, [0.01] * 5, confidence=0.95), values, strict=True):
        assert one.value == pytest.approx(value, abs=0.003)
        assert one.high - one.low == pytest.approx(2 * 1.96 * 0.01, rel=0.02)


def test_one_bad_slice_among_thirty_stands_out() -> None:
    pooled = pool([0.0] * 29 + [-0.15], [0.035] * 30, confidence=0.95)
    assert [one.stands_out for one in pooled] == [False] * 29 + [True]


def test_a_slice_alone_is_what_its_rows_say_of_the_mean() -> None:
    [one] = pool([-0.03], [0.02], confidence=0.95)
    assert (one.value, one.high - one.low) == (pytest.approx(-0.03), pytest.approx(2 * 1.96 * 0.02, rel=1e-3))


def test_texts_in_several_slices_make_the_mean_less_sure() -> None:
    apart, shared = (pool([0.0, 0.01], [0.02, 0.02], confidence=0.95, shared=by)[0] for by in (1.0, 2.0))
    assert shared.high - shared.low == pytest.approx(2**0.5 * (apart.high - apart.low))


def test_no_interval_goes_beyond_what_a_difference_can_be() -> None:
    for one in pool([0.9, -0.9, 0.0], [0.4, 0.4, 0.4], confidence=0.95, bounds=(-1.0, 1.0)):
        assert -1 <= one.low <= one.value <= one.high <= 1
    assert max(one.high for one in pool([0.9, -0.9, 0.0], [0.4] * 3, confidence=0.95)) > 1


def test_a_pooled_gate_decides_what_each_by_itself_can_not() -> None:
    parts = tuple(part(f"sector={n}", n=100, versus=-0.02 * (n % 3), error=0.035) for n in range(30))
    parts = tuple(one.model_copy(update={"by": "sector"}) for one in parts)
    each = decided({**POOLED, "slices": "each"}, slices=parts)
    assert each.outcome is Outcome.HOLD
    pooled = decided(POOLED, slices=parts)
    assert pooled.outcome is Outcome.PROMOTE, pooled.reasons
    assert any("beside the other slices by sector" in check.reason for check in pooled.checks)


def test_a_slice_that_stands_out_holds_and_says_so() -> None:
    parts = tuple(part(f"sector={n}", n=100, versus=-0.09 if n == 7 else 0.02, error=0.03) for n in range(30))
    found = decided(POOLED, slices=parts)
    assert found.outcome is Outcome.HOLD
    [reason] = [reason for reason in found.reasons if "stands out" in reason]
    assert "'sector=7'" in reason


def test_a_slice_by_an_expression_stands_alone() -> None:
    parts = tuple(part(f"mine {n}", n=100, error=0.06).model_copy(update={"by": "expression"}) for n in range(5))
    assert decided(POOLED, slices=parts).outcome is Outcome.HOLD


@pytest.mark.parametrize(
    "gate", [{"slices": "pooled", "min": 0.5}, {"slices": "pooled", "slice": "a", "versus": "champion"}]
)
def test_pooling_goes_with_slices_beside_the_champion(gate: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="slices: pooled goes with per: slice and versus: champion"):
        decided({"metric": "accuracy", **gate})


def test_thirty_slices_of_a_hundred_rows() -> None:
    """What README's slice gate does, and what pooling does instead."""
    equal, all_worse, one_worse = (
        slices.promotions(30, 100, nature, pairs=60) for nature in ("equal", "all at the margin", "one at twice it")
    )
    assert equal.each < 0.1
    assert equal.pooled > 0.9
    assert all_worse.pooled <= 0.05
    assert one_worse.pooled <= 0.1
