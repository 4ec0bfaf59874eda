"""Rows are drawn by age and label: as many as asked for, the same again in every run, rare labels among them."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perennial.settings.training import TrainingSpec
from perennial.training import sampling
from perennial.training.sampling import DAY, LEAST_SHARE, NO_TIME, Candidates

LABELS = 4
ROW = st.tuples(
    st.integers(0, 2**64 - 1),
    st.one_of(st.none(), st.floats(0, 4000)),
    st.integers(-1, LABELS - 1),
    st.booleans(),
)
ROWS = st.lists(ROW, min_size=1, max_size=120, unique_by=lambda row: row[0])
SETTINGS = st.fixed_dictionaries(
    {
        "max_rows": st.one_of(st.none(), st.integers(1, 150)),
        "replay": st.one_of(st.none(), st.floats(0, 0.95)),
        "days": st.one_of(st.none(), st.floats(0.1, 1000)),
        "seed": st.integers(0, 5),
    }
)


def training(
    max_rows: int | None = None, replay: float | None = None, days: float | None = None, seed: int = 42
) -> Any:
    some = {"max_rows": max_rows, "replay": replay, "seed": seed, "start_from": "champion"}
    return TrainingSpec.model_validate(some | ({"half_life_days": days} if max_rows or replay is not None else {}))


def candidates(rows: list[tuple[int, float | None, int, bool]]) -> Candidates:
    keys, days, labels, new = zip(*rows, strict=True)
    time = [NO_TIME if day is None else int(day * DAY) for day in days]
    return Candidates(np.array(keys, np.uint64), np.array(time), np.array(labels), np.array(new))


def many(count: int, labels: Any = 0, seed: int = 0) -> Candidates:
    """`count` rows of one moment, none new."""
    keys = np.random.default_rng(seed).integers(0, 2**64, count, np.uint64)
    return Candidates(keys, np.zeros(count, np.int64), np.broadcast_to(labels, count), np.zeros(count, bool))


def drawn_keys(rows: Candidates, asked: TrainingSpec) -> set[int]:
    return set(rows.key[sampling.draw(rows, asked)].tolist())


@given(rows=ROWS, asked=SETTINGS)
@settings(deadline=None)
def test_no_more_rows_than_asked_for_and_no_fewer_than_there_are(rows: list[Any], asked: dict[str, Any]) -> None:
    some, want = candidates(rows), training(**asked)
    drawn = sampling.draw(some, want)
    limit = min(len(some), asked["max_rows"] or len(some))
    assert drawn.sum() <= limit
    if asked["replay"] is None or not some.new.any():
        assert drawn.sum() == limit
    else:
        assert (drawn & some.new).sum() == min(some.new.sum(), limit - (drawn & ~some.new).sum())
        assert (drawn & ~some.new).sum() <= round(asked["replay"] * limit)


@given(rows=ROWS, asked=SETTINGS, order=st.randoms(use_true_random=False))
@settings(deadline=None)
def test_the_order_of_the_rows_makes_no_difference(rows: list[Any], asked: dict[str, Any], order: Any) -> None:
    want, other = training(**asked), list(rows)
    order.shuffle(other)
    assert drawn_keys(candidates(rows), want) == drawn_keys(candidates(other), want)


@given(rows=ROWS, more=ROWS, size=st.integers(1, 100), days=st.one_of(st.none(), st.floats(1, 1000)))
@settings(deadline=None)
def test_few_more_rows_change_the_sample_little(
    rows: list[Any], more: list[Any], size: int, days: float | None
) -> None:
    known = {row[0] for row in rows}
    # Of one label, and with a time: a quarter of a row more or less for a label is another matter.
    old = [(key, day or 0.0, 0, False) for key, day, _, _ in rows]
    added = [(key, day or 0.0, 0, False) for key, day, _, _ in more if key not in known][:5]
    want = training(size, days=days)
    before, after = drawn_keys(candidates(old), want), drawn_keys(candidates(old + added), want)
    assert after - before <= {row[0] for row in added} | (known if size >= len(old) else set())
    assert len(before - after) <= len(added)


def test_a_few_more_rows_of_many_labels_change_the_sample_little() -> None:
    labels = np.arange(10_000) % 7
    before, grown = many(10_000, labels), many(10_000, labels)
    added = many(100, 3, seed=1)
    grown = Candidates(*(np.concatenate([getattr(one, name) for one in (grown, added)]) for name in vars(added)))
    want = training(2_000)
    first, second = drawn_keys(before, want), drawn_keys(grown, want)
    # The label's share grew from 1,429 of 10,000 rows to 1,529 of 10,100: 17 of 2,000 places.
    assert len(first - second) <= 17 + 7
    assert len(second - first) <= 17 + 7


def test_time_going_by_changes_nothing() -> None:
    rows = many(1000)
    ages = np.random.default_rng(2).uniform(0, 900, 1000)
    young, old = (
        Candidates(rows.key, ((days - ages) * DAY).astype(int), rows.label, rows.new) for days in (1000, 9000)
    )
    want = training(200, days=30.0)
    assert drawn_keys(young, want) == drawn_keys(old, want)


def test_another_seed_draws_other_rows() -> None:
    one, other = (drawn_keys(many(1000), training(200, seed=seed)) for seed in (1, 2))
    assert 10 < len(one & other) < 90  # 40 by chance


def test_a_row_twice_as_old_is_half_as_likely_at_each_half_life() -> None:
    count = 60_000
    ages = np.arange(count) % 4 * 30
    rows = many(count)
    rows = Candidates(rows.key, (-ages * DAY).astype(np.int64), rows.label, rows.new)
    drawn = sampling.draw(rows, training(1_500, days=30.0))
    found = np.array([drawn[ages == age].sum() for age in (0, 30, 60, 90)])
    # So few of each are drawn that without replacement is nearly with it.
    assert found == pytest.approx(1_500 * np.array([8, 4, 2, 1]) / 15, rel=0.15)


def test_rows_without_a_time_count_as_the_oldest() -> None:
    rows = many(3000)
    time = np.where(np.arange(3000) % 3 == 0, NO_TIME, np.where(np.arange(3000) % 3 == 1, 0, 300 * DAY))
    drawn = sampling.draw(Candidates(rows.key, time, rows.label, rows.new), training(600, days=100.0))
    unknown, oldest, newest = (drawn[np.arange(3000) % 3 == which].sum() for which in range(3))
    assert abs(unknown - oldest) < 40
    assert newest > 4 * oldest


def test_a_row_ages_beyond_any_number_and_is_still_ranked() -> None:
    ages = np.array([0.0, 1e5, 1e6])
    ranks = sampling.ranks(np.array([5, 5, 5], np.uint64), ages, 0)
    assert np.isfinite(ranks).all()
    assert (np.diff(ranks) > 0).all()


@given(
    counts=st.lists(st.integers(0, 3000), min_size=1, max_size=9),
    size=st.integers(0, 4000),
    shares=st.lists(st.floats(0, 1), min_size=9, max_size=9),
)
@settings(deadline=None)
def test_each_label_gets_its_share_and_no_less_than_the_floor(
    counts: list[int], size: int, shares: list[float]
) -> None:
    there = np.array(counts)
    weights = there * (np.array(shares[: len(counts)]) + 1e-3)
    found = sampling.quotas(weights, there, size)
    assert found.sum() == min(size, there.sum())
    assert (found <= there).all()
    least = np.minimum(there, int(LEAST_SHARE * size / len(there)))
    assert (found >= least).all()
    free = (found < there) & (found > least + 1) & (weights > 0)
    if free.sum() > 1:
        assert np.ptp((found[free] + 1) / weights[free]) <= 2 / weights[free].min()


def test_a_rare_label_is_kept_and_a_common_one_has_its_share() -> None:
    labels = np.where(np.arange(10_000) < 20, 2, np.arange(10_000) % 2)
    rows = many(10_000, labels)
    drawn = sampling.draw(rows, training(300))
    assert [int(drawn[labels == label].sum()) for label in range(3)] == [145, 145, 10]


def test_new_rows_come_first_and_old_ones_fill_their_share() -> None:
    rows = many(1000)
    rows = Candidates(rows.key, rows.time, rows.label, np.arange(1000) < 100)

    def taken(**asked: Any) -> tuple[int, int]:
        drawn = sampling.draw(rows, training(**asked))
        return int(drawn[:100].sum()), int(drawn[100:].sum())

    assert taken(replay=0.5) == (100, 100)
    assert taken(replay=0.8) == (100, 400)
    assert taken(replay=0.0) == (100, 0)
    assert taken(replay=0.5, max_rows=150) == (75, 75)
    assert taken(replay=0.2, max_rows=110) == (88, 22)
    assert taken(replay=0.99) == (100, 900)


def test_where_nothing_is_new_all_rows_are_drawn_from() -> None:
    assert sampling.draw(many(50), training(replay=0.0)).all()
    assert sampling.draw(many(50), training(20, replay=0.5)).sum() == 20


def test_a_row_counts_for_the_rarest_label_it_holds() -> None:
    held = [
        (np.array([0, 0, 1, 2, 2]), np.array([0, 1, 0, 0, 0])),
        (np.array([1]), np.array([2])),
    ]
    # Label 0 is held by three rows, 1 and 2 by one each.
    assert sampling.rarest_labels(held, [4, 2], 3).tolist() == [1, 0, 0, -1, -1, 2]
    assert sampling.rarest_labels([], [], 1).tolist() == []
