"""`perennial export-annotations`: the champion's answers as files for annotation tools."""

import json
from pathlib import Path
from typing import Any

import pytest
import tiny_pipeline
from place import Place, assert_explained

ROWS = tiny_pipeline.rows(12, 9000)


@pytest.fixture
def champion(first_run: tuple[Place, dict[str, Any]]) -> Place:
    return first_run[0]


@pytest.fixture
def texts(tmp_path: Path) -> str:
    path = tmp_path / "texts.jsonl"
    tiny_pipeline.write_jsonl(path, [{"text": row["text"], "ref": n} for n, row in enumerate(ROWS)])
    return str(path)


def test_label_studio_gets_tasks_in_the_order_worth_labelling(champion: Place, texts: str, tmp_path: Path) -> None:
    out = tmp_path / "tasks.json"
    ended = champion.command("export-annotations", "tiny", texts, "--out", str(out), "--json")
    assert (ended.code, ended.json["rows"], ended.json["lost"]) == (0, 12, []), ended.text
    tasks = json.loads(out.read_text(encoding="utf-8"))
    scores = [task["predictions"][0]["score"] for task in tasks]
    assert scores == sorted(scores)
    assert {task["data"]["ref"] for task in tasks} == set(range(12))
    chosen = {task["predictions"][0]["result"][0]["value"]["choices"][0] for task in tasks}
    assert chosen <= set(tiny_pipeline.LABELS)
    assert 'toName="text"' in out.with_suffix(".xml").read_text(encoding="utf-8")


def test_doccano_gets_lines_and_no_more_than_asked_for(champion: Place, texts: str, tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    ended = champion.command("export-annotations", "tiny", texts, "--to", "doccano", "--out", str(out), "--limit", "5")
    assert ended.code == 0, ended.text
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert len(lines) == 5
    assert all(set(line) == {"text", "label", "ref"} for line in lines)


def test_a_tool_that_is_not_known_is_told(champion: Place, texts: str) -> None:
    assert_explained(champion.command("export-annotations", "tiny", texts, "--to", "excel"), 2, "excel", "doccano")
