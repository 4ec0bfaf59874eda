"""`perennial decide`: a decision made again from stored answers alone; and runs that only observe."""

import json
from pathlib import Path

import pyarrow.parquet as pq
from place import Place, assert_explained

from perennial.evaluation.stored_answers import CONTEXT, PREDICTIONS
from perennial.registry import tracking


def run_id(place: Place, version: str) -> str:
    with tracking.session(place.home) as client:
        return str(client.get_model_version("tiny", version).run_id)


def answers(place: Place, version: str) -> Path:
    """Where MLflow keeps what the models of the run answered."""
    (folder,) = place.home.mlflow.rglob(f"{run_id(place, version)}/artifacts/answers")
    return folder


def test_a_decision_is_made_again_from_what_mlflow_keeps(seasoned: Place) -> None:
    # Nothing of the run is left but the registry.
    for entry in list(seasoned.home.store.entries()):
        seasoned.home.store.forget(entry.parent.name, entry.name)
    of_champion = seasoned.command("decide", "tiny", "--json")
    assert (of_champion.code, of_champion.json["agrees"]) == (0, True), of_champion.text
    decision = of_champion.json["decision"]
    assert decision["digest"] == of_champion.json["registered"]
    for check in decision["checks"]:
        assert check["n"] > 0
        assert check["interval"]["low"] <= check["value"] <= check["interval"]["high"]
    of_run = seasoned.command("decide", run_id(seasoned, "1"))
    assert_explained(of_run, 0, "Version 1 of tiny: PROMOTE, the very decision that is registered")
    assert sorted(path.name for path in answers(seasoned, "1").iterdir()) == [CONTEXT, PREDICTIONS]


def test_answers_that_were_changed_are_not_the_registered_decision(seasoned: Place) -> None:
    path = answers(seasoned, "1") / PREDICTIONS
    table = pq.read_table(path)
    wrong = [json.dumps({**json.loads(row), "label": "neutral"}) for row in table["candidate"].to_pylist()]
    pq.write_table(table.set_column(table.column_names.index("candidate"), "candidate", [wrong]), path)
    assert_explained(seasoned.command("decide", "tiny", "1"), 4, "REJECT", "this is NOT the decision")


def test_other_gates_can_be_tried_on_stored_answers(seasoned: Place) -> None:
    folder = answers(seasoned, "1")
    text = (seasoned.data.parent / "pipeline.yaml").read_text()
    strict = seasoned.folder / "strict.yaml"
    strict.write_text(text.replace("min: 0.6", "min: 0.6\n  min_n: 100000"))
    assert_explained(seasoned.command("decide", str(folder), "--pipeline", "tiny"), 0, "PROMOTE, by the gates")
    assert_explained(
        seasoned.command("decide", str(folder), "--pipeline", str(strict)), 3, "HOLD", "100,000 are needed"
    )
    tried = seasoned.command("decide", "tiny", "1", "--pipeline", str(strict), "--json")
    assert (tried.code, tried.json["agrees"]) == (3, None)


def test_what_can_not_be_decided_again_is_explained(seasoned: Place) -> None:
    assert_explained(seasoned.command("decide", "tiny", "9"), 1, "There is no version 9 of tiny")
    again = seasoned.command("decide", "tiny", "1", "--judging", "2")
    assert_explained(again, 1, "no judging 2 of version 1", "it has 1")
    assert_explained(seasoned.command("decide", "f" * 32), 1, "No version was made by the MLflow run")
    assert_explained(seasoned.command("decide", str(seasoned.folder)), 2, "--pipeline NAME")
    assert_explained(
        seasoned.command("decide", str(seasoned.folder), "--pipeline", "tiny"), 2, "no predictions.parquet"
    )


def test_observing_judges_and_registers_and_moves_nothing(seasoned: Place) -> None:
    observe = ("--set", "registry.mode=observe", "--set", "gates=[{metric: accuracy, min: 0.1}]", "--reason", "A test.")
    ended = seasoned.run("--json", *observe)
    assert (ended.code, ended.json["status"], ended.json["decision"]) == (0, "observed", "PROMOTE"), ended.text
    assert "registry.mode is observe, so nothing moves" in " ".join(ended.json["reasons"])
    assert seasoned.champion() == "1"
    assert_explained(seasoned.run(*observe), 0, "skipped")
    refused = seasoned.run(*observe[:2], "--set", "gates=[{metric: log_loss, max: 0.0}]", "--reason", "A test.")
    assert_explained(refused, 0, "observed", "The gates came to REJECT")
    assert_explained(seasoned.command("promote", "tiny", ended.json["version"]), 0, "promoted")
    assert seasoned.champion() == ended.json["version"]
