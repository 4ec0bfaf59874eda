"""Every kind of task from rows to a champion, and the champion's answers by each way to ask it."""

import json
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import tiny_pipeline
from place import Place
from tiny_kinds import CASES, TOLD, Case, Row
from tiny_pipeline import FILLERS

from perennial.registry import tracking


@dataclass(frozen=True)
class Done:
    """A place with a champion of some kind, and what its run printed. Read only."""

    case: Case
    place: Place
    said: dict[str, Any]

    def predict(self, *arguments: str) -> list[Row]:
        ended = self.place.command("predict", "tiny", *arguments)
        assert ended.code == 0, ended.text
        return ended.lines

    def of_file(self, rows: Sequence[Row]) -> list[Row]:
        path = self.place.folder / "asked.jsonl"
        tiny_pipeline.write_jsonl(path, list(rows))
        return self.predict("--data", str(path))


@pytest.fixture(scope="module", params=CASES)
def done(
    request: pytest.FixtureRequest,
    tiny_base: Path,
    prefect_api: str,
    empty_database: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Done:
    case = CASES[request.param]
    place = Place(tmp_path_factory.mktemp(case.kind), prefect_api)
    tiny_pipeline.write_pipeline(
        place.folder / "pipelines" / "tiny",
        tiny_base,
        case.rows(300),
        kind=case.kind,
        data__labels=list(case.labels),
        data__columns=case.columns,
        gates=[{"metric": case.headline, "min": 0.5}],
    )
    place.give_database(empty_database)
    ended = place.run("--json")
    assert ended.code == 0, ended.text
    return Done(case, place, ended.json)


def answers_of(rows: Sequence[Row]) -> list[Any]:
    """What rows were answered, scores rounded: texts that are run together with others differ in the last digits."""

    def rounded(value: Any) -> Any:
        if isinstance(value, float):
            return float(f"{value:.2g}")
        if isinstance(value, dict):
            return {name: rounded(item) for name, item in value.items()}
        return [rounded(item) for item in value] if isinstance(value, list) else value

    names = ("label", "labels", "value", "spans", "scores")
    return [{name: rounded(row[name]) for name in names if name in row} for row in rows]


def test_the_first_run_promotes(done: Done) -> None:
    assert (done.said["status"], done.said["version"]) == ("promoted", "1"), done.said["reasons"]
    assert done.said["metrics"][done.case.headline] >= 0.5
    assert done.place.champion() == "1"
    assert done.place.run("--json").json["status"] == "skipped"


def test_rows_of_a_file_are_answered_as_arguments_are(done: Done) -> None:
    asked = done.case.asked()
    names = [done.case.columns.get(role, role) for role in done.case.texts]
    by_file = done.of_file(asked)
    by_argument = done.predict("--json", *(row[name] for row in asked for name in names))
    assert answers_of(by_file) == answers_of(by_argument)
    assert [row["number"] for row in by_file] == list(range(len(asked)))
    assert [{name: row[name] for name in names} for row in by_file] == [
        {name: row[name] for name in names} for row in asked
    ]
    assert [row[role] for row in by_argument for role in done.case.texts] == [row[n] for row in asked for n in names]


def test_answers_are_what_the_kind_promises_and_mostly_right(done: Done) -> None:
    wanted, answers = done.case.rows(9, 9000), done.of_file(done.case.asked())
    right = sum(CHECKS[done.case.kind](row, answer) for row, answer in zip(wanted, answers, strict=True))
    assert right >= 5


def is_right_topics(row: Row, answer: Row) -> bool:
    assert set(answer["scores"]) == set(TOLD)
    assert answer["labels"] == sorted(answer["labels"], key=lambda label: -answer["scores"][label])
    return set(answer["labels"]) == set(row["topics"])


def is_right_pair(row: Row, answer: Row) -> bool:
    assert answer["score"] == max(answer["scores"].values())
    return bool(answer["label"] == row["label"])


def is_right_price(row: Row, answer: Row) -> bool:
    assert set(answer) == {"text", "number", "value"}
    return abs(answer["value"] - row["price"]) < 3e5


def is_right_entity(row: Row, answer: Row) -> bool:
    for span in answer["spans"]:
        assert set(span) == {"start", "end", "label", "text", "score"}
        assert row["text"][span["start"] : span["end"]] == span["text"]
        assert 0 <= span["score"] <= 1
    return [{name: span[name] for name in ("start", "end", "label")} for span in answer["spans"]] == row["spans"]


CHECKS = {
    "multi-label": is_right_topics,
    "text-pair": is_right_pair,
    "regression": is_right_price,
    "token-classification": is_right_entity,
}


@pytest.mark.parametrize("done", ["token-classification"], indirect=True)
def test_rows_of_tokens_get_tags_too(done: Done) -> None:
    texts = done.of_file(done.case.asked())
    rows = done.of_file([{"tokens": row["text"].split()} for row in done.case.asked()])
    for row, text in zip(rows, texts, strict=True):
        assert row["spans"] == [{**span, "score": pytest.approx(span["score"], abs=0.02)} for span in text["spans"]]
        assert (row["text"], len(row["tags"])) == (text["text"], len(row["tokens"]))
        begun = [tag.removeprefix("B-") for tag in row["tags"] if tag.startswith("B-")]
        assert begun == [span["label"] for span in row["spans"]]
        assert "tags" not in text


@pytest.mark.parametrize("done", ["text-pair"], indirect=True)
def test_a_pair_that_lacks_a_text_is_explained(done: Done) -> None:
    alone = done.place.command("predict", "tiny", "only one text")
    assert alone.code == 2
    assert "This model reads 2 texts together (text, text_pair), and 1 were given." in alone.text
    path = tiny_pipeline.write_jsonl(done.place.folder / "single.jsonl", [{"headline": "one"}])
    single = done.place.command("predict", "tiny", "--data", str(path))
    assert single.code == 1
    assert "lacks what this model reads: 'text', 'text_pair'" in " ".join(single.text.split())
    piped = done.place.command("predict", "tiny", stdin=b"one line\n")
    assert (piped.code, "Traceback" in piped.text) == (1, False)


@pytest.fixture
def loaded(done: Done, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The champion as MLflow loads it."""
    import mlflow

    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking.uri(done.place.home))
    return mlflow.pyfunc.load_model("models:/tiny@champion")


def test_mlflows_model_answers_the_same(done: Done, loaded: Any) -> None:
    asked = done.case.asked()
    names = {done.case.columns.get(role, role): role for role in done.case.texts}
    frame = pd.DataFrame([{role: row[name] for name, role in names.items()} for row in asked])
    predicted = loaded.predict(frame)
    assert answers_of(json.loads(predicted.to_json(orient="records"))) == answers_of(done.of_file(asked))
    assert len(loaded.predict(frame[:0])) == 0
    # Rows without any span, label or word.
    nothing = loaded.predict(pd.DataFrame({role: ["", "of the"] for role in done.case.texts}))
    assert len(nothing) == 2
    signature = loaded.metadata.signature
    assert [column["name"] for column in signature.inputs.to_dict()] == list(done.case.texts)
    outputs = {column["name"]: column for column in signature.outputs.to_dict()}
    assert list(predicted.columns) == list(outputs)
    # Of lists that may be empty, it still knows what they hold.
    for name in {"spans", "labels"} & outputs.keys():
        assert (outputs[name]["type"], outputs[name]["items"]["type"]) == (
            "array",
            {"spans": "object", "labels": "string"}[name],
        )


@pytest.mark.soak(twin="tests/flows/test_kinds.py::test_a_champion_of_another_kind_holds")
def test_labels_come_and_go(seasoned: Place) -> None:
    local = []
    for number, row in enumerate(tiny_pipeline.rows(120, 1000)):
        words = random.Random(number).choices(FILLERS, k=8)  # noqa: S311
        local.append(row | {"label": "local", "text": " ".join(["quarter", *words, "quarter", str(number)])})
    tiny_pipeline.write_jsonl(seasoned.data / "second.jsonl", local)
    added = ("--set", "data.labels=[negative, neutral, positive, local]")
    held = seasoned.run("--json", *added, "--set", "gates=[{metric: accuracy, min: 0.5}]", "--reason", "A test.")
    assert held.code == 3, held.text
    assert any(
        reason.startswith("New in data.labels: 'local'. The champion has no figure") for reason in held.json["reasons"]
    )
    assert seasoned.champion() == "1"
    # The pipeline's own gates have a floor for each label, and one beside the champion on the labels both know.
    promoted = seasoned.run("--json", *added)
    assert promoted.code == 0, promoted.text
    assert promoted.json["metrics"]["champion"]["accuracy"] > 0.5, "it is not blamed for the new label's rows"
    assert seasoned.champion() == promoted.json["version"]

    gone = ("--set", "data.max_quarantined=0.5")
    held = seasoned.run("--json", *gone)
    assert held.code == 3, held.text
    assert any("knows 'local', which data.labels lacks" in reason for reason in held.json["reasons"])
    assert seasoned.champion() == promoted.json["version"]
    allowed = seasoned.run("--json", *gone, "--set", "registry.allow_dropped_labels=[local]", "--reason", "A test.")
    assert allowed.code == 0, allowed.text
    assert seasoned.champion() == allowed.json["version"]


def test_a_champion_of_another_kind_holds(seasoned: Place) -> None:
    ended = seasoned.run(
        "--json", "--set", "kind=multi-label", "--set", "gates=[{metric: micro_f1, min: 0.1}]", "--reason", "A test."
    )
    assert ended.code == 3, ended.text
    problem = "it is of another kind of task, text-classification; give this pipeline another name."
    assert any(problem in reason for reason in ended.json["reasons"])
    assert seasoned.champion() == "1"
