"""What is broken, missing or too little is never promoted, and there is always a sentence that says why."""

import json
import math
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from place import Place, flip

from perennial.core.home import Home
from perennial.evaluation import from_answers, stored_answers, worker
from perennial.evaluation.gates import decide
from perennial.evaluation.package_evaluation import evaluate
from perennial.evaluation.stored_answers import Answers
from perennial.inference.package import DESCRIPTION, MODEL, TOKENIZER, read_package, render, sha256
from perennial.records.decision import Decision, Outcome, Verdict
from perennial.records.evaluation import Evaluation, EvaluationContext
from perennial.records.package import Champion, OnnxPackage
from perennial.registry import tracking, versions
from perennial.registry.versions import StoredEvidence
from perennial.settings.pipeline import PipelineSpec

VERSUS = {"metric": "accuracy", "versus": "champion", "margin": 0.2}
FLOOR = {"metric": "accuracy", "min": 0.6}


@dataclass(frozen=True)
class Ground:
    """A run that was registered, in a store of the test's own."""

    home: Home
    stored: StoredEvidence

    def spec(self, *gates: Mapping[str, Any]) -> PipelineSpec:
        raw = self.stored.spec.model_dump(mode="json")
        return PipelineSpec.model_validate(raw | {"gates": list(gates)})

    def champion(self, **changes: Any) -> Champion:
        """The run's own package, serving."""
        package = self.stored.evidence.package
        serving = Champion(version="7", package_digest=package.digest, path=package.path)
        return serving.model_copy(update=changes)

    def evaluated(
        self, spec: PipelineSpec, champion: Champion | None, package: OnnxPackage | None = None
    ) -> Evaluation:
        evidence = self.stored.evidence
        return evaluate(spec, package or evidence.package, evidence.validated, champion, self.home)

    def answers(self) -> Answers:
        """What the run's model answered, as champion too."""
        place = self.home.store.root / self.stored.evidence.evaluation.predictions_path
        given = stored_answers.read_answers(place.parent)
        return replace(given, champion=list(given.candidate))


@pytest.fixture(scope="module")
def _evidence(_first_run: tuple[Place, dict[str, Any]]) -> StoredEvidence:
    place = _first_run[0]
    with tracking.session(place.home) as client:
        return versions.evidence_of(client, place.home, versions.candidate(client, place.home, "tiny", "1"))


@pytest.fixture
def ground(
    _first_run: tuple[Place, dict[str, Any]], _evidence: StoredEvidence, _quiet_environment: None, tmp_path: Path
) -> Ground:
    home = Home(tmp_path / "home")
    for step in ("export", "validate", "parts", "evaluate"):
        shutil.copytree(_first_run[0].home.store.root / step, home.store.root / step)
    return Ground(home, _evidence)


def measured(spec: PipelineSpec, given: Answers) -> Decision:
    context = EvaluationContext(champion_version="7", champion_labels=spec.data.labels)
    return decide(
        spec, from_answers.evaluation_of(spec, given, context, digest="e" * 64, predictions_path="evaluate/x")
    )


def test_the_ground_is_sound(ground: Ground) -> None:
    spec = ground.spec(FLOOR, VERSUS, {"metric": "log_loss", "versus": "champion", "margin": 0.2})
    found = decide(spec, ground.evaluated(spec, ground.champion()))
    assert found.outcome is Outcome.PROMOTE, found.reasons
    assert measured(spec, ground.answers()).outcome is Outcome.PROMOTE


def test_a_champion_whose_package_is_gone_holds(ground: Ground) -> None:
    spec = ground.spec(FLOOR, VERSUS)
    found = decide(spec, ground.evaluated(spec, ground.champion(path="packages/nowhere")))
    assert found.outcome is Outcome.HOLD
    assert any("The champion, version 7, can't be judged: " in reason for reason in found.reasons)


@pytest.mark.parametrize("name", [MODEL, TOKENIZER, DESCRIPTION])
def test_a_champion_whose_package_is_damaged_holds(ground: Ground, name: str) -> None:
    whole = ground.home.store.root / ground.stored.evidence.package.path
    shutil.copytree(whole, ground.home.store.root / "packages" / "damaged")
    flip(ground.home.store.root / "packages" / "damaged" / name)
    spec = ground.spec(FLOOR, VERSUS)
    found = decide(spec, ground.evaluated(spec, ground.champion(path="packages/damaged")))
    assert found.outcome is Outcome.HOLD
    assert any("The champion, version 7, can't be judged: " in reason for reason in found.reasons)
    assert "nothing to be compared with" in found.checks[1].reason


def test_a_champion_that_hangs_is_ended_and_holds(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = _slowed(ground, "slow", runs=2**62)
    spec = ground.spec(FLOOR, VERSUS)
    monkeypatch.setattr(worker, "LEAST_SECONDS", 2.0)
    found = decide(spec, ground.evaluated(spec, ground.champion(package_digest=slow.digest, path=slow.path)))
    assert found.outcome is Outcome.HOLD
    [reason] = [one for one in found.reasons if "can't be judged" in one]
    assert "The champion, version 7, can't be judged: It is too slow, or hangs: it was ended after " in reason
    assert "raise evaluation.champion_slowdown (30)" in reason
    assert "nothing to be compared with" in found.checks[1].reason


def test_the_champion_is_asked_the_behavioural_tests_too(ground: Ground) -> None:
    gate = {"metric": "pass_rate", "per": "behaviour", "versus": "champion"}
    tests = [
        {"name": "stays", "type": "invariance", "texts": ["bad news"], "change": "upper"},
        {"name": "is good", "type": "minimum", "texts": ["x"], "expect": {"label": "positive"}, "min_pass_rate": 0},
    ]
    raw = ground.spec(FLOOR, gate).model_dump(mode="json") | {"behaviours": {"tests": tests}}
    spec = PipelineSpec.model_validate(raw)
    evaluation = ground.evaluated(spec, ground.champion())
    assert [test.name for test in evaluation.champion_behaviours] == ["stays", "is good"]
    assert evaluation.champion_behaviours == evaluation.behaviours
    decision = decide(spec, evaluation)
    assert len(decision.checks) == 5  # the floor, two beside the champion's, two by their own floors
    assert decision.outcome is Outcome.PROMOTE


def test_a_champion_that_is_slow_but_answers_is_judged(ground: Ground) -> None:
    slow = _slowed(ground, "patient", runs=1000)
    spec = ground.spec(FLOOR, VERSUS)
    evaluation = ground.evaluated(spec, ground.champion(package_digest=slow.digest, path=slow.path))
    assert evaluation.champion == evaluation.candidate
    assert decide(spec, evaluation).outcome is Outcome.PROMOTE


@pytest.mark.parametrize("known", [("negative", "neutral", "great"), ("bad", "fair", "great")])
def test_a_champion_with_other_labels_holds(ground: Ground, known: tuple[str, ...]) -> None:
    other = _changed(ground, "other", labels=known)
    floors = {"metric": "recall", "per": "label", "min": 0.3}
    spec = ground.spec(FLOOR, floors, VERSUS)
    evaluation = ground.evaluated(spec, ground.champion(package_digest=other.digest, path=other.path))
    found = decide(spec, evaluation)
    assert found.outcome is Outcome.HOLD
    assert any("'great', which data.labels lacks" in reason for reason in found.reasons)
    assert "positive" in evaluation.new_labels


def test_a_metric_that_is_no_number_holds(ground: Ground) -> None:
    spec = ground.spec(
        FLOOR, {"metric": "log_loss", "max": 9.0}, {"metric": "brier", "versus": "champion", "margin": 1}
    )
    given = ground.answers()
    broken = {**given.candidate[0], "scores": dict.fromkeys(spec.data.labels, math.nan)}
    found = measured(spec, replace(given, candidate=[broken, *given.candidate[1:]]))
    assert found.outcome is Outcome.HOLD
    assert [check.verdict for check in found.checks] == ["pass", "undecided", "undecided"]
    assert any("log_loss could not be measured" in reason for reason in found.reasons)
    json.dumps(found.model_dump(mode="json"), allow_nan=False)


def test_an_empty_slice_holds_or_is_said_not_to_be_judged(ground: Ground) -> None:
    gate = {"metric": "accuracy", "slice": "nobody", "min": 0.5}
    given = replace(ground.answers(), slices={"nobody": np.zeros(len(ground.answers().row_ids), bool)})
    held = measured(ground.spec(FLOOR, gate), given)
    assert held.outcome is Outcome.HOLD
    assert "accuracy of slice 'nobody' could not be measured (n = 0)." in held.reasons
    skipped = measured(ground.spec(FLOOR, {**gate, "small": "skip"}), given)
    assert [check.verdict for check in skipped.checks] == [Verdict.PASS, Verdict.SKIPPED]
    assert any("'nobody' has 0 test rows" in reason and "not judged" in reason for reason in skipped.reasons)


def test_five_rows_show_nothing(ground: Ground) -> None:
    given = ground.answers()
    right = [row for row, target in enumerate(given.targets.to_pylist()) if given.candidate[row]["label"] == target][:5]
    few = Answers(
        row_ids=[given.row_ids[row] for row in right],
        targets=given.targets.take(right),
        candidate=[given.candidate[row] for row in right],
        champion=[given.candidate[row] for row in right],
        baselines={},
        slices={},
    )
    found = measured(ground.spec(FLOOR, VERSUS), few)
    assert found.outcome is Outcome.HOLD
    [reason] = found.reasons
    assert "n = 5" in reason
    assert "such rows would be needed" in reason


def test_an_int8_model_that_answers_one_label_is_rejected(ground: Ground) -> None:
    sabotaged = _sabotaged(ground)
    spec = ground.spec(FLOOR, VERSUS, {"metric": "recall", "per": "label", "min": 0.3})
    evaluation = ground.evaluated(spec, ground.champion(), sabotaged)
    found = decide(spec, evaluation)
    assert found.outcome is Outcome.REJECT
    assert {answer["label"] for answer in _answered(ground, evaluation)} == {"negative"}
    failed = {check.gate for check in found.checks if check.verdict is Verdict.FAIL}
    assert {
        "accuracy at least 0.6",
        "accuracy at least the champion's - 0.2",
        "recall of 'neutral' at least 0.3",
    } <= failed
    assert any("it is shown to be worse than that" in reason for reason in found.reasons)


def _answered(ground: Ground, evaluation: Evaluation) -> list[Any]:
    return stored_answers.read_answers((ground.home.store.root / evaluation.predictions_path).parent).candidate


def _sabotaged(ground: Ground) -> OnnxPackage:
    """The run's int8 package with a head that always answers its first label, sealed as if it were meant."""
    from onnx import ModelProto, numpy_helper

    def sabotage(model: ModelProto) -> None:
        (bias,) = [each for each in model.graph.initializer if each.name == "head.bias"]
        bias.CopyFrom(numpy_helper.from_array(np.array([100, 0, 0], np.float32), bias.name))

    assert ground.stored.evidence.package.precision == "int8"
    return _changed(ground, "sabotaged", sabotage)


def _slowed(ground: Ground, name: str, runs: int) -> OnnxPackage:
    """The run's package, which goes `runs` times round in a loop before it gives the same answers."""
    from onnx import ModelProto, TensorProto, helper

    def slow(model: ModelProto) -> None:
        graph = model.graph
        (last,) = [node for node in graph.node if "logits" in node.output]
        last.output[list(last.output).index("logits")] = "answered"
        body = helper.make_graph(
            [helper.make_node("Identity", [one], [f"{one}_on"]) for one in ("goes", "kept")],
            "round",
            [
                helper.make_tensor_value_info("number", TensorProto.INT64, []),
                helper.make_tensor_value_info("goes", TensorProto.BOOL, []),
                helper.make_tensor_value_info("kept", TensorProto.FLOAT, None),
            ],
            [
                helper.make_tensor_value_info("goes_on", TensorProto.BOOL, []),
                helper.make_tensor_value_info("kept_on", TensorProto.FLOAT, None),
            ],
        )
        graph.initializer.append(helper.make_tensor("rounds", TensorProto.INT64, [], [runs]))
        graph.node.append(helper.make_node("Loop", ["rounds", "", "answered"], ["logits"], body=body))

    return _changed(ground, name, slow)


def _changed(
    ground: Ground, name: str, change: Callable[[Any], None] = lambda model: None, **described: Any
) -> OnnxPackage:
    """The run's package with a changed graph or description, sealed as if it were meant."""
    import onnx

    good = ground.stored.evidence.package
    folder = ground.home.store.root / "export" / name
    shutil.copytree(ground.home.store.root / good.path, folder)
    model = onnx.load(folder / MODEL)
    change(model)
    onnx.save(model, folder / MODEL)
    info = read_package(ground.home.store.root / good.path)
    files = {**info.files, MODEL: sha256(folder / MODEL)}
    content = render(replace(info, files=files, **described))
    (folder / DESCRIPTION).write_bytes(content)
    return good.model_copy(update={"path": f"export/{name}", "digest": read_package(folder).digest})
