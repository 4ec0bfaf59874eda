"""Label sets that changed since the champion: what is compared, and what keeps a candidate from being promoted."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest

from perennial import kinds
from perennial.evaluation import from_answers
from perennial.evaluation.gates import decide
from perennial.evaluation.stored_answers import Answers
from perennial.records.decision import Decision, Outcome, Verdict
from perennial.records.evaluation import EvaluationContext, Metrics
from perennial.settings.pipeline import PipelineSpec

NEW, OLD = ("a", "b", "new"), ("a", "b", "old")
SHARED = ("a", "b")
# Of each kind: its headline metric, the targets of three rows (the last of them new), and how a label is answered.
KINDS: dict[str, tuple[str, list[Any]]] = {
    "text-classification": ("accuracy", ["a", "b", "new"]),
    "text-pair": ("accuracy", ["a", "b", "new"]),
    "multi-label": ("micro_f1", [["a"], ["b"], ["new"]]),
    "token-classification": ("f1", [[span] for span in ("a", "b", "new")]),
}


def span(label: str, start: int = 0) -> dict[str, Any]:
    return {"start": start, "end": start + 3, "label": label}


def targets(kind: str) -> list[Any]:
    rows = KINDS[kind][1]
    return [[span(label) for label in row] for row in rows] if kind == "token-classification" else rows


def answers(kind: str, rows: Sequence[str], labels: Sequence[str]) -> list[dict[str, Any]]:
    """One label a row, as a model of `labels` answers."""
    made = []
    for row in rows:
        scores = {label: 0.8 if label == row else 0.1 for label in labels}
        made.append(
            {
                "multi-label": {"labels": [row], "scores": scores},
                "token-classification": {"spans": [{**span(row), "score": 0.8}]},
            }.get(kind, {"label": row, "score": 0.8, "scores": scores})
        )
    return made


def measured(kind: str, rows: Sequence[str], labels: Sequence[str], shared: Sequence[str] | None = None) -> Metrics:
    found, given = targets(kind), answers(kind, rows, labels)
    if shared is not None:
        found, given = kinds.kind_named(kind).shared(found, given, shared)  # type: ignore[assignment]
    return kinds.kind_named(kind).measure(found, given, shared if shared is not None else NEW)


@pytest.mark.parametrize("kind", KINDS)
def test_a_champion_is_not_blamed_for_a_label_it_never_knew(kind: str) -> None:
    # It answers all rows with what it knows; rows, or spans, or labels that are new are left out.
    headline = KINDS[kind][0]
    perfect = ["a", "b", "a"] if kind in ("text-classification", "text-pair") else ["a", "b", "old"]
    champion = measured(kind, perfect, OLD, SHARED)
    assert champion.values[headline] == 1.0
    assert set(champion.support) == set(SHARED)
    assert "new" not in champion.per_label
    candidate = measured(kind, ["a", "b", "new"], NEW, SHARED)
    assert candidate.values[headline] == 1.0
    assert candidate.support == champion.support


@pytest.mark.parametrize("kind", KINDS)
def test_a_candidate_is_blamed_for_a_new_label_where_a_shared_one_was_right(kind: str) -> None:
    headline = KINDS[kind][0]
    assert measured(kind, ["a", "new", "new"], NEW, SHARED).values[headline] < 1.0


@pytest.mark.parametrize("kind", KINDS)
def test_no_shared_label_gives_no_metrics(kind: str) -> None:
    assert measured(kind, ["old", "old", "old"], ("old",), ()).values == {}


@pytest.mark.parametrize("kind", ["multi-label", "token-classification"])
def test_what_is_left_out_leaves_the_inputs_alone(kind: str) -> None:
    found, given = targets(kind), answers(kind, ["a", "b", "new"], NEW)
    kinds.kind_named(kind).shared(found, given, SHARED)
    assert (found, given) == (targets(kind), answers(kind, ["a", "b", "new"], NEW))


def spec(kind: str, *gates: dict[str, Any], **registry: Any) -> PipelineSpec:
    return PipelineSpec.model_validate(
        {
            "name": "news",
            "kind": kind,
            "data": {"source": {"type": "file", "path": "a.csv"}, "labels": list(NEW)},
            "gates": list(gates),
            "registry": registry,
            "evaluation": {"resamples": 1000},
        }
    )


def judged(
    made: PipelineSpec,
    champion: Sequence[str],
    known: Sequence[str],
    candidate: Sequence[str] = ("a", "b", "new"),
) -> Decision:
    """The decision on a candidate of the labels NEW beside a champion of the labels `known`, by their answers.

    Each of the three rows is there a hundred times, so that intervals are narrow.
    """
    kind = made.kind
    target = kinds.kind_named(kind).column_types()[kinds.kind_named(kind).target_column]
    given = Answers(
        row_ids=[str(row) for row in range(300)],
        targets=pa.chunked_array([pa.array(targets(kind) * 100, target)]),
        candidate=answers(kind, candidate, NEW) * 100,
        champion=answers(kind, champion, known) * 100,
        baselines={},
        slices={},
    )
    context = EvaluationContext(champion_version="7", champion_labels=tuple(known))
    return decide(
        made, from_answers.evaluation_of(made, given, context, digest="e" * 64, predictions_path="evaluate/x")
    )


def champion_gate(kind: str) -> dict[str, Any]:
    return {"metric": KINDS[kind][0], "versus": "champion", "margin": 0.1}


FLOOR = {"metric": "recall", "per": "label", "min": 0.5}
PER_LABEL = {"metric": "f1", "per": "label", "versus": "champion", "margin": 0.1}


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_label_with_a_floor_can_be_promoted(kind: str) -> None:
    found = judged(spec(kind, champion_gate(kind), PER_LABEL, FLOOR), ["a", "b", "a"], SHARED)
    assert found.outcome is Outcome.PROMOTE, found.reasons
    compared = [check.label for check in found.checks if "champion" in check.gate]
    assert compared == [None, "a", "b"], "there is no such figure of the champion's for the new one"
    assert [check.label for check in found.checks if check.metric == "recall"] == list(NEW)


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_label_without_a_floor_holds(kind: str) -> None:
    gates = (champion_gate(kind), PER_LABEL, {"metric": KINDS[kind][0], "min": 0.1})
    found = judged(spec(kind, *gates), ["a", "b", "a"], SHARED)
    assert found.outcome is Outcome.HOLD
    assert {check.verdict for check in found.checks} == {Verdict.PASS}
    [reason] = found.reasons
    assert reason.startswith(
        "New in data.labels: 'new'. The champion has no figure to compare with, and no gate sets a floor."
    )
    assert "{metric: recall, per: label, min: 0.7}" in reason


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_label_below_its_floor_rejects(kind: str) -> None:
    found = judged(spec(kind, champion_gate(kind), FLOOR), ["a", "b", "a"], SHARED, candidate=["a", "b", "a"])
    assert found.outcome is Outcome.REJECT
    assert found.reasons[0].startswith("recall of 'new' is 0.0000")


@pytest.mark.parametrize("kind", KINDS)
def test_worse_than_the_champion_on_the_shared_labels_rejects(kind: str) -> None:
    # What a champion answers to the third row is an error only where no answer at all would be right.
    champion = ["a", "b", "a" if kind in ("text-classification", "text-pair") else "other"]
    found = judged(spec(kind, champion_gate(kind), FLOOR), champion, SHARED, candidate=["a", "a", "new"])
    assert found.outcome is Outcome.REJECT
    assert any("champion version 7 has 1.0000" in reason for reason in found.reasons)


@pytest.mark.parametrize("kind", KINDS)
def test_a_label_gone_holds_unless_it_is_allowed(kind: str) -> None:
    gates = (champion_gate(kind), FLOOR)
    held = judged(spec(kind, *gates), ["a", "b", "old"], OLD)
    assert held.outcome is Outcome.HOLD
    [reason] = held.reasons
    assert "The champion, version 7, knows 'old', which data.labels lacks" in reason
    assert "registry.allow_dropped_labels" in reason
    other = judged(spec(kind, *gates, allow_dropped_labels=["older"]), ["a", "b", "old"], OLD)
    assert other.outcome is Outcome.HOLD
    allowed = judged(spec(kind, *gates, allow_dropped_labels=["old"]), ["a", "b", "old"], OLD)
    assert allowed.outcome is Outcome.PROMOTE, allowed.reasons


@pytest.mark.parametrize("kind", KINDS)
def test_no_shared_label_at_all_holds(kind: str) -> None:
    gates = (champion_gate(kind), FLOOR)
    found = judged(spec(kind, *gates, allow_dropped_labels=["x", "y"]), ["x", "y", "x"], ("x", "y"))
    assert found.outcome is Outcome.HOLD
    assert "could not be measured" in found.reasons[0]


@pytest.mark.parametrize("kind", KINDS)
def test_a_failure_rejects_whatever_else_holds(kind: str) -> None:
    floor = {"metric": KINDS[kind][0], "min": 0.9}
    found = judged(spec(kind, floor), ["a", "b", "old"], OLD, candidate=["b", "a", "a"])
    assert found.outcome is Outcome.REJECT
