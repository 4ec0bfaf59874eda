"""One process serves several models, each under its name and swapped alone."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import new_home
from serving_helpers import Serving, promote, serving

from flows.commands import serve
from perennial.core.errors import SpecError
from perennial.core.home import Home

NAMES = ("tiny", "other")


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, empty_database: Path, _module_environment: None) -> Home:
    """A home with a champion of each of two models."""
    home = new_home(tmp_path_factory.mktemp("two"), empty_database)
    for key, name in zip("ab", NAMES, strict=True):
        assert promote(home, key, None, name) == "1"
    return home


@pytest.fixture(scope="module")
def running(two: Home) -> Iterator[Serving]:
    with serving(two, *NAMES, "--set", "serving.poll_seconds=0.2") as server:
        yield server


def version(server: Serving, name: str) -> str:
    answer = server.ask(f"/models/{name}/predict", json.dumps({"texts": ["soup"]}).encode())
    assert (answer.status, answer.json["model"]) == (200, name)
    return str(answer.json["version"])


def test_each_is_listed_and_answers_under_its_name(running: Serving) -> None:
    listed = running.ask("/").json["models"]
    assert {name: (one["model"], one["version"]) for name, one in listed.items()} == {n: (n, "1") for n in NAMES}
    assert running.ask("/readyz").json["models"] == {n: {"version": "1", "problem": None} for n in NAMES}
    assert running.ask("/ping").status == 200
    for name in NAMES:
        before = running.figure("perennial_rows_total", model=name)
        assert version(running, name) == "1"
        assert running.ask(f"/models/{name}").json["model"] == name
        assert running.ask(f"/models/{name}/ping").status == 200
        assert running.figure("perennial_rows_total", model=name) == before + 1
        assert running.figure("perennial_champion_version", model=name, version="1") == 1
        assert running.figure("perennial_queue_rows", model=name) == 0


def test_a_request_that_says_no_model_is_refused(running: Serving) -> None:
    for path in ("/predict", "/invocations", "/models/nobody/predict"):
        answer = running.ask(path, b'{"texts": ["soup"]}')
        assert answer.status == 404
        assert "There are" in answer.json["error"]


def test_each_is_swapped_alone(two: Home, running: Serving) -> None:
    assert promote(two, "c", "1", "other") == "2"
    running.until(lambda: version(running, "other") == "2")
    assert version(running, "tiny") == "1"
    assert running.figure("perennial_champion_version", model="other", version="2") == 1
    assert running.figure("perennial_champion_version", model="other", version="1") == 0
    assert running.figure("perennial_champion_version", model="tiny", version="1") == 1


def test_contradictions_are_refused_before_anything_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    options = serve.ServeOptions(None, False, None, None, ())
    for models, version_asked, words in (
        (("tiny", "tiny"), None, "named twice"),
        (("tiny", "other"), "3", "can't be of 2 models"),
    ):
        with pytest.raises(SpecError, match=words):
            serve.serve(models, version_asked, "127.0.0.1", 0, (), options, wait=False, as_json=False, workers=1)
    for name, rows in (("tiny", 8), ("other", 16)):
        folder = tmp_path / "pipelines" / name
        folder.mkdir(parents=True)
        (folder / "pipeline.yaml").write_text(
            f"name: {name}\nkind: text-classification\n"
            "data: {source: {type: file, path: rows.jsonl}, labels: [a, b]}\n"
            f"gates: [{{metric: accuracy, min: 0.5}}]\nserving: {{batch_rows: {rows}}}\n"
        )
    with pytest.raises(SpecError, match=r"tiny and other have different settings for a server: serving\.batch_rows"):
        serve.settings_of_all(("tiny", "other"), ())
    assert serve.settings_of_all(("tiny", "other"), ["serving.batch_rows=4"])[0].batch_rows == 4
