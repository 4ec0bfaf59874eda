"""Intervals of differences: that they are as wide as they must be, and the same however they are come by."""

import random
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest

from perennial import kinds
from perennial.evaluation import resampling
from perennial.evaluation.comparison import WORST, ComparedRows, Rivals, Sums, mcnemar
from perennial.records.evaluation import Comparison
from perennial.settings.evaluation import EvaluationSpec

LABELS = ("a", "b")
KIND = kinds.kind_named("text-classification")
QUICK = EvaluationSpec(resamples=2000)
Answers = list[dict[str, Any]]


def answers(right: list[int], targets: list[str], sure: float = 0.8) -> Answers:
    """Right where `right` is 1."""
    made: Answers = []
    for hit, target in zip(right, targets, strict=True):
        label = target if hit else LABELS[1 - LABELS.index(target)]
        scores = {name: sure if name == label else 1 - sure for name in LABELS}
        made.append({"label": label, "score": sure, "scores": scores})
    return made


def rivals(both: int, gained: int, lost: int, neither: int = 0, settings: EvaluationSpec = QUICK) -> Rivals:
    """Rows by which of the two models is right."""
    ours = [1] * both + [1] * gained + [0] * lost + [0] * neither
    theirs = [1] * both + [0] * gained + [1] * lost + [0] * neither
    targets = [LABELS[row % 2] for row in range(len(ours))]
    rows = ComparedRows(KIND, LABELS, [f"r{row}" for row in range(len(ours))], targets, settings)
    return Rivals(rows, answers(ours, targets), answers(theirs, targets))


def accuracy(found: Comparison) -> tuple[float, float, float]:
    difference = found.values["accuracy"]
    return difference.interval.low, difference.value, difference.interval.high


@pytest.mark.parametrize("rows", [5, 20, 200])
def test_two_models_that_never_differed_may_still_differ(rows: int) -> None:
    low, value, high = accuracy(rivals(rows, 0, 0).compare())
    assert value == 0
    # A model worse by this much would show no difference on so many rows in one case of forty (Clopper, Pearson 1934).
    unseen = 1 - 0.025 ** (1 / rows)
    assert low <= -0.9 * unseen
    assert high >= 0.9 * unseen
    assert high <= 1.5 * unseen + 0.01


@pytest.mark.parametrize("rows", [20, 200])
def test_no_metric_is_certain_of_few_rows_that_are_all_right(rows: int) -> None:
    same = rivals(rows, 0, 0)
    found = same.compare()
    for metric, difference in found.values.items():
        assert difference.interval.low < 0 < difference.interval.high or metric in ("log_loss", "brier"), metric
    for label in LABELS:
        of_all, of_label = found.values["macro_recall"].interval, found.per_label[label]["recall"].interval
        assert of_label.low < of_all.low < 0, "a label has fewer rows than all labels have"


@pytest.mark.parametrize(("gained", "lost"), [(0, 4), (4, 0), (10, 10), (30, 50)])
def test_more_rows_make_a_narrower_interval_around_the_difference(gained: int, lost: int) -> None:
    few, many = (accuracy(rivals(200 * times, gained * times, lost * times).compare()) for times in (1, 9))
    assert few[1] == pytest.approx(many[1]) == pytest.approx((gained - lost) / (200 + gained + lost))
    for low, value, high in (few, many):
        assert low < value < high
    assert 2.4 < (few[2] - few[0]) / (many[2] - many[0]) < 4.5  # three, and more where few rows differ


def test_the_normal_limit_is_the_bootstrap_of_many_rows() -> None:
    draw = random.Random(1)  # noqa: S311 - not for secrets
    targets = [draw.choice(LABELS) for _ in range(3000)]
    rows = ComparedRows(KIND, LABELS, list(map(str, range(3000))), targets, QUICK)
    ours, theirs = (answers([draw.random() < 0.8 for _ in targets], targets, draw.uniform(0.6, 0.9)) for _ in range(2))
    for part in Rivals(rows, ours, theirs).differences.parts:
        exact, limit = (
            resampling.estimate(part, part.counts(), confidence=0.95, resamples=4000, work=work) for work in (10**9, 0)
        )
        assert np.allclose(exact.values, limit.values, equal_nan=True)
        for one, other in ((exact.low, limit.low), (exact.high, limit.high)):
            assert np.all(np.abs(one - other) < 0.12 * (exact.high - exact.low) + 1e-9)


def test_rows_of_a_slice_are_compared_as_if_there_were_no_others() -> None:
    both = rivals(100, 8, 12)
    inside = np.zeros(120, bool)
    inside[60:] = True
    chosen = [row for row in range(120) if inside[row]]
    alone = Rivals(
        ComparedRows(KIND, LABELS, chosen, [both.rows.targets[row] for row in chosen], QUICK),  # type: ignore[arg-type]
        [both.candidate[row] for row in chosen],
        [both.champion[row] for row in chosen],
    ).compare()
    part = both.compare_inside(inside)
    assert accuracy(part) == pytest.approx(accuracy(alone), abs=0.01)
    assert (part.n, part.negative_flips, part.positive_flips) == (60, 12, 8)
    assert part.mcnemar_p == alone.mcnemar_p


def test_an_empty_slice_has_no_figures() -> None:
    nothing = np.zeros(10, bool)
    both = rivals(10, 0, 0)
    assert both.compare_inside(nothing) == Comparison(n=0, values={}, mcnemar_p=1.0, negative_flips=0, positive_flips=0)
    sums = Sums.of(both.rows, both.rows.metric_sums(both.candidate))
    assert sums.metrics(nothing).values == {}


def test_the_same_rows_give_the_same_intervals() -> None:
    assert rivals(50, 3, 4).compare() == rivals(50, 3, 4).compare()


def test_being_worse_is_told_whichever_way_a_metric_is_better() -> None:
    found = rivals(150, 0, 40).compare()
    assert found.values["accuracy"].worse_p < 0.001
    assert found.values["brier"].worse_p < 0.001
    assert found.values["brier"].value > 0 > found.values["accuracy"].value
    better = rivals(150, 40, 0).compare()
    assert better.values["brier"].worse_p > 0.999


@pytest.mark.parametrize(("one", "other"), [(0, 0), (0, 5), (3, 9), (9, 3), (200, 260), (4000, 4100)])
def test_mcnemar_is_the_exact_binomial_test(one: int, other: int) -> None:
    assert mcnemar(one, other) == pytest.approx(binomtest(one, one + other).pvalue if one + other else 1.0, abs=1e-8)


def test_the_surest_of_the_lost_rows_come_first() -> None:
    targets = ["a"] * 30
    ours: Answers = [
        {"label": "b", "score": row / 30, "scores": {"a": 1 - row / 30, "b": row / 30}} for row in range(30)
    ]
    rows = ComparedRows(KIND, LABELS, [f"r{row}" for row in range(30)], targets, QUICK)
    found = Rivals(rows, ours, answers([1] * 30, targets)).compare()
    assert found.worst == tuple(f"r{row}" for row in range(29, 29 - WORST, -1))
    assert found.negative_flips == 30


def test_numbers_have_no_flips() -> None:
    kind = kinds.kind_named("regression")
    draw = random.Random(2)  # noqa: S311 - not for secrets
    targets = [draw.gauss(0, 1) for _ in range(80)]
    good = [{"value": target + draw.gauss(0, 0.1)} for target in targets]
    bad = [{"value": target + draw.gauss(0, 0.5)} for target in targets]
    found = Rivals(ComparedRows(kind, (), list(map(str, range(80))), targets, QUICK), bad, good).compare()
    assert (found.negative_flips, found.mcnemar_p, found.worst) == (None, None, ())
    assert found.values["rmse"].interval.low > 0
    assert found.values["r2"].interval.high < 0
    assert "spearman" not in found.values


@pytest.mark.parametrize(("rows", "margin"), [(50, 0.05), (200, 0.02), (1000, 0.02)])
@pytest.mark.parametrize("gain", [0.0, 0.05])
def test_a_candidate_worse_by_the_margin_is_passed_at_the_promised_level_or_less(
    rows: int, margin: float, gain: float
) -> None:
    draw = np.random.default_rng(3)
    known: dict[tuple[int, int], bool] = {}
    passed = 0
    for gained, lost, both in draw.multinomial(rows, [gain, gain + margin, 1 - 2 * gain - margin], size=300).tolist():
        if (gained, lost) not in known:
            known[gained, lost] = accuracy(rivals(both, gained, lost).compare())[0] > -margin
        passed += known[gained, lost]
    # 300 candidates at the level of one in forty: eighteen or more in one case of a thousand.
    assert passed < 18
