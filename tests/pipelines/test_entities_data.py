"""The synthetic headlines with entities: made again byte for byte, spans exact, names mostly new."""

import importlib.util
import json
from collections import Counter
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from perennial import kinds
from perennial.rows.splits import keys_and_splits
from perennial.settings.data import SplitsSpec
from perennial.settings.pipeline import PipelineSpec

FOLDER = Path(__file__).parents[2] / "pipelines" / "entities"
FILES = sorted((FOLDER / "data").glob("*.jsonl"))
LABELS = ("ORG", "PER", "LOC", "AMOUNT")

Row = dict[str, Any]
Parts = dict[str, list[Row]]


@pytest.fixture(scope="module")
def make_data() -> ModuleType:
    spec = importlib.util.spec_from_file_location("entities_make_data", FOLDER / "make_data.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def parts() -> Parts:
    return {file.stem: [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] for file in FILES}


@pytest.fixture(scope="module")
def rows(parts: Parts) -> list[Row]:
    return [row for part in parts.values() for row in part]


def names(rows: list[Row], label: str | None = None) -> list[str]:
    """The text of every span (of this label) in the rows, in lower case."""
    return [
        row["text"][span["start"] : span["end"]].casefold()
        for row in rows
        for span in row["spans"]
        if label in (None, span["label"])
    ]


def by_split(rows: list[Row]) -> dict[str, list[Row]]:
    _, splits = keys_and_splits(([row["text"]] for row in rows), SplitsSpec())
    return {
        name: [row for row, split in zip(rows, splits, strict=True) if split == name]
        for name in ("train", "validation", "test")
    }


def test_generator_makes_the_same_bytes(make_data: ModuleType, tmp_path: Path) -> None:
    made = make_data.write(tmp_path)

    assert [path.name for path in made] == [path.name for path in FILES]
    for new, kept in zip(made, FILES, strict=True):
        assert new.read_bytes() == kept.read_bytes(), f"{kept.name}: run pipelines/entities/make_data.py"


def test_three_parts_of_equal_size(parts: Parts) -> None:
    assert list(parts) == ["2026-07", "2026-08", "2026-09"]
    assert all(len(part) == 800 for part in parts.values())
    assert sum(file.stat().st_size for file in FILES) < 1_000_000


def test_rows_are_dated_within_their_month_oldest_first(parts: Parts) -> None:
    for month, part in parts.items():
        times = [datetime.fromisoformat(row["published_at"]) for row in part]
        assert times == sorted(times)
        assert all(time.strftime("%Y-%m") == month and time.utcoffset() is not None for time in times)


def test_spans_are_exact_sorted_and_apart(rows: list[Row]) -> None:
    for row in rows:
        text, end = row["text"], 0
        assert list(row) == ["text", "spans", "published_at"]
        assert text == " ".join(text.split())
        assert 10 <= len(text) <= 300
        for span in row["spans"]:
            name = text[span["start"] : span["end"]]
            assert list(span) == ["start", "end", "label"]
            assert span["label"] in LABELS
            assert end <= span["start"] < span["end"] <= len(text), text
            assert name == name.strip(" ,;:"), text
            assert not (text[span["start"] - 1].isalnum() and span["start"] > 0), text
            assert not text[span["end"] : span["end"] + 1].isalnum(), text
            end = span["end"]


def test_no_slot_of_the_grammar_is_left(rows: list[Row]) -> None:
    assert [row["text"] for row in rows if set("{}|×") & set(row["text"])] == []


def test_no_text_is_there_twice(rows: list[Row]) -> None:
    texts = Counter(" ".join(row["text"].casefold().split()) for row in rows)

    assert [text for text, count in texts.items() if count > 1] == []


def test_every_label_is_common_in_every_split_and_a_tenth_of_rows_has_none(rows: list[Row]) -> None:
    shares = Counter(span["label"] for row in rows for span in row["spans"])

    assert all(0.1 < shares[label] / shares.total() < 0.5 for label in LABELS)
    assert 0.09 < sum(not row["spans"] for row in rows) / len(rows) < 0.12
    for split, part in by_split(rows).items():
        counts = Counter(span["label"] for row in part for span in row["spans"])
        assert all(counts[label] >= 50 for label in LABELS), split
        assert any(not row["spans"] for row in part), split


def test_forms_that_make_it_hard_are_there(rows: list[Row]) -> None:
    texts = [row["text"] for row in rows]
    firms = names(rows, "ORG")

    assert sum(text.isupper() for text in texts) > 60
    assert sum(text.islower() for text in texts) > 60
    assert sum(" & " in name for name in firms) > 100
    assert sum(name.startswith(("bank of", "university of", "port of")) for name in firms) > 10
    assert sum("'" in name or "-" in name for name in names(rows, "PER")) > 30
    assert sum(not name.isascii() for name in names(rows)) > 200
    # The same family names stand in companies and in people.
    families = {name.split()[-1] for name in names(rows, "PER")}
    assert sum(bool(families & set(name.split())) for name in firms) > 100


def test_the_last_part_brings_new_names(parts: Parts) -> None:
    *before, last = parts.values()
    known = set(names([row for part in before for row in part]))
    new = [name not in known for name in names(last)]

    assert sum(new) / len(new) > 0.6


def test_names_seen_in_training_do_not_give_the_spans_away(rows: list[Row]) -> None:
    parts = by_split(rows)
    known = set(names(parts["train"]))
    tested = names(parts["test"])

    # Whoever only looks names up can't find more than these.
    assert sum(name in known for name in tested) / len(tested) < 0.55


def test_pipeline_names_its_columns_labels_and_gates(make_data: ModuleType) -> None:
    settings = yaml.safe_load((FOLDER / "pipeline.yaml").read_text(encoding="utf-8"))

    assert settings["data"]["columns"] == {"text": "text", "spans": "spans", "time": "published_at"}
    assert tuple(settings["data"]["labels"]) == make_data.LABELS == LABELS
    assert {gate.get("versus") for gate in settings["gates"]} == {None, "champion", "baseline"}


def test_pipeline_is_valid() -> None:
    spec = PipelineSpec.model_validate(yaml.safe_load((FOLDER / "pipeline.yaml").read_text(encoding="utf-8")))

    assert kinds.kind_named(spec.kind).spec_problems(spec) == []
