"""Gates as one of many looks at the same rows, and beside the best champion so far."""

import random
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import report_data
from test_gates import CHAMPION, compared, evaluation, figures, judged, spec

from perennial import kinds
from perennial.evaluation import from_answers, stored_answers
from perennial.evaluation.gates import decide
from perennial.evaluation.redecide import redecide
from perennial.evaluation.report import sections
from perennial.evaluation.stored_answers import Answers
from perennial.metrics.prediction import Prediction
from perennial.records.decision import Outcome, Verdict
from perennial.records.evaluation import AnchorAsked, AnchorFigures, Evaluation, EvaluationContext, Look, Metrics

ANCHOR = {"metric": "accuracy", "versus": "anchor", "margin": 0.02}
BESIDE = {**CHAMPION, "margin": 0.02}


def look(level: float = 0.0017, **changes: Any) -> Look:
    kept = {"number": 12, "budget": 0.05, "spent": 0.02, "texts": 100, "fresh": 3, "fresh_a_day": 4.0}
    return Look(level=level, **{**kept, **changes})


def anchor(metrics: Metrics, candidate: Metrics, error: float = 0.002, **changes: Any) -> AnchorFigures:
    beside = AnchorFigures(version="3", problem=None, metrics=metrics, comparison=compared(candidate, metrics, error))
    return beside.model_copy(update=changes)


def test_what_one_look_shows_twelve_may_not() -> None:
    """0.01 worse with a standard error of 0.004: the low end is -0.018 at 0.95, and -0.022 at a level of 0.0017."""
    parts: dict[str, Any] = {"candidate": figures(0.79), "champion": figures(0.8), "error": 0.004}
    assert judged(BESIDE, **parts).outcome is Outcome.PROMOTE
    held = judged(BESIDE, **parts, look=look())
    assert held.outcome is Outcome.HOLD
    (check,) = held.checks
    assert (check.verdict, check.level) == (Verdict.UNDECIDED, 0.0017)
    assert (
        "which would be shown if it were the only look at these rows; as look 12 it may err with 0.0017" in check.reason
    )
    assert judged(BESIDE, **parts, look=look(0.02)).outcome is Outcome.PROMOTE
    assert "level" not in judged(BESIDE, **parts).checks[0].model_dump(), "so that older decisions keep their digests"


def test_a_hold_says_what_waiting_costs() -> None:
    parts: dict[str, Any] = {"candidate": figures(0.79), "champion": figures(0.8), "error": 0.004}
    reason = judged(BESIDE, **parts, look=look()).checks[0].reason
    said = re.search(
        r"About ([\d,]+) such rows would be needed .*: about (\d+) more nights at 4.0 new test texts", reason
    )
    assert said, reason
    needed, nights = int(said[1].replace(",", "")), int(said[2])
    assert needed > 100
    assert (needed - 100) / 4 <= nights < (needed - 100) / 4 + 1
    unknown = judged(BESIDE, **parts, look=look(fresh_a_day=None)).checks[0].reason
    assert "such rows would be needed if the difference stayed as it is." in unknown
    worse = judged(BESIDE, candidate=figures(0.779), champion=figures(0.8), look=look()).checks[0].reason
    assert "More rows would hardly help" in worse


def test_a_budget_that_is_spent_promotes_nobody() -> None:
    parts: dict[str, Any] = {"candidate": figures(0.9), "champion": figures(0.8)}
    held = judged(BESIDE, **parts, look=look(0.0, spent=0.05))
    assert held.outcome is Outcome.HOLD
    assert "nothing is left of their budget. New test rows bring some back." in held.checks[0].reason


@pytest.mark.parametrize(
    "gate",
    [{"metric": "recall", "per": "label", "versus": "champion", "margin": 0.02}, {"metric": "accuracy", "min": 0.5}],
)
def test_labels_and_floors_are_judged_as_before(gate: dict[str, Any]) -> None:
    candidate, champion = figures(0.79, a=0.79, b=0.79), figures(0.8, a=0.8, b=0.8)
    decision = judged(gate, candidate=candidate, champion=champion, error=0.004, look=look())
    assert decision.outcome is Outcome.PROMOTE
    assert {check.level for check in decision.checks} == {None}


def test_a_lower_figure_that_is_better_keeps_its_sign() -> None:
    gate = {"metric": "log_loss", "versus": "champion", "margin": 0.02}
    parts: dict[str, Any] = {"candidate": figures(log_loss=0.51), "champion": figures(log_loss=0.5), "error": 0.004}
    assert judged(gate, **parts).outcome is Outcome.PROMOTE
    assert judged(gate, **parts, look=look()).outcome is Outcome.HOLD
    assert judged(gate, **{**parts, "error": 0.001}, look=look()).outcome is Outcome.PROMOTE


def test_a_little_worse_than_the_champion_is_too_much_beside_the_anchor() -> None:
    candidate, champion, best = figures(0.77), figures(0.78), figures(0.82)
    decision = decide(
        spec(BESIDE, ANCHOR), evaluation(candidate=candidate, champion=champion, anchor=anchor(best, candidate))
    )
    assert decision.outcome is Outcome.REJECT
    beside = {check.gate: check for check in decision.checks}
    assert beside["accuracy at least the champion's - 0.02"].verdict is Verdict.PASS
    assert beside["accuracy at least the anchor's - 0.02"].verdict is Verdict.FAIL
    assert "anchor version 3 has 0.8200" in beside["accuracy at least the anchor's - 0.02"].reason


def test_an_anchor_that_can_not_be_judged_holds() -> None:
    candidate, champion = figures(0.9), figures(0.8)
    gone = AnchorFigures(version="3", problem="its package is gone.")
    decision = decide(spec(BESIDE, ANCHOR), evaluation(candidate=candidate, champion=champion, anchor=gone))
    assert decision.outcome is Outcome.HOLD
    assert "the anchor, version 3, can't be judged: its package is gone." in decision.reasons[0]
    nobody = decide(spec(BESIDE, ANCHOR), evaluation(candidate=candidate, champion=champion))
    assert nobody.outcome is Outcome.HOLD
    assert "no anchor was asked in this run" in nobody.reasons[0]


def test_without_a_champion_there_is_no_anchor_to_wait_for() -> None:
    floor = {"metric": "accuracy", "min": 0.5}
    assert decide(spec(floor, ANCHOR), evaluation(candidate=figures(0.9))).outcome is Outcome.PROMOTE


def test_the_report_says_what_is_spent_and_who_the_anchor_is() -> None:
    material = report_data.material()
    beside = anchor(
        figures(0.8), figures(0.8), stands_for="It is the best of those that can be asked: version 2 was gone."
    )
    changed = material.evidence.evaluation.model_copy(update={"look": look(), "anchor": beside})
    evidence = material.evidence.model_copy(update={"evaluation": changed})
    section = sections.gates.checks_section(replace(material, evidence=evidence))
    words = " ".join(str(getattr(block, "text", "")) for block in section.blocks)
    assert "Look 12 at these test rows, 3 of whose 100 texts are new" in words
    assert "of the budget of 0.05 0.02 is spent (40%), 0.03 left" in words
    assert "The anchor is version 3: the best champion that counts" in words
    assert "version 2 was gone" in words


@pytest.mark.parametrize("anchor_version", ["3", "7"], ids=["another one", "the champion itself"])
def test_made_again_from_the_answers_it_is_the_same_decision(anchor_version: str, tmp_path: Path) -> None:
    pipeline = spec(BESIDE, ANCHOR)
    draw = random.Random(4)  # noqa: S311 - not for secrets
    targets = [draw.choice("ab") for _ in range(200)]

    def answered(wrong: int) -> list[Prediction]:
        labels = [label if row >= wrong else "ba"["ab".index(label)] for row, label in enumerate(targets)]
        return [{"label": label, "score": 0.9, "scores": {"a": 0.1, "b": 0.1} | {label: 0.9}} for label in labels]

    asked = AnchorAsked(version=anchor_version, labels=("a", "b"))
    context = EvaluationContext(champion_version="7", champion_labels=("a", "b"), anchor=asked)
    answers = Answers(
        row_ids=[str(row) for row in range(200)], targets=pa.chunked_array([targets]), candidate=answered(20),
        champion=answered(30), baselines={}, slices={}, anchor=answered(10) if anchor_version != "7" else None,
    )  # fmt: skip
    stored_answers.write_answers(tmp_path, answers, kinds.kind_named(pipeline.kind))
    stored_answers.write_context(tmp_path, context)
    read = stored_answers.read_answers(tmp_path)
    measured = from_answers.evaluation_of(pipeline, read, context, digest="e" * 64, predictions_path=str(tmp_path))
    judged_then = measured.model_copy(update={"look": look()})
    assert judged_then.anchor is not None
    assert judged_then.anchor.metrics is not None
    assert judged_then.anchor.metrics.values["accuracy"] == (0.95 if anchor_version == "3" else 0.85)
    stored = Evaluation.model_validate_json(judged_then.model_dump_json())
    first = decide(pipeline, judged_then)
    assert redecide(pipeline, tmp_path, stored) == first
    assert any(check.level == look().level for check in first.checks)
