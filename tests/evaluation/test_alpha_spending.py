"""What many looks at the same test rows may err with together, and what new rows bring back."""

import math
import random
from collections.abc import Sequence

import numpy as np
import pytest

from benchmarks import year
from perennial.evaluation import resampling
from perennial.evaluation.resampling import Distinct
from perennial.metrics import alpha_spending, sums
from perennial.metrics.prediction import Prediction


def spend(budget: float, looks: Sequence[tuple[int, int]]) -> tuple[float, float]:
    """What is spent after `looks` (fresh rows, rows), and the sum of their levels."""
    spent = total = 0.0
    for fresh, rows in looks:
        spent = alpha_spending.renewed(spent, fresh, rows)
        level = alpha_spending.level_of_look(budget, spent)
        spent, total = spent + level, total + level
    return spent, total


@pytest.mark.parametrize("looks", [1, 30, 365, 20_000])
def test_all_looks_at_the_same_rows_together_keep_the_budget(looks: int) -> None:
    spent, total = spend(0.05, [(1000, 1000), *[(0, 1000)] * (looks - 1)])
    assert total == pytest.approx(spent)
    assert 0 < total <= 0.05


def test_new_rows_bring_back_what_was_spent_in_proportion_to_their_share() -> None:
    assert alpha_spending.renewed(0.04, 0, 1000) == 0.04
    assert alpha_spending.renewed(0.04, 250, 1000) == pytest.approx(0.03)
    assert alpha_spending.renewed(0.04, 1000, 1000) == 0
    assert alpha_spending.renewed(0.04, 0, 0) == 0.04


def test_rows_that_grow_err_with_no_more_than_the_budget_for_each_time_that_they_are_renewed() -> None:
    draw = random.Random(3)  # noqa: S311 - not for secrets
    rows, looks = 1000, [(1000, 1000)]
    while rows < 8000:
        fresh = draw.randint(0, 40)
        rows += fresh
        looks.append((fresh, rows))
    spent, total = spend(0.05, looks)
    renewals = sum(fresh / every for fresh, every in looks[1:])
    assert spent <= 0.05
    assert total <= 0.05 * (1 + renewals)


def test_a_budget_that_is_spent_or_was_lowered_shows_nothing() -> None:
    assert alpha_spending.level_of_look(0.05, 0.05) == 0
    assert alpha_spending.level_of_look(0.01, 0.05) == 0
    assert alpha_spending.stricter_low(0.1, 0.09, 0.95, 0.0) == -math.inf


def test_the_less_a_look_may_err_the_wider_its_interval() -> None:
    lows = [alpha_spending.stricter_low(0.0, -0.01, 0.95, level) for level in (0.5, 0.025, 0.01, 1e-3, 1e-5, 1e-12)]
    assert lows[:2] == pytest.approx([-0.01, -0.01]), "a level that asks for less than the confidence changes nothing"
    assert lows == sorted(lows, reverse=True)
    assert alpha_spending.stricter_low(0.0, -0.0196, 0.95, 0.00135) == pytest.approx(-0.03, abs=1e-4)


def test_the_simulation_has_the_interval_that_the_product_has() -> None:
    draw = np.random.default_rng(5)
    copies = np.ones((year.AT_ONCE, 800), np.float32)
    one, other = (draw.random(copies.shape) < share for share in (0.85, 0.87))
    texts = year.Texts(copies, copies.sum(1), copies.sum(1), 800)
    value, half = texts.compare(one.astype(np.int8), other.astype(np.int8), by_text=True)
    answers = [
        [{"label": "b" if right else "a", "score": 1.0, "scores": {}} for right in some[0]] for some in (one, other)
    ]
    ours, theirs = (_counts(given) for given in answers)
    estimated = resampling.estimate(
        Distinct.of(sums.paired(ours, theirs)),
        Distinct.of(sums.paired(ours, theirs)).counts(),
        confidence=0.95,
        resamples=4000,
    )
    place = ours.names.index(("accuracy", None))
    assert estimated.values[place] == pytest.approx(value[0])
    assert estimated.values[place] - estimated.low[place] == pytest.approx(half[0], rel=0.06)


def _counts(answers: list[Prediction]) -> sums.MetricSums:
    return next(iter(sums.single_label_sums(["b"] * len(answers), answers, ("a", "b"))))


def test_a_year_of_candidates_that_are_all_worse_by_the_margin_rarely_sees_one_promoted() -> None:
    """A year takes a hundredth of what `python -m benchmarks year` does; that measures the share."""
    rules = {name: year.RULES[name] for name in (year.OURS, "champion, texts")}
    lived = year.lived_through(year.World(all_worse=True, rows=(1000, 2000)), rules, 7, 0)
    assert lived[year.OURS].wrong.mean() <= 0.2, "of 25 years, where 0.05 is promised"
    assert lived["champion, texts"].wrong.mean() > 0.4, "as it was decided before"
