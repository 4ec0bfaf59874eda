"""`perennial review`: rows with wrong labels found, corrected by a person, and taken in by the next run."""

import csv
from pathlib import Path

import pyarrow.parquet as pq
import tiny_pipeline
from place import Place, assert_explained
from tiny_pipeline import LABELS

from perennial.evaluation import label_errors
from perennial.pipeline_file import loader
from perennial.validation import corrections


def wrong_rows(count: int) -> dict[str, str]:
    """Right labels of rows whose given label is another one, by text."""
    return {
        row["text"]: row["label"] for row in tiny_pipeline.rows(count, 5000) if int(row["text"].split()[-1]) % 5 == 0
    }


def write_data(place: Place, count: int) -> None:
    wrong = wrong_rows(count)
    rows = [
        row | ({"label": LABELS[(LABELS.index(row["label"]) + 1) % 3]} if row["text"] in wrong else {})
        for row in tiny_pipeline.rows(count, 5000)
    ]
    tiny_pipeline.write_jsonl(place.data / "second.jsonl", rows)


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def correct(path: Path, rows: list[dict[str, str]], right: dict[str, str]) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=";")
        writer.writeheader()
        writer.writerows(row | {"label": right.get(row["text"], "")} for row in rows)


def test_wrong_labels_are_listed_corrected_and_taken_in(seasoned: Place) -> None:
    place, wrong = seasoned, wrong_rows(240)
    write_data(place, 240)
    ended = place.run("--json")
    assert ended.code in (0, 3, 4), ended.text

    asked = place.command("review", "tiny", "--limit", "8", "--json")
    assert asked.code == 0, asked.text
    assert (asked.json["version"], asked.json["written"], asked.json["path"]) == ("2", 8, "tiny-v2-review.csv")
    assert 8 <= asked.json["found"] < asked.json["looked_at"]
    listed = read(place.folder / "tiny-v2-review.csv")
    assert list(listed[0])[:3] == ["row_id", "file", "line"]
    assert {row["label"] for row in listed} == {""}
    assert [row["score"] for row in listed] == sorted(row["score"] for row in listed)
    contradicted = [row for row in listed if row["text"] in wrong]
    assert len(contradicted) >= 6
    assert all(row["suggested_label"] == wrong[row["text"]] for row in contradicted)
    assert all(row["file"] == "data/second.jsonl" for row in contradicted)
    for path in place.home.store.root.rglob(label_errors.FILE):
        assert pq.read_schema(path).names == ["row_id", "given", "suggested", "score"]

    again = place.command("review", "tiny", "--out", "again.csv")
    assert_explained(again, 0, "data.corrections", "can't judge them", "are in again.csv")
    assert read(place.folder / "again.csv")[:8] == listed
    assert_explained(place.command("review", "tiny", "--version", "2"), 2, "is there already")
    assert_explained(place.command("review", "tiny", "--version", "9"), 1, "There is no version 9")
    assert_explained(place.command("review", "tiny", "--out", "nowhere/x.csv"), 1, "nowhere/x.csv can't be written")

    # As a spreadsheet saves what a person wrote into it.
    correct(place.folder / "tiny-v2-review.csv", listed, wrong)
    spec = loader.read_pipeline(place.data.parent / "pipeline.yaml", ["data.corrections=../../tiny-v2-review.csv"])
    assert corrections.read_corrections(spec) == {row["row_id"]: wrong[row["text"]] for row in contradicted}


def test_corrections_are_taken_in_by_the_next_run(seasoned: Place) -> None:
    place = seasoned
    (before,) = pq.read_table(place.home.store.root / _checked(place)).slice(0, 1).to_pylist()
    path = place.data.parent / "mended.csv"
    path.write_text(f"row_id,label\n{before['row_id']},drop\n", encoding="utf-8")
    ask = ("--json", "--set", "data.corrections=mended.csv", "--set", "training.epochs=1", "--reason", "A test.")
    ended = place.run(*ask)
    assert ended.code in (0, 3, 4), ended.text
    assert place.run(*ask).json["status"] == "skipped"
    rows = {row for name in place.entries("validate") for row in _ids(place, name)}
    assert before["row_id"] in rows
    newest = max(place.entries("validate").items(), key=lambda entry: entry[1])[0]
    assert before["row_id"] not in _ids(place, newest)
    path.write_text("row_id,label\nx,nosuch\n", encoding="utf-8")
    assert_explained(place.run(*ask[1:]), 1, "mended.csv, line 2: 'nosuch' is not one of: negative, neutral, positive")


def _checked(place: Place) -> str:
    (name,) = place.entries("validate")
    return f"validate/{name}/rows.parquet"


def _ids(place: Place, name: str) -> list[str]:
    return pq.read_table(place.home.store.root / "validate" / name / "rows.parquet")["row_id"].to_pylist()
