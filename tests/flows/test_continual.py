"""Runs that start from the champion: what they say, what they do again and what not, and where the weights are gone."""

import shutil
from pathlib import Path

import pytest
import tiny_pipeline
from place import Place, assert_explained
from place_fixtures import MakePlace

from perennial.records.training import Start, TrainedModel
from perennial.registry import tracking, versions

GATES = [{"metric": "accuracy", "min": 0.4}, {"metric": "accuracy", "versus": "champion", "margin": 0.5}]


def trained(place: Place, version: str) -> tuple[TrainedModel, str]:
    """What a version's evidence says of its training, and its model card."""
    with tracking.session(place.home) as client:
        registered = versions.candidate(client, place.home, "tiny", version)
        card = client.get_model_version("tiny", version).description
        return versions.evidence_of(client, place.home, registered).evidence.trained, str(card)


def start_of(made: TrainedModel) -> Start:
    assert made.start is not None
    return made.start


def test_from_champion_to_champion(make_place: MakePlace) -> None:
    place = make_place(training__start_from="champion", training__replay=0.5, training__epochs=3, gates=GATES)
    assert place.run().code == 0
    first, _ = trained(place, "1")
    assert start_of(first) == Start(problem="there is no champion yet")
    assert first.sample is not None
    assert first.sample.rows == first.sample.of == first.train_rows

    tiny_pipeline.write_jsonl(place.data / "part-2.jsonl", tiny_pipeline.rows(60, 2000))
    assert_explained(place.run(), 0, "Training went on from the weights of version 1")
    second, card = trained(place, "2")
    assert (start_of(second).version, start_of(second).digest) == ("1", first.digest)
    assert second.sample is not None
    assert second.sample.new is not None
    assert second.train_rows == 2 * second.sample.new < second.sample.of
    assert "from the weights of version 1" in card
    assert f"{second.train_rows:,} of {second.sample.of:,} rows" in card
    (page,) = [path for path in place.home.store.root.glob("report/*/report.html") if "version 1" in path.read_text()]
    assert "from the weights of version 1" in page.read_text()

    # The champion is another one now, and there is nothing to learn from it that is not learned.
    assert_learned(place)


def assert_learned(place: Place) -> None:
    again = place.run("--json")
    assert again.json["status"] == "skipped"
    assert again.json["version"] == "2"
    assert "Already trained: version 2" in place.run().text


@pytest.mark.soak(twin="tests/flows/test_continual.py::test_from_champion_to_champion")
def test_from_champion_to_champion_made_again_and_without_weights(make_place: MakePlace, tmp_path: Path) -> None:
    place = make_place(training__start_from="champion", training__replay=0.5, training__epochs=3, gates=GATES)
    assert place.run().code == 0
    tiny_pipeline.write_jsonl(place.data / "part-2.jsonl", tiny_pipeline.rows(60, 2000))
    assert_explained(place.run(), 0, "Training went on from the weights of version 1")
    assert_learned(place)
    remade = place.command("reproduce", "tiny", "2", "--into", str(tmp_path / "again"), "--json")
    assert remade.code == 0, remade.text
    assert remade.json["sameness"] in {"identical", "same"}

    for folder in (place.home.store.root / "finetune", *place.home.mlflow.rglob("weights")):
        shutil.rmtree(folder)
    tiny_pipeline.write_jsonl(place.data / "part-3.jsonl", tiny_pipeline.rows(60, 3000))
    assert_explained(place.run(), 0, "starts from the base model, not from the champion: the weights of version 2")
    third, card = trained(place, "3")
    assert str(start_of(third).problem).startswith("the weights of version 2 are neither in this store nor in MLflow")
    assert start_of(third).version is None
    assert "not from the champion" in card
