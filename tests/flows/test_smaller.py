"""A run with a student and a cascade: an ordinary candidate, made again and gone on from like any other."""

import json
from pathlib import Path

import pytest
import tiny_pipeline
from place import Place, assert_explained
from place_fixtures import MakePlace

from perennial.inference.predictor import Predictor
from perennial.records.run import Evidence
from perennial.registry import tracking, versions

GATES = [{"metric": "accuracy", "min": 0.4}, {"metric": "accuracy", "versus": "champion", "margin": 0.5}]
EXPORT = {
    "precision": "int8",
    "max_drop": 0.2,
    "student": {"layers": 1, "epochs": 3},
    "cascade": {"max_loss": 0.02},
}


def evidence(place: Place, version: str) -> tuple[Evidence, str]:
    """What a version rests on, and its model card."""
    with tracking.session(place.home) as client:
        registered = versions.candidate(client, place.home, "tiny", version)
        card = client.get_model_version("tiny", version).description
        return versions.evidence_of(client, place.home, registered).evidence, str(card)


def test_a_student_behind_a_linear_model_becomes_champion(make_place: MakePlace) -> None:
    place = make_place(training__start_from="champion", training__epochs=3, export=EXPORT, gates=GATES)
    said = place.run("--json").json
    assert said["status"] == "promoted"
    assert {"finetune", "distill", "export", "cascade"} <= set(said["seconds"])
    its_evidence, card = evidence(place, "1")
    how, cascade = its_evidence.trained.distillation, its_evidence.package.cascade
    assert how is not None
    assert cascade is not None
    assert (how.layers, how.teacher_layers) == (1, 2)
    assert "1 of 2 layers" in card
    assert cascade.sentence.split(":")[0] in card
    assert said["package"]["cascade"]["share"] == cascade.share > 0
    (page,) = place.home.store.root.glob("report/*/report.html")
    assert "1 of 2 layers" in page.read_text()
    assert how.teacher.digest in page.read_text()

    texts = [row["text"] for row in tiny_pipeline.rows(30, 5000)]
    asked = place.command("predict", "tiny", *texts)
    package = place.home.store.root / its_evidence.package.path
    assert [row["label"] for row in asked.lines] == [row["label"] for row in Predictor(package).predict(texts)]
    assert json.loads((package / "package.json").read_bytes())["cascade"]["threshold"] == cascade.threshold


@pytest.mark.soak(twin="tests/flows/test_smaller.py::test_a_student_behind_a_linear_model_becomes_champion")
def test_a_student_is_gone_on_from_and_made_again(make_place: MakePlace, tmp_path: Path) -> None:
    place = make_place(training__start_from="champion", training__epochs=3, export=EXPORT, gates=GATES)
    assert place.run("--json").json["status"] == "promoted"
    how = evidence(place, "1")[0].trained.distillation
    assert how is not None
    tiny_pipeline.write_jsonl(place.data / "part-2.jsonl", tiny_pipeline.rows(60, 2000))
    assert_explained(place.run(), 0, "went on from the weights of version 1", "1 of 2 layers", "A linear model answers")
    second, _ = evidence(place, "2")
    assert second.trained.start is not None
    assert (second.trained.start.version, second.trained.start.digest) == ("1", how.teacher.digest)
    remade = place.command("reproduce", "tiny", "2", "--into", str(tmp_path / "again"), "--json")
    assert remade.code == 0, remade.text
    assert remade.json["sameness"] in {"identical", "same"}
