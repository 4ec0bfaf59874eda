"""`perennial challenger` and `labels`: a trial begun, shown and ended; labels joined to what a server answered."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from place import Place
from registry_helpers import make_run
from serving_helpers import promote, serving, tiny_spec

from perennial.core.home import Home
from perennial.records.decision import Outcome

LOGGED = ("--set", "serving.poll_seconds=0.1", "--set", "serving.log.to=jsonl")


@pytest.fixture(autouse=True)
def _no_environment(_module_environment: None) -> None:
    """Every test here runs with the built-in registry."""


@pytest.fixture(scope="module")
def _module_environment() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as environment:
        for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "PERENNIAL_DATABASE_URL"):
            environment.delenv(name, raising=False)
        yield


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory, empty_database: Path, _module_environment: None) -> Place:
    """A working folder without pipelines; version 1 is champion, version 2 passed its gates, none is being tried."""
    folder = tmp_path_factory.mktemp("live")
    home = Home(folder / "home")
    home.mlflow.mkdir(parents=True)
    (home.mlflow / "mlflow.db").write_bytes(empty_database.read_bytes())
    promote(home, "a", None)
    make_run(home, tiny_spec(), "b" * 64, bias=1.0).judged(Outcome.PROMOTE, "1").register()
    place = Place(folder, None)
    place.home = home
    return place


def write_labels(path: Path, labels: dict[str, str]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        written = csv.writer(file)
        written.writerow(["id", "label"])
        written.writerows(labels.items())


@pytest.mark.soak(
    twin="tests/serving/test_trials.py::test_a_bad_challenger_is_dropped_by_itself_and_users_keep_their_version"
)
def test_a_trial_is_begun_labelled_shown_and_ended(here: Place) -> None:
    nothing = here.command("challenger", "tiny", "--json")
    assert (nothing.code, nothing.json["status"]) == (0, "none")
    begun = here.command("challenger", "tiny", "2", "--set", "rollout.share=1", "--reason", "Try it.", "--json")
    assert begun.code == 0, begun.text
    assert (begun.json["status"], begun.json["challenge"]["version"]) == ("trying", "2")
    labels = {}
    with serving(here.home, "tiny", *LOGGED) as server:
        server.until(lambda: server.figure("perennial_challenger_version", version="2"))
        for number in range(30):
            body = json.dumps({"texts": [f"soup {number}", f"bread {number}"]}).encode()
            answer = server.ask("/predict", body, **{"X-Request-Id": f"r{number}"})
            said = [one["label"] for one in answer.json["predictions"]]
            labels |= {f"r{number}/0": said[0], f"r{number}/1": said[1] if number % 3 else "neither"}
        server.until(lambda: server.figure("perennial_compared_rows_total") >= 60)
        assert server.figure("perennial_unlogged_rows_total") == 0
        assert server.end() == 0
    write_labels(here.folder / "labels.csv", labels | {"unheard/0": "x"})
    joined = here.command("labels", "tiny", "labels.csv", "--json")
    assert joined.code == 0, joined.text
    assert joined.json["trial"] == {"counted": 60, "again": 0, "unknown": 1, "unreadable": 0}
    by_version = {one["version"]: one for one in joined.json["accuracy"]}
    for version in ("1", "2"):  # the champion answered, and the challenger in the shadow
        figure = by_version[version]
        assert (figure["rows"], figure["right"]) == (60, 50)
        assert figure["low"] < 50 / 60 < figure["high"]
    again = here.command("labels", "tiny", "labels.csv")
    assert "Version 1 answered 83.3% of 60 rows rightly" in again.text
    assert "The trial under way counts 0 of them; 60 had a label before" in again.text
    assert "The servers of this home compared 60 rows" in here.command("challenger", "tiny").text
    assert here.command("challenger", "tiny", "2").code == 1
    stopped = here.command("challenger", "tiny", "--stop", "--reason", "Enough.", "--json")
    assert (stopped.code, stopped.json["status"]) == (0, "stopped")
    told = [event["action"] for event in here.command("history", "tiny", "--json").json["events"]]
    assert told[-2:] == ["challenge", "end challenge"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["challenger", "tiny", "2", "--stop"], 2, "A version and --stop were given"),
        (["challenger", "tiny", "2", "--set", "gates=1"], 2, "is no setting of `rollout`"),
        (["challenger", "tiny", "2", "--set", "rollout.shar=1"], 2, "unknown key 'rollout.shar'"),
        (["challenger", "tiny", "--stop"], 1, "No version of tiny is being tried"),
        (["labels", "tiny", "nothing.csv"], 1, "nothing.csv"),
        (["labels", "tiny", "other.csv"], 1, "has no column 'id'"),
    ],
)
def test_what_can_not_be_is_told_in_a_paragraph(here: Place, arguments: list[str], code: int, words: str) -> None:
    (here.folder / "other.csv").write_text("number,right\n1,x\n2,y\n", encoding="utf-8")
    ended = here.command(*arguments)
    assert ended.code == code, ended.text
    assert words in ended.text
    assert "Traceback" not in ended.text
