"""Rows with the same text and other labels, by each rule that a pipeline can choose."""

import csv
from pathlib import Path
from typing import Any

import pyarrow as pa
from notes import Notes
from validation_data import pipeline, rows, snapshot

from perennial.core.home import Home
from perennial.core.progress import heard_by
from perennial.records.data import ValidatedData
from perennial.validation import resolution
from perennial.validation.read_rows import read_split
from perennial.validation.snapshot_validation import validate
from perennial.validation.text_index import Earlier

GOOD, BAD = "positive", "negative"


def copies(label: str, count: int, file: str, text: str = "Great!") -> list[dict[str, Any]]:
    """Rows of one text, in the test split, each of another day."""
    return [row | {"text": text, "label": label, "split": "test"} for row in rows(count, start=1000, file=file)]


def settled(folder: Path, rule: str, *parts: list[dict[str, Any]]) -> tuple[ValidatedData, list[str]]:
    spec, home, heard = pipeline(contradictions=rule), Home(folder / "home"), Notes()
    with heard_by(heard):
        data = validate(spec, snapshot(spec, home, [*rows(120), *parts[0]], *parts[1:]), home)
    return data, heard.messages


def labels(data: ValidatedData, folder: Path, text: str = "Great!") -> list[str]:
    """Those of the rows with this text that count."""
    table = read_split(data, Home(folder / "home").store, "test", ["text", "label"])
    return sorted(row["label"] for row in table.to_pylist() if row["text"] == text)


def test_one_wrong_label_takes_out_itself_by_the_majority(tmp_path: Path) -> None:
    data, heard = settled(tmp_path, "majority", [*copies(GOOD, 200, "a.csv"), *copies(BAD, 1, "b.csv")])
    assert labels(data, tmp_path) == [GOOD] * 200
    assert (data.quarantined, data.outvoted, data.superseded) == (0, 1, 0)
    assert any("1 of its rows and 0 older ones don't count" in note for note in heard)
    [listed] = csv.DictReader(
        (tmp_path / "home" / "store" / str(data.parts[0].quarantine_path)).open(encoding="utf-8-sig")
    )
    assert listed["reason"] == "the same text has another label at a.csv:1001"


def test_a_new_policy_is_learned_from_the_newest(tmp_path: Path) -> None:
    data, _ = settled(tmp_path, "newest", copies(GOOD, 1, "a.csv"), copies(BAD, 60, "b.csv"))
    assert labels(data, tmp_path) == [BAD] * 60
    assert (data.outvoted, data.superseded) == (0, 1)
    assert data.label_rows["test"][BAD] - data.label_rows["test"][GOOD] == 60


def test_votes_that_lost_count_when_more_come(tmp_path: Path) -> None:
    parts = [copies(GOOD, 2, "a.csv"), copies(BAD, 1, "b.csv"), copies(BAD, 1, "c.csv")]
    tied, _ = settled(tmp_path, "majority", *parts)
    assert labels(tied, tmp_path) == [GOOD] * 2
    assert (tied.outvoted, tied.superseded) == (2, 0)
    won, _ = settled(tmp_path, "majority", *parts, copies(BAD, 1, "d.csv"))
    assert labels(won, tmp_path) == [BAD]
    assert (won.outvoted, won.superseded) == (2, 2)


def test_counts_and_rows_agree_when_a_label_turns_and_turns_back(tmp_path: Path) -> None:
    turns = [copies(GOOD, 3, "a.csv"), copies(BAD, 2, "b.csv"), copies(GOOD, 1, "c.csv")]
    data, _ = settled(tmp_path, "newest", *turns)
    assert labels(data, tmp_path) == [GOOD]
    assert data.superseded == 5
    store = Home(tmp_path / "home").store
    assert {split: read_split(data, store, split, ["text"]).num_rows for split in data.rows} == data.rows


def voted(folder: Path, rule: str, *labels: str) -> list[str]:
    """Which of these rows of one text, all of one reading, are outvoted."""
    count = len(labels)
    columns: dict[str, list[Any]] = {
        "row_id": [f"r{number}" for number in range(count)],
        "text_key": ["k"] * count,
        "label": list(labels),
        "file": ["a.csv"] * count,
        "line": list(range(1, count + 1)),
    }
    table = pa.table(columns).append_column("time", pa.nulls(count, pa.timestamp("us", tz="UTC")))
    earlier = Earlier(keys=[], files=[], retired=[], root=folder, index=folder / "unused", scratch=folder)
    return list(resolution.resolve(rule, table, "label", earlier, folder).outvoted)  # type: ignore[arg-type]


def test_rows_that_agree_are_all_good_and_a_tie_is_nobodys(tmp_path: Path) -> None:
    for rule in ("newest", "majority"):
        assert voted(tmp_path, rule, GOOD, GOOD, GOOD) == []
    assert voted(tmp_path, "majority", GOOD, BAD, GOOD, BAD) == ["r0", "r1", "r2", "r3"]
    assert voted(tmp_path, "majority", GOOD, BAD, GOOD) == ["r1"]
    assert voted(tmp_path, "newest", GOOD, GOOD, BAD) == ["r0", "r1"]
