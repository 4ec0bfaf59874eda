"""`perennial label` as people run it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import Labelled, Make, live_rows
from typer.testing import CliRunner, Result

from flows.cli import app


@pytest.fixture
def here(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Labelled:
    made = make()
    settings = made.spec.model_dump(mode="json", exclude_unset=True)
    (tmp_path / "pipeline.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    made.choose(live_rows(50))
    monkeypatch.setenv("PERENNIAL_HOME", str(made.home.root))
    monkeypatch.chdir(tmp_path)
    return made


def command(*arguments: str, typed: str = "") -> Result:
    return CliRunner().invoke(app, ["label", ".", *arguments], input=typed)


def test_labels_given_in_the_terminal_are_told_of_as_json(here: Labelled) -> None:
    asked = command("--terminal", typed="ann\n1\ns\n3\nq\n")
    assert asked.exit_code == 0, asked.output
    assert "It can't be told yet" in asked.output
    told: dict[str, Any] = json.loads(command("--json").output)
    assert told["progress"] == {"waiting": 17, "labelled": 2, "skipped": 1, "mine": 0}
    assert told["annotators"] == {"ann": 2}
    assert told["more"]["at_most"] is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--host", "0.0.0.0", "--port", "0"], "--scope label"),  # noqa: S104
        (["--host", "192.0.2.1", "--port", "0"], "can't be served"),
        (["--keys", "none.json"], "There is no file of API keys"),
    ],
)
def test_a_page_that_others_could_reach_is_refused(arguments: list[str], said: str, here: Labelled) -> None:
    ended = command(*arguments)
    assert ended.exit_code in (1, 2)
    assert said in " ".join(ended.output.split())
    assert "Traceback" not in ended.output
