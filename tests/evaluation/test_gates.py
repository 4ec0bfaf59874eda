"""Gates: tables of figures and what follows, and that nothing undecided is ever promoted."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perennial import kinds
from perennial.evaluation.gates import decide
from perennial.records.data import AnnotatorAgreement
from perennial.records.decision import Decision, Outcome, Verdict
from perennial.records.evaluation import BehaviourFigures, Comparison, Difference, Evaluation, Metrics
from perennial.records.interval import Interval
from perennial.settings.behaviours import BehavioursSpec
from perennial.settings.pipeline import PipelineSpec

Gate = dict[str, Any]
NAN = math.nan


def spec(*gates: Gate, allow_dropped: tuple[str, ...] = ()) -> PipelineSpec:
    return PipelineSpec.model_validate(
        {
            "name": "news",
            "kind": "text-classification",
            "data": {"source": {"type": "file", "path": "a.csv"}, "labels": ["a", "b"]},
            "gates": list(gates),
            "registry": {"allow_dropped_labels": allow_dropped},
        }
    )


def figures(accuracy: float | None = 0.8, log_loss: float | None = 0.5, n: int = 100, **recall: float) -> Metrics:
    values = {"accuracy": accuracy, "log_loss": log_loss}
    return Metrics(
        n=n,
        values={name: value for name, value in values.items() if value is not None},
        per_label={label: {"recall": value} for label, value in recall.items()},
        support=dict.fromkeys("ab", n // 2),
    )


def compared(candidate: Metrics, champion: Metrics, error: float = 0.002) -> Comparison:
    """What comparing two models of these figures finds: intervals of two standard errors to either side."""

    def differences(ours: dict[str, float], theirs: dict[str, float]) -> dict[str, Difference]:
        found = {name: ours[name] - theirs[name] for name in ours if name in theirs}
        return {
            name: Difference(
                value=value,
                interval=Interval(low=value - 2 * error, high=value + 2 * error),
                standard_error=error,
                worse_p=0.5,
            )
            for name, value in found.items()
        }

    per_label = {
        label: differences(figures, champion.per_label.get(label, {})) for label, figures in candidate.per_label.items()
    }
    return Comparison(n=candidate.n, values=differences(candidate.values, champion.values), per_label=per_label)


def evaluation(
    candidate: Metrics | None = None,
    champion: Metrics | None = None,
    problem: str | None = None,
    baselines: dict[str, Metrics] | None = None,
    shared: Metrics | None = None,
    new: tuple[str, ...] = (),
    dropped: tuple[str, ...] = (),
    error: float = 0.002,
    **more: Any,
) -> Evaluation:
    candidate = candidate or figures(a=0.8, b=0.8)
    return Evaluation(
        digest="e" * 64,
        candidate=candidate,
        comparison=compared(shared or candidate, champion, error) if champion else None,
        champion=champion,
        champion_version="7" if champion is not None or problem is not None else None,
        champion_problem=problem,
        shared=shared,
        new_labels=new,
        dropped_labels=dropped,
        baselines=baselines or {},
        predictions_path="evaluate/x/predictions.parquet",
        **more,
    )


def judged(gate: Gate, **parts: Any) -> Decision:
    return decide(spec(gate), evaluation(**parts))


FLOOR = {"metric": "accuracy", "min": 0.8}
CEILING = {"metric": "log_loss", "max": 0.5}
CHAMPION = {"metric": "accuracy", "versus": "champion"}
CHAMPION_LOSS = {"metric": "log_loss", "versus": "champion"}
BASELINE = {"metric": "accuracy", "versus": "baseline"}
BASELINE_LOSS = {"metric": "log_loss", "versus": "baseline"}
PER_LABEL = {"metric": "recall", "per": "label", "min": 0.7}


@pytest.mark.parametrize(
    ("gate", "value", "outcome"),
    [
        (FLOOR, 0.81, Outcome.PROMOTE),
        (FLOOR, 0.80, Outcome.PROMOTE),
        (FLOOR, 0.1 + 0.7, Outcome.PROMOTE),  # 0.7999999999999999
        (FLOOR, 0.7999, Outcome.REJECT),
        (FLOOR, NAN, Outcome.HOLD),
        (FLOOR, math.inf, Outcome.HOLD),
        (FLOOR, None, Outcome.HOLD),
        (CEILING, 0.49, Outcome.PROMOTE),
        (CEILING, 0.50, Outcome.PROMOTE),
        (CEILING, 0.5001, Outcome.REJECT),
        (CEILING, NAN, Outcome.HOLD),
        (CEILING, -math.inf, Outcome.HOLD),
        (CEILING, None, Outcome.HOLD),
    ],
)
def test_floors_and_ceilings(gate: Gate, value: float | None, outcome: Outcome) -> None:
    candidate = figures(**{gate["metric"]: value})
    assert judged(gate, candidate=candidate).outcome is outcome


@pytest.mark.parametrize(
    ("gate", "reference", "value", "margin", "outcome"),
    [
        # The interval reaches 0.004 to either side. Higher is better: margin is how much worse it may be.
        (CHAMPION, 0.80, 0.81, 0.0, Outcome.PROMOTE),
        (CHAMPION, 0.80, 0.803, 0.0, Outcome.HOLD),  # better, but not shown to be
        (CHAMPION, 0.80, 0.80, 0.0, Outcome.HOLD),
        (CHAMPION, 0.80, 0.80, 0.01, Outcome.PROMOTE),
        (CHAMPION, 0.80, 0.795, 0.01, Outcome.PROMOTE),
        (CHAMPION, 0.80, 0.793, 0.01, Outcome.HOLD),
        (CHAMPION, 0.80, 0.787, 0.01, Outcome.HOLD),  # worse than the margin, but not shown to be
        (CHAMPION, 0.80, 0.785, 0.01, Outcome.REJECT),
        (CHAMPION, 0.80, 0.79, 0.0, Outcome.REJECT),
        (CHAMPION, 0.80, 0.82, -0.02, Outcome.HOLD),
        (CHAMPION, 0.80, 0.83, -0.02, Outcome.PROMOTE),
        # lower is better: the same words, the other way round
        (CHAMPION_LOSS, 0.50, 0.49, 0.0, Outcome.PROMOTE),
        (CHAMPION_LOSS, 0.50, 0.50, 0.0, Outcome.HOLD),
        (CHAMPION_LOSS, 0.50, 0.51, 0.0, Outcome.REJECT),
        (CHAMPION_LOSS, 0.50, 0.505, 0.01, Outcome.PROMOTE),
        (CHAMPION_LOSS, 0.50, 0.51, 0.01, Outcome.HOLD),
        (CHAMPION_LOSS, 0.50, 0.515, 0.01, Outcome.REJECT),
        (CHAMPION_LOSS, 0.50, 0.48, -0.02, Outcome.HOLD),
        (CHAMPION_LOSS, 0.50, 0.47, -0.02, Outcome.PROMOTE),
        # what can't be compared
        (CHAMPION, NAN, 0.99, 0.0, Outcome.HOLD),
        (CHAMPION, None, 0.99, 0.0, Outcome.HOLD),
        (CHAMPION_LOSS, math.inf, 0.1, 0.0, Outcome.HOLD),
        (CHAMPION, 0.1, NAN, 0.0, Outcome.HOLD),
    ],
)
def test_versus_the_champion(
    gate: Gate, reference: float | None, value: float, margin: float, outcome: Outcome
) -> None:
    metric = gate["metric"]
    found = judged(
        {**gate, "margin": margin}, candidate=figures(**{metric: value}), champion=figures(**{metric: reference})
    )
    assert found.outcome is outcome, found.reasons
    assert found.champion_version == "7"
    assert found.reasons


@pytest.mark.parametrize(
    ("gate", "references", "value", "margin", "outcome"),
    [
        (BASELINE, (0.6, 0.75), 0.75, 0.0, Outcome.PROMOTE),
        (BASELINE, (0.6, 0.75), 0.70, 0.0, Outcome.REJECT),
        (BASELINE, (0.6, 0.75), 0.76, -0.02, Outcome.REJECT),
        (BASELINE, (0.6, 0.75), 0.77, -0.02, Outcome.PROMOTE),
        (BASELINE, (NAN, 0.75), 0.76, 0.0, Outcome.PROMOTE),
        (BASELINE, (NAN, NAN), 0.99, 0.0, Outcome.HOLD),
        (BASELINE, (), 0.99, 0.0, Outcome.HOLD),
        (BASELINE_LOSS, (0.9, 0.5), 0.5, 0.0, Outcome.PROMOTE),
        (BASELINE_LOSS, (0.9, 0.5), 0.6, 0.0, Outcome.REJECT),
    ],
)
def test_versus_the_best_baseline(
    gate: Gate, references: tuple[float, ...], value: float, margin: float, outcome: Outcome
) -> None:
    metric = gate["metric"]
    others = {f"b{i}": figures(**{metric: reference}) for i, reference in enumerate(references)}
    found = judged({**gate, "margin": margin}, candidate=figures(**{metric: value}), baselines=others)
    assert found.outcome is outcome


@pytest.mark.parametrize(
    ("recall", "outcome", "verdicts"),
    [
        ({"a": 0.8, "b": 0.7}, Outcome.PROMOTE, ["pass", "pass"]),
        ({"a": 0.8, "b": 0.6}, Outcome.REJECT, ["pass", "fail"]),
        ({"a": 0.8}, Outcome.HOLD, ["pass", "undecided"]),
        ({"a": 0.6}, Outcome.REJECT, ["fail", "undecided"]),
        ({"a": 0.8, "b": NAN}, Outcome.HOLD, ["pass", "undecided"]),
    ],
)
def test_per_label_every_label_must_hold(recall: dict[str, float], outcome: Outcome, verdicts: list[str]) -> None:
    found = judged(PER_LABEL, candidate=figures(**recall))
    assert found.outcome is outcome
    assert [check.verdict for check in found.checks] == verdicts
    assert [check.label for check in found.checks] == ["a", "b"]
    assert found.checks[1].gate == "recall of 'b' at least 0.7"


def test_a_label_the_champion_never_knew_is_undecided() -> None:
    gate = {"metric": "recall", "per": "label", "versus": "champion"}
    found = judged(gate, candidate=figures(a=0.9, b=0.9), champion=figures(a=0.8))
    assert found.outcome is Outcome.HOLD
    assert found.reasons == ("recall of 'b' has nothing to be compared with: champion version 7 gave no such figure.",)


def test_a_label_that_is_new_since_the_champion_is_judged_by_its_floor() -> None:
    versus = {"metric": "recall", "per": "label", "versus": "champion"}
    rivals = {"champion": figures(a=0.8), "shared": figures(a=0.85), "new": ("b",)}
    good = decide(spec(versus, PER_LABEL), evaluation(figures(a=0.9, b=0.75), **rivals))
    assert good.outcome is Outcome.PROMOTE
    assert [(check.label, check.limit) for check in good.checks] == [("a", 0.8), ("a", 0.7), ("b", 0.7)]
    assert decide(spec(versus, PER_LABEL), evaluation(figures(a=0.9, b=0.6), **rivals)).outcome is Outcome.REJECT


@pytest.mark.parametrize("gate", [FLOOR, CHAMPION, {"metric": "recall", "per": "label", "versus": "champion"}])
def test_a_new_label_without_a_floor_holds(gate: Gate) -> None:
    found = judged(gate, candidate=figures(0.9, a=0.9, b=0.9), champion=figures(a=0.8), new=("b",))
    assert found.outcome is Outcome.HOLD
    assert found.reasons == (
        "New in data.labels: 'b'. The champion has no figure to compare with, and no gate sets a floor. "
        "Add one, such as {metric: recall, per: label, min: 0.7}.",
    )


def test_labels_all_new_and_nothing_compared_is_not_called_a_missing_champion() -> None:
    gate = {"metric": "recall", "per": "label", "versus": "champion"}
    found = judged(gate, candidate=figures(a=0.9, b=0.9), champion=figures(), new=("a", "b"))
    assert (found.outcome, found.checks) == (Outcome.HOLD, ())
    assert not any("no champion" in reason or "there is none yet" in reason for reason in found.reasons)
    assert "New in data.labels: 'a', 'b'." in found.reasons[0]


@pytest.mark.parametrize(("shared", "outcome"), [(0.81, Outcome.PROMOTE), (0.79, Outcome.REJECT)])
def test_models_of_different_labels_are_compared_on_the_shared_ones(shared: float, outcome: Outcome) -> None:
    # On all labels the candidate has 0.95, but the champion was never measured on the new one.
    found = decide(
        spec(CHAMPION, FLOOR, PER_LABEL),
        evaluation(figures(0.95, a=0.9, b=0.9), champion=figures(0.80), shared=figures(shared, n=60), new=("b",)),
    )
    assert found.outcome is outcome
    assert [(check.value, check.n) for check in found.checks[:2]] == [(shared, 60), (0.95, 100)]


@pytest.mark.parametrize(
    ("dropped", "allowed", "outcome"),
    [
        ((), (), Outcome.PROMOTE),
        (("c",), (), Outcome.HOLD),
        (("c",), ("c",), Outcome.PROMOTE),
        (("c", "d"), ("c",), Outcome.HOLD),
    ],
)
def test_a_label_that_is_gone_holds_unless_it_is_allowed_to_go(
    dropped: tuple[str, ...], allowed: tuple[str, ...], outcome: Outcome
) -> None:
    seen = evaluation(figures(0.9), champion=figures(0.8), dropped=dropped)
    found = decide(spec(CHAMPION, allow_dropped=allowed), seen)
    assert found.outcome is outcome
    if outcome is Outcome.HOLD:
        gone = repr(dropped[-1])
        assert f"The champion, version 7, knows {gone}, which data.labels lacks" in found.reasons[0]
        assert "registry.allow_dropped_labels" in found.reasons[0]


@pytest.mark.parametrize(
    ("gate", "n", "outcome"),
    [
        ({**FLOOR, "min_n": 100}, 100, Outcome.PROMOTE),
        ({**FLOOR, "min_n": 101}, 100, Outcome.HOLD),
        ({**PER_LABEL, "min_n": 50}, 100, Outcome.PROMOTE),
        ({**PER_LABEL, "min_n": 51}, 100, Outcome.HOLD),
        (FLOOR, 0, Outcome.HOLD),
    ],
)
def test_too_few_rows_are_undecided(gate: Gate, n: int, outcome: Outcome) -> None:
    found = judged(gate, candidate=figures(accuracy=0.99, n=n, a=0.99, b=0.99))
    assert found.outcome is outcome
    if outcome is Outcome.HOLD and n:
        assert f"{gate['min_n']:,} are needed to judge it" in found.reasons[0]


@pytest.mark.parametrize("problem", ["its package is damaged", ""])
@pytest.mark.parametrize("gate", [FLOOR, CHAMPION])
def test_a_champion_that_can_not_be_judged_holds(gate: Gate, problem: str) -> None:
    found = judged(gate, candidate=figures(accuracy=0.99), problem=problem)
    assert found.outcome is Outcome.HOLD
    assert f"The champion, version 7, can't be judged: {problem}" in found.reasons


def test_a_failed_check_rejects_even_then() -> None:
    assert judged(FLOOR, candidate=figures(accuracy=0.1), problem="damaged").outcome is Outcome.REJECT


def test_only_a_comparison_and_no_champion_yet_holds() -> None:
    found = judged(CHAMPION, candidate=figures(accuracy=0.99))
    assert found.outcome is Outcome.HOLD
    assert found.checks == ()
    assert found.reasons == (
        "No gate applied: all of them compare with a champion, and there is none yet; add a floor (min).",
    )


def test_the_first_model_is_promoted_by_its_floor_and_that_is_said() -> None:
    found = decide(spec(FLOOR, CHAMPION), evaluation())
    assert found.outcome is Outcome.PROMOTE
    assert found.champion_version is None
    assert found.reasons == (
        "All 1 checks passed on 100 test rows.",
        "There is no champion yet, so there was none to compare with.",
    )


def test_failures_come_first_and_every_reason_has_value_limit_and_n() -> None:
    found = decide(
        spec({**FLOOR, "min_n": 500}, CEILING, {**CHAMPION, "margin": 0.01}, PER_LABEL),
        evaluation(figures(0.7, 0.6, a=0.9, b=0.5), champion=figures(0.8)),
    )
    assert found.outcome is Outcome.REJECT
    assert found.reasons == (
        "log_loss is 0.6000, at most 0.5000 was required (the ceiling, n = 100).",
        "accuracy is 0.7000, champion version 7 has 0.8000: a difference of -0.1000 (95% interval -0.1040 to -0.0960, "
        "n = 100); at most 0.01 worse was allowed, and it is shown to be worse than that, p = 0.",
        "recall of 'b' is 0.5000, at least 0.7000 was required (the floor, n = 50).",
        "accuracy has 100 test rows, 500 are needed to judge it.",
    )


@pytest.mark.parametrize(
    ("gate", "words"),
    [
        (FLOOR, "accuracy at least 0.8"),
        (CEILING, "log_loss at most 0.5"),
        (CHAMPION, "accuracy at least the champion's"),
        ({**CHAMPION, "margin": 0.01}, "accuracy at least the champion's - 0.01"),
        ({**CHAMPION, "margin": -0.02}, "accuracy at least the champion's + 0.02"),
        ({**CHAMPION_LOSS, "margin": 0.01}, "log_loss at most the champion's + 0.01"),
        ({**CHAMPION_LOSS, "margin": -0.01}, "log_loss at most the champion's - 0.01"),
        ({**BASELINE, "margin": -0.02}, "accuracy at least the baseline's + 0.02"),
    ],
)
def test_a_gate_in_words(gate: Gate, words: str) -> None:
    assert judged(gate, champion=figures(), baselines={"tfidf": figures()}).checks[0].gate == words


def test_a_decision_is_known_by_what_it_was_made_of() -> None:
    one, same = judged(FLOOR), judged(FLOOR)
    other = judged({**FLOOR, "min": 0.7})
    assert one.digest == same.digest != other.digest


NUMBERS = st.none() | st.sampled_from([0.0, 0.5, 0.8, 1.0, NAN, math.inf, -math.inf])
METRICS = st.builds(
    figures,
    accuracy=NUMBERS,
    log_loss=NUMBERS,
    n=st.sampled_from([0, 1, 100]),
    a=st.sampled_from([0.0, 0.8, NAN]),
    b=st.sampled_from([0.8, NAN]),
)
EVALUATIONS = st.builds(
    evaluation,
    candidate=METRICS,
    champion=st.none() | METRICS,
    problem=st.none() | st.just("damaged"),
    baselines=st.dictionaries(st.sampled_from(["majority", "tfidf"]), METRICS),
    shared=st.none() | METRICS,
    new=st.sampled_from([(), ("b",), ("a", "b")]),
    dropped=st.sampled_from([(), ("c",)]),
)
GATES = st.lists(
    st.sampled_from([FLOOR, CEILING, CHAMPION, CHAMPION_LOSS, BASELINE, BASELINE_LOSS, PER_LABEL])
    | st.builds(lambda n: {**FLOOR, "min_n": n}, st.sampled_from([1, 100, 1000])),
    min_size=1,
    max_size=4,
)
FAILING = {"metric": "accuracy", "min": 2.0}


@given(gates=GATES, seen=EVALUATIONS)
def test_a_failing_gate_more_never_promotes(gates: list[Gate], seen: Evaluation) -> None:
    assert decide(spec(*gates, FAILING), seen).outcome is not Outcome.PROMOTE
    assert decide(spec(FAILING, *gates), seen).outcome is not Outcome.PROMOTE


@given(gates=GATES, more=GATES, seen=EVALUATIONS)
def test_gates_only_ever_narrow(gates: list[Gate], more: list[Gate], seen: Evaluation) -> None:
    before, after = decide(spec(*gates), seen), decide(spec(*gates, *more), seen)
    # Gates that did not apply (no champion), and labels that are new, become decidable by a floor; what was decided
    # never gets better.
    if before.checks and (PER_LABEL in gates or not seen.new_labels):
        order = [Outcome.REJECT, Outcome.HOLD, Outcome.PROMOTE]
        assert order.index(after.outcome) <= order.index(before.outcome)


@given(gates=GATES, seen=EVALUATIONS)
def test_promotion_needs_a_passed_check_and_nothing_else(gates: list[Gate], seen: Evaluation) -> None:
    found = decide(spec(*gates), seen)
    assert found.reasons, "every decision says why"
    verdicts = {check.verdict for check in found.checks}
    labels_are_fine = not seen.dropped_labels and (not seen.new_labels or PER_LABEL in gates)
    nothing_else = seen.champion_problem is None and labels_are_fine
    assert (found.outcome is Outcome.PROMOTE) == (verdicts == {Verdict.PASS} and nothing_else)
    if found.outcome is Outcome.PROMOTE:
        assert all(check.n > 0 and check.value is not None and math.isfinite(check.value) for check in found.checks)


AGREED = {"texts": 40, "annotators": 2, "differing": 9, "undecided": 9, "low": 0.5, "high": 0.8, "judged": "labels"}


@pytest.mark.parametrize(
    ("alpha", "outcome"),
    [(0.7, Outcome.PROMOTE), (0.6, Outcome.REJECT), (None, Outcome.HOLD), ("nobody", Outcome.HOLD)],
)
def test_how_far_people_agree_can_be_asked_for(alpha: float | str | None, outcome: Outcome) -> None:
    agreement = None if alpha == "nobody" else AnnotatorAgreement(alpha=alpha, **AGREED)  # type: ignore[arg-type]
    decision = judged({"metric": "agreement", "min": 0.667}, agreement=agreement)
    assert decision.outcome is outcome
    assert "agreement" in decision.checks[0].reason


def test_agreement_is_of_people_and_not_compared_with_another_models() -> None:
    asked = spec({"metric": "agreement", "versus": "champion"})
    [(_, problem)] = kinds.kind_named(asked.kind).spec_problems(asked)
    assert "people who gave the labels" in problem


@pytest.mark.parametrize(
    ("n", "said"),
    [
        (13, "13 test rows tell little: the 95% interval of accuracy is 0.460 to 0.950, so a candidate down to 0.460"),
        (200, None),
    ],
)
def test_a_promotion_by_a_dozen_rows_says_what_it_can_not_know(n: int, said: str | None) -> None:
    candidate = figures(n=n).model_copy(update={"intervals": {"accuracy": Interval(low=0.46, high=0.95)}})
    decision = decide(spec({"metric": "accuracy", "min": 0.5}), evaluation(candidate))
    assert decision.outcome is Outcome.PROMOTE
    few = [reason for reason in decision.reasons if "tell little" in reason]
    assert [reason.startswith(said) for reason in few if said] == ([True] if said else [])
    assert len(few) == bool(said)


def behaved(passed: int, n: int, floor: float, undecided: str = "hold", **gate: Any) -> Decision:
    """The decision on one behavioural test of `n` texts, of which so many passed."""
    own = [{"metric": "pass_rate", "per": "behaviour", **gate}] if gate else []
    behaviours = BehavioursSpec.model_validate({"undecided": undecided})
    asked = spec({"metric": "accuracy", "min": 0.5}, *own).model_copy(update={"behaviours": behaviours})
    test = BehaviourFigures(name="news", capability="", type="minimum", n=n, passed=passed, min_pass_rate=floor)
    return decide(asked, evaluation(figures()).model_copy(update={"behaviours": (test,)}))


@pytest.mark.parametrize(
    ("passed", "n", "floor", "outcome"),
    [
        (6, 8, 0.7, Outcome.PROMOTE),
        (5, 8, 0.7, Outcome.HOLD),  # 0.31 to 0.86
        (3, 8, 0.7, Outcome.REJECT),  # 0.14 to 0.69
        (62, 100, 0.7, Outcome.HOLD),
        (58, 100, 0.7, Outcome.REJECT),
        (7, 8, 1.0, Outcome.REJECT),
    ],
)
def test_a_behaviour_below_its_floor_rejects_only_where_its_interval_is(
    passed: int, n: int, floor: float, outcome: Outcome
) -> None:
    assert behaved(passed, n, floor).outcome is outcome
    assert behaved(passed, n, 0.0, min=floor).outcome is outcome
    by_rate = outcome if outcome is Outcome.PROMOTE else Outcome.REJECT
    assert behaved(passed, n, floor, "reject").outcome is by_rate


def test_a_behaviour_that_decides_nothing_says_how_many_texts_would() -> None:
    [reason] = [one for one in behaved(5, 8, 0.7).reasons if "news" in one]
    assert reason == (
        "pass_rate of test 'news' is 0.6250, at least 0.7000 was required (the test's own floor, n = 8). Its 95% "
        "interval, 0.31 to 0.86, reaches up to that, so the test decides nothing: about 144 different texts would if "
        "the rate stayed."
    )
