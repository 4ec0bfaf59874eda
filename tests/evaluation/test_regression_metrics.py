"""Metrics of numbers, beside scipy's and scikit-learn's, and gates for which lower is better."""

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perennial.evaluation.gates import decide
from perennial.metrics.regression import regression_metrics
from perennial.records.decision import Outcome
from perennial.records.evaluation import Comparison, Difference, Evaluation, Metrics
from perennial.records.interval import Interval
from perennial.settings.pipeline import PipelineSpec

NUMBERS = st.sampled_from([-1.0, 0.0, 0.25, 3.0]) | st.floats(-1e6, 1e6)
PAIRS = st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=30)


def found(targets: Any, answers: Any) -> dict[str, float]:
    return regression_metrics(list(targets), [{"value": float(value)} for value in answers]).values


@given(rows=PAIRS)
def test_they_are_scipys_and_scikit_learns(rows: list[tuple[float, float]]) -> None:
    from scipy import stats
    from sklearn import metrics

    targets, answers = np.array(rows).T
    values = found(targets, answers)
    assert values["rmse"] == pytest.approx(metrics.root_mean_squared_error(targets, answers))
    assert values["mae"] == pytest.approx(metrics.mean_absolute_error(targets, answers))
    with warnings.catch_warnings():
        # Of equal numbers.
        warnings.simplefilter("ignore")
        rank = stats.spearmanr(targets, answers).statistic if len(rows) > 1 else np.nan
    assert values["spearman"] == pytest.approx(0.0 if np.isnan(rank) else rank, abs=1e-9)
    if np.ptp(targets) > 1e-3:
        assert values["r2"] == pytest.approx(metrics.r2_score(targets, answers), rel=1e-6)


@given(rows=PAIRS.filter(lambda rows: np.ptp([target for target, _ in rows]) > 1e-3))
@pytest.mark.parametrize("unit", [1e-3, 1e6])
def test_errors_are_in_the_unit_and_shares_have_none(unit: float, rows: list[tuple[float, float]]) -> None:
    targets, answers = np.array(rows).T
    plain, scaled = found(targets, answers), found(targets * unit, answers * unit)
    for name in ("rmse", "mae"):
        assert scaled[name] == pytest.approx(plain[name] * unit, rel=1e-9, abs=1e-12)
    assert scaled["r2"] == pytest.approx(plain["r2"], rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("number", [0.0, 0.1, -7.0, 1e9])
def test_equal_targets_give_finite_figures(number: float) -> None:
    same = [number] * 7
    right, wrong = found(same, same), found(same, [number + n for n in range(7)])
    assert right == {"rmse": 0.0, "mae": 0.0, "spearman": 0.0, "r2": 0.0}
    assert wrong["mae"] == pytest.approx(3)
    assert (wrong["spearman"], wrong["r2"]) == (0.0, 0.0)
    assert found([1.0, 2.0], [number, number])["spearman"] == 0.0


def test_no_rows_give_no_metrics() -> None:
    assert regression_metrics([], []) == Metrics(n=0, values={})
    assert found([1.0], [3.0]) == {"rmse": 2.0, "mae": 2.0, "spearman": 0.0, "r2": 0.0}


def spec(**gate: Any) -> PipelineSpec:
    return PipelineSpec.model_validate(
        {
            "name": "stars",
            "kind": "regression",
            "data": {"source": {"type": "file", "path": "a.csv"}},
            "gates": [gate],
        }
    )


def judged(rmse: float, champion: float | None = None, baselines: tuple[float, ...] = (), **gate: Any) -> Any:
    def of(value: float) -> Metrics:
        return Metrics(n=100, values={"rmse": value, "r2": 1 - value})

    def difference(value: float) -> Difference:
        reach = Interval(low=value - 0.004, high=value + 0.004)
        return Difference(value=value, interval=reach, standard_error=0.002, worse_p=0.5)

    compared = {} if champion is None else {"rmse": difference(rmse - champion), "r2": difference(champion - rmse)}
    evaluation = Evaluation(
        digest="e" * 64,
        candidate=of(rmse),
        champion=None if champion is None else of(champion),
        champion_version=None if champion is None else "7",
        champion_problem=None,
        comparison=Comparison(n=100, values=compared) if compared else None,
        baselines={f"b{place}": of(value) for place, value in enumerate(baselines)},
        predictions_path="evaluate/x/predictions.parquet",
    )
    return decide(spec(**gate), evaluation)


CEILING = {"metric": "rmse", "max": 0.3}
CHAMPION = {"metric": "rmse", "versus": "champion"}
BASELINE = {"metric": "rmse", "versus": "baseline"}
FIT = {"metric": "r2", "versus": "champion"}


@pytest.mark.parametrize(
    ("gate", "figures", "outcome"),
    [
        (CEILING, {"rmse": 0.29}, Outcome.PROMOTE),
        (CEILING, {"rmse": 0.31}, Outcome.REJECT),
        (CHAMPION, {"rmse": 0.3, "champion": 0.3}, Outcome.HOLD),
        (CHAMPION, {"rmse": 0.2, "champion": 0.3}, Outcome.PROMOTE),
        (CHAMPION, {"rmse": 0.31, "champion": 0.3}, Outcome.REJECT),
        ({**CHAMPION, "margin": 0.02}, {"rmse": 0.31, "champion": 0.3}, Outcome.PROMOTE),
        ({**CHAMPION, "margin": 0.02}, {"rmse": 0.33, "champion": 0.3}, Outcome.REJECT),
        ({**CHAMPION, "margin": -0.02}, {"rmse": 0.29, "champion": 0.3}, Outcome.REJECT),
        ({**CHAMPION, "margin": -0.02}, {"rmse": 0.28, "champion": 0.3}, Outcome.HOLD),
        ({**CHAMPION, "margin": -0.02}, {"rmse": 0.27, "champion": 0.3}, Outcome.PROMOTE),
        (BASELINE, {"rmse": 0.3, "baselines": (0.5, 0.29)}, Outcome.REJECT),
        (BASELINE, {"rmse": 0.28, "baselines": (0.5, 0.29)}, Outcome.PROMOTE),
        ({**BASELINE, "margin": -0.02}, {"rmse": 0.28, "baselines": (0.5, 0.29)}, Outcome.REJECT),
        # higher is better, beside it
        (FIT, {"rmse": 0.2, "champion": 0.3}, Outcome.PROMOTE),
        (FIT, {"rmse": 0.4, "champion": 0.3}, Outcome.REJECT),
    ],
)
def test_gates_know_that_errors_should_be_small(
    gate: dict[str, Any], figures: dict[str, Any], outcome: Outcome
) -> None:
    assert judged(**figures, **gate).outcome is outcome


def test_and_say_so() -> None:
    [check] = judged(0.31, 0.3, **CHAMPION, margin=0.02).checks
    assert check.gate == "rmse at most the champion's + 0.02"
    assert check.reason == (
        "rmse is 0.3100, champion version 7 has 0.3000: a difference of +0.0100 (95% interval +0.0060 to +0.0140, "
        "n = 100); at most 0.02 worse was allowed."
    )
