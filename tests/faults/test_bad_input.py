"""Bad input, end to end: one clear paragraph, the champion stays, and the next good run finds everything whole."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tiny_pipeline
from place import Place, assert_explained, ended

Rows = list[dict[str, str]]


def json_lines(rows: Rows) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


GOOD = tiny_pipeline.rows(60, 2000)
SAME_TEXT = [{**row, "label": "negative" if row["label"] != "negative" else "positive"} for row in GOOD]
STRANGE = [{**row, "label": "postive"} for row in GOOD]
BLANK = [{**row, "text": "   " if number % 2 else "\t"} for number, row in enumerate(GOOD)]
NO_TEXT = [{"body": row["text"], "label": row["label"], "published_at": row["published_at"]} for row in GOOD]
LONG = [{**GOOD[0], "text": "profit " * 1_500_000}]

# What the new file next to the champion's data holds, what must be said, and how the run ends: None where the bad row
# is set aside and the run goes on to its decision.
NEW_FILES: dict[str, tuple[str, bytes, int | None, tuple[str, ...]]] = {
    "broken JSON": ("b.jsonl", json_lines(GOOD) + b'{"text": "x", \n', 1, ("b.jsonl", "line 61")),
    "not UTF-8": ("b.jsonl", json_lines(GOOD[:2]) + b'{"text": "\xe4\xf6", "label": "x"}\n', 1, ("b.jsonl", "UTF-8")),
    "ragged CSV": (
        "b.csv",
        b"text,label,published_at,sector\na b c,positive,2026-03-01,banks\na,b,c,d,e\n",
        1,
        ("b.csv", "line 3"),
    ),
    "column missing": ("b.jsonl", json_lines(NO_TEXT), 1, ("b.jsonl", "'text'")),
    "unknown labels": ("b.jsonl", json_lines(STRANGE), 1, ("postive", "max_quarantined", "'positive'")),
    "blank texts": ("b.jsonl", json_lines(BLANK), 1, ("blank", "max_quarantined", "b.jsonl:1")),
    "same text, two labels": ("b.jsonl", json_lines(GOOD + SAME_TEXT), 1, ("label", "b.jsonl")),
    "a 10 MB text": ("b.jsonl", json_lines(GOOD + LONG), None, ("1 set aside",)),
    "NUL characters": (
        "b.jsonl",
        json_lines([*GOOD, {**GOOD[0], "text": "profit \x00 rose record"}]),
        None,
        ("1 set aside",),
    ),
    "a NUL byte": (
        "b.csv",
        b"text,label,published_at,sector\na \x00 b,positive,2026-03-01,banks\n",
        1,
        ("NUL", "b.csv"),
    ),
    "a null text": ("b.jsonl", json_lines([*GOOD, {**GOOD[0], "text": None}]), None, ("1 set aside",)),
    "byte-order mark and CRLF": (
        "b.jsonl",
        b"\xef\xbb\xbf" + json_lines(GOOD).replace(b"\n", b"\r\n"),
        None,
        ("60 of them new",),
    ),
    "an empty file": ("b.jsonl", b"", None, (" 0 of them new",)),
}


SOAK = pytest.mark.soak(twin="tests/faults/test_bad_input.py::test_a_new_file")
LONG_RUNS = ("a 10 MB text", "a null text", "byte-order mark and CRLF", "an empty file")
"""What is read all the same, so that a model is trained."""


@pytest.mark.parametrize("case", [pytest.param(case, marks=SOAK if case in LONG_RUNS else ()) for case in NEW_FILES])
def test_a_new_file(case: str, seasoned: Place) -> None:
    name, content, code, words = NEW_FILES[case]
    (seasoned.data / name).write_bytes(content)
    # A candidate that can't win: what is asked here is what happens to the data.
    stopped = seasoned.run(
        "--set", "gates=[{metric: log_loss, max: 0.0}]", "--reason", "A test.", "--set", "training.epochs=1"
    )
    assert_explained(stopped, 4 if code is None else code, *words)
    assert "profit profit" not in stopped.text
    assert seasoned.champion() == "1"
    for entry in seasoned.home.store.entries():
        assert seasoned.home.store.damage(entry) == []
    (seasoned.data / name).unlink()


def test_rows_that_stopped_a_run_are_read_again_when_mended(seasoned: Place) -> None:
    fresh = tiny_pipeline.rows(60, 4000)
    file = seasoned.data / "b.jsonl"
    file.write_bytes(json_lines([{**row, "label": "postive"} for row in fresh]))
    gate = ("--set", "gates=[{metric: log_loss, max: 0.0}]", "--reason", "A test.", "--set", "training.epochs=1")
    assert_explained(seasoned.run(*gate), 1, "postive", "max_quarantined")
    file.write_bytes(json_lines(fresh))
    assert_explained(seasoned.run(*gate), 4, "60 of them new")
    file.unlink()


FIRST_DATA: dict[str, tuple[Rows, tuple[str, ...]]] = {
    "ten rows in all": (tiny_pipeline.rows(10), ("fewer than 50 rows in all", "data.min_rows")),
    "one label only": (tiny_pipeline.rows(120, labels=["neutral"]), ("a label has fewer than 2 rows", "negative")),
}


@pytest.mark.parametrize("case", FIRST_DATA)
def test_first_data_that_can_teach_nothing(case: str, make_place) -> None:
    rows, words = FIRST_DATA[case]
    made = make_place(some=rows)
    assert_explained(made.run(), 1, *words)
    assert made.champion() is None
    assert not made.entries("finetune")


@pytest.mark.parametrize("problem", ["missing", "empty"])
def test_no_data_at_all(problem: str, make_place) -> None:
    made = make_place(some=[])
    if problem == "missing":
        shutil.rmtree(made.data)
    assert_explained(made.run(), 1, "data", "data.source" if problem == "empty" else "data/*")


def test_a_base_model_that_is_not_there(seasoned: Place) -> None:
    stopped = seasoned.run("--set", "model.base=./nowhere")
    assert_explained(stopped, 1, "model.base is './nowhere', but there is no folder", "config.json")
    assert seasoned.champion() == "1"


STEP_ON_A_FULL_DISK = """
import resource, signal, sys
from pathlib import Path

from perennial.records.data import Part
from perennial.core.errors import StoreError
from perennial.core.home import Home

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
home = Home(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))

def make(folder):
    (folder / "rows").write_bytes(bytes(400_000))

try:
    home.store.get_or_make("parts", "k" * 64, Part, make)
except StoreError as error:
    print(error)
"""


def test_a_step_on_a_full_disk_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    stopped = subprocess.run(
        [sys.executable, "-c", STEP_ON_A_FULL_DISK, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert "is full: step 'parts' could not write its output. Free some space" in stopped.stdout
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_run_on_a_full_disk_says_so_and_keeps_what_is_finished(seasoned: Place) -> None:
    tiny_pipeline.write_jsonl(seasoned.data / "b.jsonl", tiny_pipeline.rows(6000, 3000))
    before: dict[str, Any] = seasoned.entries("parts")
    (seasoned.folder / "sitecustomize.py").write_text(
        "import resource, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
    )
    path = f"{seasoned.folder}:{Path(__file__).parents[2]}"
    stopped = ended(seasoned.start("run", "tiny", PYTHONPATH=path))
    assert_explained(stopped, 1, "full", "Free some space", "run the same command again")
    assert seasoned.entries("parts") == before
    assert seasoned.champion() == "1"
