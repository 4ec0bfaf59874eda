"""Night after night: margins don't add up, looks are counted once, and what is spent is said."""

import shutil
import time
from pathlib import Path
from typing import Any

import pytest
import tiny_pipeline
from place import Place, assert_explained, ended

from perennial.registry import tags, tracking
from perennial.registry.judged.looks import past_looks
from perennial.registry.ledger import Ledger

GATES = (
    "--reason",
    "a test",
    "--set",
    "gates=[{metric: accuracy, min: 0.2}, {metric: accuracy, versus: champion, margin: 0.6}, "
    "{metric: accuracy, versus: anchor, margin: 0.15}]",
)
WORSE = (
    "--set",
    "training.epochs=2",
    "--set",
    "training.head_learning_rate=1e-3",
    "--set",
    "training.learning_rate=1e-4",
)
WIDE = (
    "--reason",
    "a test",
    "--set",
    "gates=[{metric: accuracy, min: 0.1}, {metric: accuracy, versus: champion, margin: 0.95}]",
)


def night(place: Place, number: int) -> None:
    tiny_pipeline.write_jsonl(place.data / f"night-{number}.jsonl", tiny_pipeline.rows(60, 1000 * number))


def looks(place: Place) -> list[str]:
    return [look.package for look in past_looks(Ledger.open(place.home), "tiny")]


def test_a_little_worse_each_night_ends_at_the_best_champion_so_far(
    seasoned: Place, first_run: tuple[Place, dict[str, Any]]
) -> None:
    place, first = seasoned, first_run[1]
    assert (first["status"], first["look"], first["anchor"]) == ("promoted", None, None)

    night(place, 1)
    second = place.run("--json", *WORSE, *WIDE).json
    assert second["status"] == "promoted", "much worse, and that was allowed by hand"
    assert second["look"]["number"] == 1
    assert second["look"]["fresh"] == second["look"]["texts"]
    assert second["metrics"]["accuracy"] < first["metrics"]["accuracy"] - 0.2

    night(place, 2)
    third = place.run("--json", *WORSE, *GATES)
    assert third.code in (3, 4), third.text
    assert third.json["anchor"] == "1"
    beside = {check["gate"]: check for check in third.json["checks"]}
    assert beside["accuracy at least the champion's - 0.6"]["verdict"] == "pass"
    assert beside["accuracy at least the champion's - 0.6"]["level"] == pytest.approx(third.json["look"]["level"])
    assert "anchor version 1" in beside["accuracy at least the anchor's - 0.15"]["reason"]
    assert beside["accuracy at least the anchor's - 0.15"]["verdict"] != "pass"
    assert third.json["look"]["number"] == 2
    assert 0 < third.json["look"]["fresh"] < third.json["look"]["texts"]
    assert place.champion() == "2"
    with tracking.session(place.home) as client:
        assert client.get_registered_model("tiny").aliases["anchor"] == 1, "so that gc keeps its package"

    assert_explained(place.run(*WORSE, *GATES), 0, "Already trained: version 3")
    assert len(looks(place)) == 2, "nothing was looked at again"
    assert_explained(place.command("decide", "tiny", "3"), third.code, "the very decision that is registered")
    (page,) = [path for path in place.home.store.root.glob("report/*/report.html") if "Look 2" in path.read_text()]
    assert "The anchor is version 1" in page.read_text()

    _lose_the_package(place, "1")
    night(place, 3)
    held = place.run("--json", *WORSE, *GATES)
    assert (held.code, held.json["status"]) == (3, "held")
    assert "the anchor, version 1, can't be judged" in " ".join(held.json["reasons"])
    assert place.champion() == "2"


def _lose_the_package(place: Place, version: str) -> None:
    with tracking.session(place.home) as client:
        registered = client.get_model_version("tiny", version)
        digest = registered.tags[tags.PACKAGE_DIGEST]
        sent = Path(client.get_model_version_download_uri("tiny", version).removeprefix("file://"))
    for folder in (sent, *place.home.store.root.glob(f"packages/{digest}")):
        shutil.rmtree(folder)


@pytest.mark.soak(
    twin="tests/flows/test_many_nights.py::test_a_little_worse_each_night_ends_at_the_best_champion_so_far"
)
def test_a_run_that_is_killed_after_its_look_was_counted_does_not_spend_twice(seasoned: Place) -> None:
    place = seasoned
    night(place, 1)
    process = place.start("run", "tiny")
    while not looks(place) and process.poll() is None:
        time.sleep(0.01)
    process.kill()
    ended(process)
    (counted,) = past_looks(Ledger.open(place.home), "tiny")
    again = place.run("--json").json
    assert past_looks(Ledger.open(place.home), "tiny") == [counted]
    if again["look"]:
        assert (again["look"]["number"], again["look"]["spent"]) == (1, pytest.approx(counted.spent))
