"""The synthetic headlines with entities: spans exact, names mostly new."""

from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml
from row_splits import splits_of_rows

from perennial.settings.data import SplitsSpec

LABELS = ("ORG", "PER", "LOC", "AMOUNT")

Row = dict[str, Any]
Parts = dict[str, list[Row]]


def names(rows: list[Row], label: str | None = None) -> list[str]:
    """The text of every span (of this label) in the rows, in lower case."""
    return [
        row["text"][span["start"] : span["end"]].casefold()
        for row in rows
        for span in row["spans"]
        if label in (None, span["label"])
    ]


def by_split(rows: list[Row]) -> dict[str, list[Row]]:
    splits = splits_of_rows(([row["text"]] for row in rows), SplitsSpec())
    return {
        name: [row for row, split in zip(rows, splits, strict=True) if split == name]
        for name in ("train", "validation", "test")
    }


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
    earlier = set(names([row for part in before for row in part]))
    new = [name not in earlier for name in names(last)]

    assert sum(new) / len(new) > 0.6


def test_names_seen_in_training_do_not_give_the_spans_away(rows: list[Row]) -> None:
    parts = by_split(rows)
    learned = set(names(parts["train"]))
    tested = names(parts["test"])

    # Whoever only looks names up can't find more than these.
    assert sum(name in learned for name in tested) / len(tested) < 0.55


def test_pipeline_names_its_columns_and_labels(make_data: ModuleType, folder: Path) -> None:
    settings = yaml.safe_load((folder / "pipeline.yaml").read_text(encoding="utf-8"))

    assert settings["data"]["columns"] == {"text": "text", "spans": "spans", "time": "published_at"}
    assert tuple(settings["data"]["labels"]) == make_data.LABELS == LABELS
