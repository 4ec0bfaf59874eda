"""`perennial predict`: every way in and out gives the same answers."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tiny_pipeline
from place import Place
from tiny_pipeline import LABELS

ROWS = tiny_pipeline.rows(12, 9000)
TEXTS = [row["text"] for row in ROWS]


@pytest.fixture
def champion(first_run: tuple[Place, dict[str, Any]]) -> Place:
    return first_run[0]


@pytest.fixture
def answers(champion: Place) -> list[dict[str, Any]]:
    """What the champion says to the texts given as arguments."""
    ended = champion.command("predict", "tiny", "--json", *TEXTS)
    assert ended.code == 0, ended.text
    return ended.lines


def labels_and_scores(lines: list[dict[str, Any]]) -> list[tuple[str, float]]:
    return [(line["label"], round(line["score"], 4)) for line in lines]


def test_arguments_are_answered_with_label_score_and_scores(answers: list[dict[str, Any]]) -> None:
    assert [line["text"] for line in answers] == TEXTS
    for line in answers:
        assert set(line["scores"]) == set(LABELS)
        assert sum(line["scores"].values()) == pytest.approx(1, abs=1e-3)
        assert line["score"] == max(line["scores"].values()) == line["scores"][line["label"]]
    right = sum(line["label"] == row["label"] for line, row in zip(answers, ROWS, strict=True))
    assert right >= 8


def test_standard_input_is_answered_line_by_line(champion: Place, answers: list[dict[str, Any]]) -> None:
    ended = champion.command("predict", "tiny", stdin="\n".join(TEXTS).encode())
    assert ended.code == 0, ended.text
    assert labels_and_scores(ended.lines) == labels_and_scores(answers)


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_files_keep_their_columns(form: str, champion: Place, answers: list[dict[str, Any]], tmp_path: Path) -> None:
    rows = [{"sector": row["sector"], "text": row["text"], "number": n} for n, row in enumerate(ROWS)]
    path = tmp_path / f"rows.{form}"
    if form == "csv":
        tiny_pipeline.write_csv(path, rows)
    elif form == "jsonl":
        tiny_pipeline.write_jsonl(path, rows)
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)
    ended = champion.command("predict", "tiny", "--data", str(path), "--out", str(tmp_path / "out.jsonl"))
    assert (ended.code, ended.out) == (0, ""), ended.text
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert labels_and_scores(lines) == labels_and_scores(answers)
    for line, row in zip(lines, rows, strict=True):
        assert list(line)[:3] == list(row)
        assert (line["sector"], str(line["number"])) == (row["sector"], str(row["number"]))


def test_a_version_can_be_named(champion: Place, answers: list[dict[str, Any]]) -> None:
    ended = champion.command("predict", "tiny", "--version", "1", "--json", *TEXTS)
    assert ended.lines == answers
    missing = champion.command("predict", "tiny", "--version", "77", "x")
    assert missing.code == 1
    assert "77" in missing.text
    assert "Traceback" not in missing.text


def test_an_unknown_model_is_named(champion: Place) -> None:
    ended = champion.command("predict", "tinny", "x")
    assert ended.code == 1
    assert "tinny has no champion yet" in ended.text
    assert "perennial run tinny" in ended.text


def test_a_file_that_fails_midway_leaves_no_half_output(champion: Place, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"text": TEXTS[0]}) + "\n{broken\n")
    out = tmp_path / "out.jsonl"
    out.write_text("before\n")
    ended = champion.command("predict", "tiny", "--data", str(path), "--out", str(out))
    assert ended.code == 1
    assert "line 2" in ended.text
    assert out.read_text() == "before\n"
