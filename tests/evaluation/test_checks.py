"""Checks of what is neither a floor nor an average: slices, flips, tests, groups, serving; and families of them."""

from typing import Any

import pytest

from perennial.evaluation.gates import decide
from perennial.metrics.slice_pooling import holm
from perennial.records.decision import Check, Decision, Outcome, Verdict
from perennial.records.evaluation import (
    BehaviourFigures,
    Comparison,
    Difference,
    Evaluation,
    GroupFigures,
    Metrics,
    ServingFigures,
    SliceFigures,
)
from perennial.records.interval import Interval
from perennial.settings.pipeline import PipelineSpec

Gate = dict[str, Any]
FLOOR = {"metric": "accuracy", "min": 0.5}
SERVING = ServingFigures(
    batch_flips=0, padding_flips=2, n=100, latency_p50=4.0, latency_p95=9.0, throughput=500.0, peak_memory=200.0,
    size=24.0,
)  # fmt: skip


def figures(accuracy: float, n: int = 400) -> Metrics:
    return Metrics(n=n, values={"accuracy": accuracy}, support={"a": n // 2, "b": n // 2})


def difference(value: float, error: float) -> Difference:
    reach = 1.96 * error
    return Difference(
        value=value, interval=Interval(low=value - reach, high=value + reach), standard_error=error, worse_p=0.5
    )


def compared(value: float, error: float = 0.01, n: int = 400, flips: int | None = 8) -> Comparison:
    return Comparison(n=n, values={"accuracy": difference(value, error)}, negative_flips=flips, positive_flips=flips)


def part(name: str, n: int = 400, accuracy: float = 0.8, versus: float = 0.0, error: float = 0.01) -> SliceFigures:
    candidate = figures(accuracy, n) if n else Metrics(n=0, values={})
    rival = figures(accuracy - versus, n) if n else Metrics(n=0, values={})
    comparison = compared(versus, error, n) if n else Comparison(n=0, values={}, negative_flips=0, positive_flips=0)
    return SliceFigures(name=name, by="sector", candidate=candidate, champion=rival, comparison=comparison)


def behaviour(name: str, passed: int, n: int = 20, least: float = 0.9) -> BehaviourFigures:
    return BehaviourFigures(name=name, capability="negation", type="minimum", n=n, passed=passed, min_pass_rate=least)


def decided(*gates: Gate, champion: str | None = "7", **parts: Any) -> Decision:
    spec = PipelineSpec.model_validate(
        {
            "name": "news",
            "kind": "text-classification",
            "data": {"source": {"type": "file", "path": "a.csv"}, "labels": ["a", "b"]},
            "gates": [FLOOR, *gates],
        }
    )
    evaluation = {
        "digest": "e" * 64,
        "candidate": figures(0.8),
        "champion": figures(0.8) if champion else None,
        "champion_version": champion,
        "champion_problem": None,
        "comparison": compared(0.0) if champion else None,
        "baselines": {},
        "predictions_path": "evaluate/x/predictions.parquet",
    }
    return decide(spec, Evaluation(**(evaluation | parts)))


def checks(found: Decision) -> tuple[Check, ...]:
    """Those of the gates that a test is about: the floor comes first."""
    return found.checks[1:]


PER_SLICE = {"metric": "accuracy", "per": "slice", "min": 0.7}
SLICE = {"metric": "accuracy", "slice": "sector=banks", "min": 0.7}


@pytest.mark.parametrize(
    ("gate", "slices", "verdicts", "outcome"),
    [
        (PER_SLICE, [part("sector=banks"), part("sector=energy")], ["pass", "pass"], Outcome.PROMOTE),
        (PER_SLICE, [part("sector=banks"), part("sector=energy", accuracy=0.6)], ["pass", "fail"], Outcome.REJECT),
        (SLICE, [part("sector=banks"), part("sector=energy", accuracy=0.6)], ["pass"], Outcome.PROMOTE),
        (SLICE, [part("sector=energy")], ["undecided"], Outcome.HOLD),
        (SLICE, [], ["undecided"], Outcome.HOLD),
        (PER_SLICE, [], ["undecided"], Outcome.HOLD),
        (PER_SLICE, [part("empty", n=0)], ["undecided"], Outcome.HOLD),
        ({**PER_SLICE, "min_n": 50}, [part("few", n=49)], ["undecided"], Outcome.HOLD),
        ({**PER_SLICE, "min_n": 50, "small": "skip"}, [part("few", n=49)], ["not judged"], Outcome.PROMOTE),
        ({**PER_SLICE, "min_n": 50, "small": "skip"}, [part("empty", n=0)], ["not judged"], Outcome.PROMOTE),
        ({**PER_SLICE, "min_n": 50, "small": "skip"}, [], ["undecided"], Outcome.HOLD),
    ],
)
def test_slices(gate: Gate, slices: list[SliceFigures], verdicts: list[str], outcome: Outcome) -> None:
    found = decided(gate, slices=slices)
    assert [check.verdict for check in checks(found)] == verdicts
    assert found.outcome is outcome
    # What was skipped is said, even where the candidate is promoted.
    told = " ".join(found.reasons)
    assert all(check.reason in told for check in checks(found) if check.verdict is not Verdict.PASS)


def test_a_slice_that_is_not_there_is_answered_with_those_that_are() -> None:
    [check] = checks(decided({**SLICE, "slice": "sector=bank"}, slices=[part("sector=banks")]))
    assert "there is no such slice; there are: 'sector=banks'" in check.reason


def test_only_skipped_slices_promote_nothing() -> None:
    spec = PipelineSpec.model_validate(
        {
            "name": "news", "kind": "text-classification",
            "data": {"source": {"type": "file", "path": "a.csv"}, "labels": ["a", "b"]},
            "gates": [{**PER_SLICE, "min_n": 50, "small": "skip"}],
        }
    )  # fmt: skip
    seen = Evaluation(
        digest="e" * 64, candidate=figures(0.8), champion=None, champion_version=None, champion_problem=None,
        baselines={}, slices=(part("few", n=3),), predictions_path="p",
    )  # fmt: skip
    found = decide(spec, seen)
    assert found.outcome is Outcome.HOLD
    assert any("Nothing could be judged" in reason for reason in found.reasons)


VERSUS = {"metric": "accuracy", "per": "slice", "versus": "champion", "margin": 0.03}


def test_many_slices_make_it_harder_to_show_a_failure_and_no_easier_to_pass() -> None:
    # Alone, 0.06 worse with a standard error of 0.013 is shown to be worse than 0.03: p = 0.0105.
    bad = part("bad", versus=-0.06, error=0.013)
    alone = decided(VERSUS, slices=[bad])
    assert checks(alone)[0].verdict is Verdict.FAIL
    good = [part(f"good {number}", error=0.005) for number in range(4)]
    among = decided(VERSUS, slices=[bad, *good])
    assert [check.verdict for check in checks(among)] == ["undecided", *["pass"] * 4]
    assert among.outcome is Outcome.HOLD
    worse = decided(VERSUS, slices=[part("bad", versus=-0.12, error=0.013), *good])
    assert worse.outcome is Outcome.REJECT
    assert "Holm-adjusted for 5 comparisons" in worse.reasons[0]


def test_holm_adjusts_as_published() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (0.0, 0.02, "About 690 such rows would be needed"),  # (1.96 * 0.02 / 0.03)^2 * 400
        (-0.02, 0.01, "About 1,600 such rows would be needed"),
        (-0.03, 0.02, "More rows would hardly help"),
        (-0.04, 0.02, "More rows would hardly help"),
    ],
)
def test_undecided_says_how_many_rows_it_would_take(value: float, error: float, words: str) -> None:
    gate = {"metric": "accuracy", "versus": "champion", "margin": 0.03}
    found = decided(gate, comparison=compared(value, error))
    [check] = checks(found)
    assert (check.verdict, found.outcome) == (Verdict.UNDECIDED, Outcome.HOLD)
    assert words in check.reason
    assert (check.difference, check.margin, check.n) == (value, 0.03, 400)
    assert check.interval is not None
    assert check.interval.low < value < check.interval.high


FLIPS = {"metric": "negative_flip_rate", "max": 0.02}


@pytest.mark.parametrize(
    ("flips", "champion", "verdicts"),
    [(8, "7", ["pass"]), (9, "7", ["fail"]), (None, "7", ["undecided"]), (8, None, [])],
)
def test_negative_flips(flips: int | None, champion: str | None, verdicts: list[str]) -> None:
    found = decided(FLIPS, champion=champion, **({"comparison": compared(0.0, flips=flips)} if champion else {}))
    assert [check.verdict for check in checks(found)] == verdicts


def test_negative_flips_without_a_comparison_hold() -> None:
    found = decided(FLIPS, champion_problem="damaged", champion=None, champion_version="7")
    assert found.outcome is Outcome.HOLD


@pytest.mark.parametrize(
    ("gates", "tests", "verdicts"),
    [
        ((), [behaviour("negation", 18)], ["pass"]),
        ((), [behaviour("negation", 17)], ["undecided"]),
        ((), [behaviour("negation", 5)], ["fail"]),
        ((), [behaviour("negation", 0, n=0)], ["undecided"]),
        ((), [], []),
        (({"metric": "pass_rate", "per": "behaviour"},), [], ["undecided"]),
        (({"metric": "pass_rate", "per": "behaviour", "min": 0.8},), [behaviour("negation", 17)], ["pass"]),
    ],
)
def test_behaviours_are_checked_whether_a_gate_names_them_or_not(
    gates: tuple[Gate, ...], tests: list[BehaviourFigures], verdicts: list[str]
) -> None:
    found = decided(*gates, behaviours=tests, champion=None)
    assert [check.verdict for check in checks(found)] == verdicts
    assert (found.outcome is Outcome.PROMOTE) == (set(verdicts) <= {"pass"})


BESIDE = {"metric": "pass_rate", "per": "behaviour", "versus": "champion", "margin": 0.05}


@pytest.mark.parametrize(
    ("ours", "theirs", "verdicts"),
    [
        (19, [behaviour("negation", 20)], ["pass", "pass"]),
        (18, [behaviour("negation", 20)], ["fail", "pass"]),
        (17, [behaviour("negation", 15)], ["pass", "undecided"]),
        (5, [behaviour("negation", 5)], ["pass", "fail"]),
        (18, [behaviour("another", 20)], ["undecided", "pass"]),
        (18, [], ["undecided", "pass"]),
    ],
)
def test_behaviours_beside_the_champions_keep_their_own_floors(
    ours: int, theirs: list[BehaviourFigures], verdicts: list[str]
) -> None:
    found = decided(BESIDE, behaviours=[behaviour("negation", ours)], champion_behaviours=theirs)
    assert [check.verdict for check in checks(found)] == verdicts
    assert (found.outcome is Outcome.PROMOTE) == (set(verdicts) == {"pass"})
    alone = decided(BESIDE, behaviours=[behaviour("negation", ours)], champion=None)
    assert [check.verdict for check in checks(alone)] == verdicts[1:]


@pytest.mark.parametrize(
    ("gate", "groups", "verdicts"),
    [
        ("flip_rate", [GroupFigures(group="names", n=100, flips=5, mean_shift=0.2)], ["pass"]),
        ("flip_rate", [GroupFigures(group="names", n=100, flips=6, mean_shift=0.2)], ["fail"]),
        ("score_shift", [GroupFigures(group="names", n=100, flips=6, mean_shift=0.05)], ["pass"]),
        ("score_shift", [GroupFigures(group="names", n=100, flips=0, mean_shift=float("nan"))], ["undecided"]),
        ("flip_rate", [GroupFigures(group="names", n=0, flips=0, mean_shift=0.0)], ["undecided"]),
        ("flip_rate", [], ["undecided"]),
    ],
)
def test_groups(gate: str, groups: list[GroupFigures], verdicts: list[str]) -> None:
    found = decided({"metric": gate, "per": "group", "max": 0.05}, fairness=groups)
    assert [check.verdict for check in checks(found)] == verdicts


def rival(**changes: float) -> ServingFigures:
    return SERVING.model_copy(update=changes)


@pytest.mark.parametrize(
    ("gate", "serving", "champion", "verdict"),
    [
        ({"metric": "latency_p95", "versus": "champion", "ratio": 1.5}, SERVING, rival(latency_p95=6.0), "pass"),
        ({"metric": "latency_p95", "versus": "champion", "ratio": 1.5}, SERVING, rival(latency_p95=5.9), "fail"),
        ({"metric": "throughput", "versus": "champion", "ratio": 0.5}, SERVING, rival(throughput=1000.0), "pass"),
        ({"metric": "throughput", "versus": "champion", "ratio": 0.5}, SERVING, rival(throughput=1001.0), "fail"),
        ({"metric": "size", "versus": "champion", "ratio": 1.0}, SERVING, None, "undecided"),
        ({"metric": "size", "versus": "champion", "ratio": 1.0}, None, SERVING, "undecided"),
        ({"metric": "size", "max": 24}, SERVING, None, "pass"),
        ({"metric": "batch_flip_rate", "max": 0}, SERVING, None, "pass"),
        ({"metric": "padding_flip_rate", "max": 0.01}, SERVING, None, "fail"),
        ({"metric": "padding_flip_rate", "max": 0.01}, None, None, "undecided"),
    ],
)
def test_serving(gate: Gate, serving: ServingFigures | None, champion: ServingFigures | None, verdict: str) -> None:
    [check] = checks(decided(gate, serving=serving, champion_serving=champion))
    assert check.verdict == verdict, check.reason
    assert check.gate


def test_without_a_champion_serving_is_not_compared() -> None:
    assert not checks(decided({"metric": "size", "versus": "champion", "ratio": 1.0}, champion=None, serving=SERVING))
