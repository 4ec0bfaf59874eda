"""Behavioural tests: which cases there are, and when an answer passes."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_model import TINY_LABELS

from perennial.evaluation.behaviours import behaviour_tests, cases
from perennial.inference.predictor import Predictor
from perennial.settings.pipeline import PipelineSpec

LABELS = {"regression": []}
GATES = {
    "regression": {"metric": "rmse", "max": 1},
    "multi-label": {"metric": "micro_f1", "min": 0.5},
    "token-classification": {"metric": "f1", "min": 0.5},
}


def spec_of(*tests: dict[str, Any], kind: str = "text-classification", **slots: list[str]) -> PipelineSpec:
    given = [{"name": f"test {number}", **test} for number, test in enumerate(tests)]
    return PipelineSpec.model_validate(
        {
            "name": "tiny",
            "kind": kind,
            "data": {"source": {"type": "file", "path": "a.csv"}, "labels": LABELS.get(kind, TINY_LABELS)},
            "behaviours": {"slots": slots, "tests": given},
            "gates": [GATES.get(kind, {"metric": "accuracy", "min": 0.5})],
        }
    )


def minimum(*texts: str, **more: Any) -> dict[str, Any]:
    return {"type": "minimum", "texts": list(texts), "expect": {"label": "positive"}, **more}


def texts_of(spec: PipelineSpec) -> list[str]:
    return [" | ".join(case.texts) for made in cases.cases_of(spec).values() for case in made]


def test_every_combination_of_slots_is_a_case() -> None:
    spec = spec_of(minimum("{firm} wins {what}", "{firm} and {firm}"), firm=["A", "B"], what=["x", "y", "z"])
    assert texts_of(spec) == [
        "A wins x",
        "A wins y",
        "A wins z",
        "B wins x",
        "B wins y",
        "B wins z",
        "A and A",
        "B and B",
    ]
    ids = [case.id for case in cases.cases_of(spec)["test 0"]]
    assert ids == [f"test 0 {number}" for number in range(1, 9)]


def test_slots_of_a_test_come_before_the_shared_ones() -> None:
    spec = spec_of(minimum("{firm} {verb}", slots={"firm": ["C"]}), firm=["A"], verb=["wins"])
    assert texts_of(spec) == ["C wins"]


@given(sizes=st.lists(st.integers(1, 40), min_size=1, max_size=4), limit=st.integers(1, 30))
def test_of_too_many_combinations_different_ones_are_drawn_the_same_each_time(sizes: list[int], limit: int) -> None:
    slots = {f"s{n}": [f"{n}-{item}" for item in range(size)] for n, size in enumerate(sizes)}
    text = " ".join(f"{{{name}}}" for name in slots)
    spec = spec_of(minimum(text, "fixed", max_cases=limit), **slots)
    found = texts_of(spec)
    total = 1
    for size in sizes:
        total *= size
    assert len(found) == len(set(found)) == min(total + 1, limit)
    assert found == texts_of(spec)


def test_slots_may_multiply_to_any_number() -> None:
    slots = {f"s{n}": [str(item) for item in range(100)] for n in range(12)}
    spec = spec_of(minimum(" ".join(f"{{{name}}}" for name in slots), max_cases=7), **slots)
    assert len(set(texts_of(spec))) == 7


def test_another_test_does_not_move_the_cases_of_this_one() -> None:
    drawn = minimum("{s} {s2}", max_cases=5, name="drawn")
    slots = {"s": list("abcdefgh"), "s2": list("abcdefgh")}
    alone, among = spec_of(drawn, **slots), spec_of(minimum("x"), drawn, **slots)
    assert cases.cases_of(alone)["drawn"] == cases.cases_of(among)["drawn"]


def test_a_change_that_changes_nothing_is_no_case() -> None:
    test = {"type": "invariance", "texts": ["up 12%", "nothing here"], "change": ["numbers", "upper"], "append": "!"}
    found = cases.cases_of(spec_of(test))["test 0"]
    assert [case.before for case in found] == [("up 12%",)] * 3 + [("nothing here",)] * 2
    assert all(case.before != case.texts for case in found)


def answer(label: str, score: float) -> dict[str, Any]:
    rest = (1 - score) / 2
    return {"label": label, "score": score, "scores": {name: score if name == label else rest for name in TINY_LABELS}}


class Told(Predictor):
    """Answers what it is told, by text."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers

    def predict(self, inputs: Any, **_: Any) -> list[dict[str, Any]]:
        return [self.answers[text] for text in inputs]


def passed(spec: PipelineSpec, answers: dict[str, Any]) -> list[bool]:
    asked = behaviour_tests.ask_cases(spec, Told(answers))
    return [one.passed for some in asked.values() for one in some]


def test_a_minimum_test_wants_the_label() -> None:
    spec = spec_of(minimum("good", "bad"))
    assert passed(spec, {"good": answer("positive", 0.9), "bad": answer("neutral", 0.9)}) == [True, False]


def test_several_labels_are_there_or_not() -> None:
    expect = {"has": "positive", "lacks": ["negative"]}
    spec = spec_of({"type": "minimum", "texts": ["a", "b", "c"], "expect": expect}, kind="multi-label")
    scores = dict.fromkeys(TINY_LABELS, 0.5)
    answers = {"a": ["positive", "neutral"], "b": ["positive", "negative"], "c": []}
    assert passed(spec, {text: {"labels": labels, "scores": scores} for text, labels in answers.items()}) == [
        True, False, False,
    ]  # fmt: skip


def test_a_number_lies_between_two() -> None:
    spec = spec_of({"type": "minimum", "texts": ["a", "b"], "expect": {"between": [-1, 0]}}, kind="regression")
    assert passed(spec, {"a": {"value": -1.0}, "b": {"value": 0.1}}) == [True, False]


def spans(*found: tuple[int, int, str]) -> dict[str, Any]:
    return {"spans": [{"start": start, "end": end, "label": label, "score": 0.9} for start, end, label in found]}


def test_exactly_the_marked_spans_must_be_found() -> None:
    marked = "[{firm}](positive) buys [Beta](negative)"
    spec = spec_of({"type": "minimum", "texts": marked}, kind="token-classification", firm=["Acme Corp", "Ré"])
    both, other = "Acme Corp buys Beta", "Ré buys Beta"
    right = spans((0, 9, "positive"), (15, 19, "negative"))
    assert passed(spec, {both: right, other: spans((0, 2, "positive"), (8, 12, "negative"))}) == [True, True]
    assert passed(spec, {both: right, other: spans((0, 2, "positive"))}) == [True, False]
    longer = spans((0, 9, "positive"), (10, 14, "neutral"), (15, 19, "negative"))
    assert passed(spec, {both: longer, other: spans()}) == [False, False]


def test_a_changed_text_gets_the_same_answer_and_if_asked_the_same_score() -> None:
    test = {"type": "invariance", "texts": ["up"], "append": "!"}
    near, far = answer("positive", 0.8), answer("positive", 0.5)
    for after, tolerance, right in [(far, None, True), (near, 0.2, True), (far, 0.2, False)]:
        spec = spec_of({**test, "tolerance": tolerance})
        assert passed(spec, {"up": answer("positive", 0.9), "up!": after}) == [right]
    assert passed(spec_of(test), {"up": answer("positive", 0.9), "up!": answer("neutral", 0.9)}) == [False]


def test_spans_are_followed_through_what_was_changed() -> None:
    test = {"type": "invariance", "texts": "Ann quits", "replace": {"Ann": "Katarzyna"}, "prepend": "Now: "}
    spec = spec_of(test, kind="token-classification")
    answers = {
        "Ann quits": spans((0, 3, "positive")),
        "Now: Ann quits": spans((5, 8, "positive")),
        "Katarzyna quits": spans((0, 9, "positive")),
    }
    assert passed(spec, answers) == [True, True]
    assert passed(spec, {**answers, "Katarzyna quits": spans((0, 3, "positive"))}) == [True, False]


@pytest.mark.parametrize(("must", "down", "up"), [("not rise", True, False), ("not fall", False, True)])
def test_a_score_may_move_one_way_only(must: str, down: bool, up: bool) -> None:
    test = {"type": "direction", "texts": ["up"], "append": "!", "must": must, "tolerance": 0.1}
    before = answer("positive", 0.5)
    for score, right in [(0.2, down), (0.8, up), (0.41, True), (0.59, True)]:
        spec = spec_of({**test, "score": "positive"})
        assert passed(spec, {"up": before, "up!": answer("positive", score)}) == [right]
        number = spec_of(test, kind="regression")
        assert passed(number, {"up": {"value": 0.5}, "up!": {"value": score}}) == [right]


def test_a_real_model_is_asked_each_text_once_and_no_text_is_kept(tiny_package: Path) -> None:
    spec = spec_of(
        minimum("{what} rose", "{what} fell", min_pass_rate=0.3),
        {"type": "invariance", "texts": "{what} rose", "change": "upper"},
        {"type": "direction", "texts": "{what} rose", "append": " loss", "score": "positive", "must": "not rise"},
        what=["profit", "sales"],
    )
    heard: list[tuple[int, int]] = []
    asked = behaviour_tests.ask_cases(spec, Predictor(tiny_package), lambda done, total: heard.append((done, total)))
    # Two rose, two fell, two in capitals, two with a loss.
    assert heard[-1] == (8, 8)
    figures = behaviour_tests.behaviour_figures(spec, asked)
    assert [(one.n, one.type, one.min_pass_rate) for one in figures] == [
        (4, "minimum", 0.3), (2, "invariance", 0.9), (2, "direction", 0.9),
    ]  # fmt: skip
    assert figures[1].passed == 2, "the tiny model reads no capitals"
    for one in figures:
        assert len(one.failing) == one.n - one.passed
        assert "profit" not in one.model_dump_json()
