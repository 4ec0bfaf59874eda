"""`perennial run`: what it answers, what it does again and what not, and what it leaves alone when it fails."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
import tiny_pipeline
from place import Place, assert_explained, flip, free_port
from registry_helpers import answering

KEYS = {"status", "model", "version", "metrics", "checks", "package", "run_id", "seconds"}
STEPS = ("ingest", "validate", "encode", "finetune", "export", "evaluate", "decide", "report", "register", "conclude")


def test_the_first_run_promotes_and_says_all_there_is(first_run: tuple[Place, dict[str, Any]]) -> None:
    place, said = first_run
    assert said.keys() >= KEYS
    assert (said["status"], said["model"], said["version"]) == ("promoted", "tiny", "1")
    assert said["metrics"]["accuracy"] > 0.6
    assert {check["verdict"] for check in said["checks"]} == {"pass"}
    assert set(STEPS) <= said["seconds"].keys()
    assert (Path(said["package"]["path"]) / "model.onnx").is_file()
    assert said["data"]["rows"] == said["data"]["new_rows"] == 360
    assert said["near_copies"]["test"] == said["metrics"]["n"] >= said["near_copies"]["without"]["n"]
    assert place.champion() == "1"


def test_again_there_is_nothing_to_do(seasoned: Place) -> None:
    again = seasoned.run("--json")
    assert again.code == 0
    assert again.json["status"] == "skipped"
    assert again.json["version"] == "1"
    assert again.json.keys() >= KEYS
    assert "finetune" not in again.json["seconds"]
    assert "skipped" in seasoned.run().text


def test_one_more_file_costs_one_more_part(seasoned: Place) -> None:
    steps = ("parts", "validate", "encode")
    before = {step: seasoned.entries(step) for step in steps}
    tiny_pipeline.write_csv(seasoned.data / "second.csv", tiny_pipeline.rows(90, 1000))
    ended = seasoned.run("--json")
    assert ended.code in (0, 3, 4), ended.text
    assert ended.json["version"] == "2"
    assert ended.json["data"]["new_rows"] == 90
    for step in steps:
        after = seasoned.entries(step)
        assert {name: after[name] for name in before[step]} == before[step], step
        assert len(after) == len(before[step]) + 1, step
    compared = [check for check in ended.json["checks"] if "champion" in check["gate"]]
    assert compared
    assert ended.json["metrics"]["champion"]["accuracy"] > 0.6
    assert seasoned.champion() == ("2" if ended.code == 0 else "1")


def test_a_floor_too_high_rejects_and_the_champion_stays(seasoned: Place) -> None:
    trained = seasoned.entries("finetune")
    unexplained = seasoned.run("--set", "gates=[{metric: log_loss, max: 0.0}]")
    assert_explained(unexplained, 2, "--set changes gates", "--reason is missing")
    ended = seasoned.run("--json", "--set", "gates=[{metric: log_loss, max: 0.0}]", "--reason", "A test.")
    assert ended.code == 4, ended.text
    assert ended.json["overrides"] == {"settings": ["gates"], "reason": "A test."}
    words = "pipeline.yaml was overridden by --set gates: A test."
    assert ended.json["reasons"][0] == words
    for command in ("history", "runs"):
        assert words in json.dumps(seasoned.command(command, "tiny", "--json").json), command
    assert words in Path(ended.json["report"]).read_text(encoding="utf-8")
    assert ended.json["status"] == "rejected"
    assert [check["verdict"] for check in ended.json["checks"]] == ["fail"]
    assert seasoned.champion() == "1"
    assert seasoned.entries("finetune") == trained
    again = seasoned.run("--set", "gates=[{metric: log_loss, max: 0.0}]", "--reason", "A test.")
    assert (again.code, "skipped" in again.text) == (0, True)


def test_too_few_rows_to_judge_hold(seasoned: Place) -> None:
    ended = seasoned.run(
        "--json", "--set", "gates=[{metric: accuracy, min: 0.1, min_n: 100000}]", "--reason", "A test."
    )
    assert ended.code == 3, ended.text
    assert (ended.json["status"], ended.json["checks"][0]["verdict"]) == ("held", "undecided")
    assert seasoned.champion() == "1"


def test_a_champion_that_learned_from_other_rows_is_no_rival(seasoned: Place) -> None:
    splits = ("--set", "data.splits.test=0.3", "--reason", "A test.")
    ended = seasoned.run("--json", *splits)
    assert ended.code == 3, ended.text
    assert any("other data.splits" in reason for reason in ended.json["reasons"])
    assert seasoned.champion() == "1"
    # Nothing could be compared, so it is tried again, not taken for done.
    assert seasoned.run(*splits).code == 3


def test_an_invalid_pipeline_is_answered_with_file_and_line(make_place) -> None:
    made = make_place()
    path = made.folder / "pipelines" / "tiny" / "pipeline.yaml"
    path.write_text(path.read_text().replace("epochs:", "epoch:"))
    line = next(number for number, text in enumerate(path.read_text().splitlines(), 1) if "epoch:" in text)
    assert_explained(made.run(), 2, "pipeline.yaml", f"{line}", "training.epoch", "did you mean 'epochs'?")
    assert json.loads(made.run("--json").out)["status"] == "failed"
    assert_explained(made.command("run", "tinyy"), 2, "Did you mean 'tiny'?")
    assert_explained(made.run("--set", "training.epochs=many"), 2, "training.epochs")
    assert not made.entries("parts")


def test_mlflow_that_does_not_answer_is_named_soon(seasoned: Place) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    started = time.monotonic()
    ended = seasoned.run(MLFLOW_TRACKING_URI=address)
    assert time.monotonic() - started < 60
    assert_explained(ended, 1, f"MLflow at {address} can't be used: connection refused.", "MLFLOW_TRACKING_URI")
    assert seasoned.champion() == "1"


def test_mlflow_that_does_not_know_the_user_is_told_from_one_that_is_down(seasoned: Place) -> None:
    user = {"MLFLOW_TRACKING_USERNAME": "ann", "MLFLOW_TRACKING_PASSWORD": "hunter2"}
    with answering(401, b"You are not authenticated.") as address:
        ended = seasoned.run(MLFLOW_TRACKING_URI=address, **user)
    assert_explained(ended, 1, f"MLflow at {address} can't be used: it does not accept the user 'ann'")
    assert "hunter2" not in ended.text


@pytest.mark.parametrize(("step", "file"), [("finetune", "model.safetensors"), ("export", "model.onnx")])
def test_a_damaged_entry_is_made_again(step: str, file: str, seasoned: Place) -> None:
    flip(next(seasoned.entry(step).rglob(file)))
    ended = seasoned.run("--set", "gates=[{metric: accuracy, min: 0.5}]", "--reason", "A test.")
    assert_explained(ended, 0, f"{step} entry", "was damaged", "made again", "promoted, version 2")
    assert seasoned.home.store.damage(seasoned.entry(step)) == []
    assert any((seasoned.home.root / "damaged").glob(f"{step}-*"))
    assert seasoned.champion() == "2"


def test_a_damaged_part_is_not_trained_on_and_can_be_read_again(seasoned: Place) -> None:
    flip(seasoned.entry("parts") / "rows.parquet")
    tiny_pipeline.write_jsonl(seasoned.data / "second.jsonl", tiny_pipeline.rows(30, 1000))
    assert_explained(seasoned.run(), 1, "was changed since it was written", "perennial run tiny --reread")
    assert seasoned.champion() == "1"
    ended = seasoned.run("--reread", "--json")
    assert ended.code in (0, 3, 4), ended.text
    assert ended.json["data"]["rows"] == 390


def test_two_pipelines_live_side_by_side(seasoned: Place, tiny_base: Path) -> None:
    tiny_pipeline.write_pipeline(
        seasoned.folder / "pipelines" / "other", tiny_base, tiny_pipeline.rows(300, 5000), name="other"
    )
    ended = seasoned.command("run", "other", "--json")
    assert (ended.code, ended.json["model"], ended.json["version"]) == (0, "other", "1"), ended.text
    assert ended.json["data"]["rows"] == 300
    assert seasoned.champion() == "1"
    assert seasoned.run("--json").json["status"] == "skipped"


def test_a_folder_and_a_file_name_a_pipeline_too(seasoned: Place) -> None:
    for name in ("pipelines/tiny", "pipelines/tiny/pipeline.yaml"):
        assert seasoned.command("run", name, "--json").json["status"] == "skipped"
