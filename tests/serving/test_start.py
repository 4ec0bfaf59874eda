"""A server that can't serve says so in one paragraph and does not start."""

import signal
import socket
from pathlib import Path

import pytest
from place import Place, assert_explained
from serving_helpers import serving
from typer.testing import CliRunner

from flows.commands import serve
from perennial.core.home import Home
from perennial.settings.serving import ServingSpec


@pytest.fixture
def here(champion: Home, tmp_path: Path) -> Place:
    """A working folder without pipelines, whose home has a champion."""
    place = Place(tmp_path, None)
    place.home = champion
    return place


REFUSED = [
    (["tinny"], 1, ["tinny has no champion yet", "perennial run tinny"]),
    (["tiny", "--version", "7"], 1, ["There is no version 7 of tiny; there are: 1."]),
    (["tiny", "--set", "serving.pol_seconds=1"], 2, ["unknown key 'serving.pol_seconds'", "'poll_seconds'"]),
    (["tiny", "--set", "serving.poll_seconds=0"], 2, ["serving.poll_seconds", "greater than 0"]),
    (["tiny", "--set", "serving.queue_rows=5"], 2, ["queue_rows (5) is less than max_rows (1000)"]),
    (["tiny", "--set", "serving=3"], 2, ["should be a group of settings"]),
    (["tiny", "--set", "training.epochs=3"], 2, ["no pipeline here whose training could be set"]),
    (["tiny", "--set", "poll_seconds"], 2, ["not of the form key.key=value"]),
    (["tiny", "--host", "no such host"], 1, ["can't listen on no such host:8000"]),
    (["tiny", "--port", "70000"], 2, ["less than"]),
]


@pytest.mark.parametrize(("arguments", "code", "words"), REFUSED, ids=[" ".join(given) for given, _, _ in REFUSED])
def test_it_does_not_start(here: Place, arguments: list[str], code: int, words: list[str]) -> None:
    assert_explained(here.command("serve", *arguments), code, *words)


def test_a_port_that_is_taken_is_named(here: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = here.command("serve", "tiny", "--port", str(port))
    assert_explained(ended, 1, f"can't listen on 127.0.0.1:{port}: Address already in use", "another --port")


def test_settings_come_from_the_pipeline_if_it_is_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert serve.settings_of("tiny", ["serving.max_rows=7"]) == (ServingSpec(max_rows=7), {})
    folder = tmp_path / "pipelines" / "tiny"
    folder.mkdir(parents=True)
    (folder / "pipeline.yaml").write_text(
        "name: tiny\nkind: text-classification\nserving: {batch_rows: 3}\ngates: [{metric: accuracy, min: 0.5}]\n"
        "data: {source: {type: file, path: x.csv}, labels: [a, b], columns: {text: body}}\n"
    )
    settings, names = serve.settings_of("tiny", ["serving.max_rows=7"])
    assert settings == ServingSpec(max_rows=7, batch_rows=3)
    assert names["text"] == "body"


def test_help_teaches() -> None:
    from flows.cli import app

    help_text = " ".join(CliRunner().invoke(app, ["serve", "--help"], env={"COLUMNS": "200"}).stdout.split())
    for word in ("curl", "/predict", "/healthz", "/readyz", "/metrics", "SIGTERM", "--wait", "docs/settings.md"):
        assert word in help_text


def test_ctrl_c_ends_it_well(champion: Home) -> None:
    with serving(champion, "tiny", "--host", "localhost") as server:
        assert server.version() == "1"
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(30) == 0
    assert "Traceback" not in server.text
