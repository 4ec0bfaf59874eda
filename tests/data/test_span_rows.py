"""Rows with spans, from a source to validated data: what is wrong with a row is told, and the others go on."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from notes import Notes

from perennial.core import progress
from perennial.core.errors import SourceError, ValidationError
from perennial.core.home import Home
from perennial.ingest.snapshots import ingest
from perennial.kinds.token_classification.span_rows import FAULTS
from perennial.records.data import ValidatedData
from perennial.settings.pipeline import PipelineSpec
from perennial.validation.snapshot_validation import validate

Row = dict[str, Any]
TOKENS = {"tokens": "tokens"}


class Source:
    """A file of rows, and what comes of it."""

    def __init__(self, folder: Path, name: str, content: str, columns: Row, labels: tuple[str, ...]) -> None:
        (folder / name).write_text(content, encoding="utf-8")
        self.home = Home(folder / "home")
        data = {"source": {"type": "file", "path": name}, "columns": columns, "labels": labels, "max_quarantined": 0.9}
        settings = {"name": "entities", "kind": "token-classification", "data": data}
        gates = [{"metric": "f1", "min": 0.5}]
        self.spec = PipelineSpec.model_validate(settings | {"gates": gates}).located(folder)
        self.notes: list[str] = []

    def validated(self) -> ValidatedData:
        listener = Notes()
        with progress.heard_by(listener), progress.step("ingest"):
            snapshot = ingest(self.spec, self.home)
        self.notes = listener.messages
        return validate(self.spec, snapshot, self.home)

    def good(self, found: ValidatedData) -> list[Row]:
        return [row for part in found.parts for row in pq.read_table(self.home.store.root / part.path).to_pylist()]

    def bad(self, found: ValidatedData) -> list[Row]:
        (part,) = found.parts
        with (self.home.store.root / part.quarantine_path).open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))


def jsonl(folder: Path, rows: list[Row], columns: Row = TOKENS, labels: tuple[str, ...] = ("ORG", "PER")) -> Source:
    return Source(folder, "rows.jsonl", "".join(json.dumps(row) + "\n" for row in rows), columns, labels)


def as_csv(folder: Path, rows: list[Row], columns: Row) -> Source:
    file = io.StringIO()
    writer = csv.DictWriter(file, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return Source(folder, "rows.csv", file.getvalue(), columns, ("ORG", "PER"))


def tagged(count: int = 120) -> list[Row]:
    """Good rows of tokens."""
    return [
        {
            "tokens": ["Firm", f"No{number}", "hired", "Ms", f"Smith{number}"],
            "tags": ["B-ORG", "I-ORG", "O", "O", "B-PER"],
        }
        for number in range(count)
    ]


def spanned(count: int = 120) -> list[Row]:
    """Good rows of texts."""
    texts = [f"Firm{number} hired Smith{number}" for number in range(count)]
    return [
        {"text": text, "spans": [span(0, text.index(" ")), span(text.rindex(" ") + 1, len(text), "PER")]}
        for text in texts
    ]


def span(start: object, end: object, label: object = "ORG") -> Row:
    return {"start": start, "end": end, "label": label}


BAD_TOKENS = [
    ({"tokens": ["a", "b"], "tags": ["O"]}, "tokens and tags differ in number"),
    ({"tokens": ["f"], "tags": []}, "tokens and tags differ in number"),
    ({"tokens": [], "tags": ["O"]}, "there are no tokens"),
    ({"tokens": 5, "tags": ["O"]}, "tokens or tags are no list of strings"),
    ({"tokens": {"a": 1}, "tags": ["O"]}, "tokens or tags are no list of strings"),
    ({"tokens": ["a", None], "tags": ["O", "O"]}, "tokens or tags are no list of strings"),
    ({"tokens": ["a", ["b"]], "tags": ["O", "O"]}, "tokens or tags are no list of strings"),
    ({"tokens": None, "tags": ["O"]}, "tokens or tags are no list of strings"),
    ({"tokens": ["e"], "tags": [3]}, "tokens or tags are no list of strings"),
    ({"tokens": ["a", "\u00a0"], "tags": ["O", "O"]}, "a token is blank"),
    ({"tokens": ["a", "b"], "tags": ["B-ORG", "X-ORG"]}, "a tag is of no known scheme; known are BIO"),
    ({"tokens": ["a", "c"], "tags": ["ORG", "O"]}, "a tag is of no known scheme; known are BIO"),
    ({"tokens": ["a", "\ud83d"], "tags": ["O", "O"]}, "a token or tag holds half a surrogate pair"),
    ({"tokens": ["g"], "tags": ["B-\ud83d"]}, "a token or tag holds half a surrogate pair"),
    ({"tokens": ["a", "d"], "tags": ["B-ORG", "B-Person"]}, "a span's label is not one of: ORG, PER"),
    ({"tokens": ["a\x00b"], "tags": ["O"]}, "text holds a NUL character"),
]
BAD_SPANS = [
    ({"text": "abc", "spans": [span(0, 2), span(1, 3, "PER")]}, "spans overlap"),
    ({"text": "abc", "spans": [span(0, 2), span(0, 2)]}, "spans overlap"),
    ({"text": "abc", "spans": [span(1, 4)]}, "a span is empty or passes the end of the text"),
    ({"text": "abc", "spans": [span(-1, 2)]}, "a span is empty or passes the end of the text"),
    ({"text": "abc", "spans": [span(2, 2)]}, "a span is empty or passes the end of the text"),
    ({"text": "a  b", "spans": [span(0, 1), span(1, 3)]}, "a span holds nothing but blanks"),
    ({"text": "abc", "spans": [span(0, 10**30)]}, "a span is empty or passes the end of the text"),
    ({"text": "abc", "spans": [span(0, 2, "Person")]}, "a span's label is not one of: ORG, PER"),
    ({"text": "abc", "spans": [span(0, 2, None)]}, "spans are no list of objects with start, end and label"),
    ({"text": "abc", "spans": [span(0, 2, "")]}, "spans are no list of objects with start, end and label"),
    ({"text": "abc", "spans": [span("0", 2)]}, "spans are no list of objects with start, end and label"),
    ({"text": "abc", "spans": [span(False, 2)]}, "spans are no list of objects with start, end and label"),
    ({"text": "abc", "spans": [span(0, 2, "\ud83d")]}, "spans are no list of objects with start, end and label"),
    ({"text": "abc", "spans": span(0, 2)}, "spans are no list of objects with start, end and label"),
    ({"text": "abc", "spans": [["ORG", 0, 2]]}, "spans are no list of objects with start, end and label"),
    ({"text": "abc", "spans": "[{"}, "spans are no list of objects with start, end and label"),
    ({"text": " ", "spans": []}, "text is blank"),
]


@pytest.mark.parametrize(
    ("good", "cases", "columns"), [(tagged(), BAD_TOKENS, TOKENS), (spanned(), BAD_SPANS, {})], ids=["tokens", "spans"]
)
def test_each_bad_row_is_set_aside_with_its_reason(
    good: list[Row], cases: list[tuple[Row, str]], columns: Row, tmp_path: Path
) -> None:
    # Rows of the same content are one.
    bad_rows = [
        row if row.get("text") != "abc" else row | {"text": f"a{place:02}"} for place, (row, _) in enumerate(cases)
    ]
    source = jsonl(tmp_path, [*good[:60], *bad_rows, *good[60:]], columns)
    found = source.validated()
    bad = source.bad(found)
    assert [row["line"] for row in bad] == [str(61 + place) for place in range(len(cases))]
    for row, (_, reason) in zip(bad, cases, strict=True):
        assert row["reason"].startswith(reason)
        assert ";" not in row["reason"].removeprefix(reason).split("known are")[0], "one reason a row"
    assert found.quarantined == len(cases)
    kept = source.good(found)
    assert len(kept) == len(good) == sum(found.rows.values())
    assert {row["fault"] for row in kept} == {None}
    assert {row["tokens"] is None for row in kept} == {not columns}


def test_every_fault_is_met_here() -> None:
    reasons = {reason for _, reason in BAD_TOKENS + BAD_SPANS}
    assert all(any(fault.startswith(reason) for reason in reasons) for fault in FAULTS)


def test_a_label_without_rows_is_named(tmp_path: Path) -> None:
    source = jsonl(tmp_path, tagged(), labels=("ORG", "PER", "PLACE"))
    with pytest.raises(ValidationError) as caught:
        source.validated()
    assert "a label has fewer than 2 rows in a split (data.min_rows_per_label)" in str(caught.value)
    assert "PLACE, train: 0; PLACE, validation: 0; PLACE, test: 0" in str(caught.value)


def test_a_source_in_which_everything_is_broken_is_refused(tmp_path: Path) -> None:
    source = jsonl(tmp_path, [row | {"tags": ["O"]} for row in tagged()])
    with pytest.raises(ValidationError) as caught:
        source.validated()
    assert "120 × tokens and tags differ in number (rows.jsonl:1, rows.jsonl:2, rows.jsonl:3" in str(caught.value)
    assert "more than 90.00% of the rows are quarantined" in str(caught.value)


def test_a_mistyped_label_is_told_with_the_nearest(tmp_path: Path) -> None:
    rows = [row | {"tags": [tag.replace("PER", "PERS") for tag in row["tags"]]} for row in tagged()]
    with pytest.raises(ValidationError, match=r"'PERS' 120 × \(did you mean 'PER'\?\)"):
        jsonl(tmp_path, rows).validated()


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    source = jsonl(tmp_path, [{"tokens": row["tokens"], "ner": row["tags"]} for row in tagged()])
    with pytest.raises(SourceError, match="has no column 'tags'"):
        source.validated()


def targets(rows: list[Row]) -> set[tuple[str, str]]:
    return {(row["text"][one["start"] : one["end"]], one["label"]) for row in rows for one in row["spans"]}


@pytest.mark.parametrize("write", [json.dumps, " ".join], ids=["JSON", "parted by spaces"])
def test_csv_holds_tokens_and_tags(write: Any, tmp_path: Path) -> None:
    rows = tagged()
    source = as_csv(tmp_path, [{name: write(cell) for name, cell in row.items()} for row in rows], TOKENS)
    found = source.validated()
    assert found.quarantined == 0
    kept = source.good(found)
    assert sorted(row["tokens"] for row in kept) == sorted(row["tokens"] for row in rows)
    assert targets(kept) == {
        pair for number in range(120) for pair in [(f"Firm No{number}", "ORG"), (f"Smith{number}", "PER")]
    }


def test_csv_holds_spans(tmp_path: Path) -> None:
    rows = [*spanned(), {"text": "nobody", "spans": []}]
    written = [{"text": row["text"], "spans": json.dumps(row["spans"])} for row in rows]
    source = as_csv(tmp_path, [*written, {"text": "neither", "spans": ""}], {})
    found = source.validated()
    assert found.quarantined == 1
    kept = {row["text"]: row["spans"] for row in source.good(found)}
    assert kept == {row["text"]: row["spans"] for row in rows}


@pytest.mark.parametrize(
    ("scheme", "tags"),
    [
        (None, ["B-ORG", "I-ORG", "O", "O", "B-PER"]),
        ("BIO1", ["I-ORG", "I-ORG", "O", "O", "I-PER"]),
        ("IOBES", ["B-ORG", "E-ORG", "O", "O", "S-PER"]),
        ("BIOLU", ["B-ORG", "L-ORG", "O", "O", "U-PER"]),
    ],
)
def test_another_scheme_is_converted_and_said_so_once(scheme: str | None, tags: list[str], tmp_path: Path) -> None:
    source = jsonl(tmp_path, [row | {"tags": tags} for row in tagged()])
    kept = source.good(source.validated())
    assert ("Firm No7", "ORG") in targets(kept)
    assert len(targets(kept)) == 240
    said = [note for note in source.notes if "Tags in" in note]
    assert said == ([f"Tags in {scheme} were read as spans; Perennial itself writes BIO2."] if scheme else [])


def test_spans_as_lists_of_three_are_spans(tmp_path: Path) -> None:
    rows = [{**row, "spans": [[one["start"], one["end"], one["label"]] for one in row["spans"]]} for row in spanned()]
    columns = {"text": "text", "spans": "spans"}
    plain, listed = (tmp_path / name for name in ("plain", "listed"))
    for folder in (plain, listed):
        folder.mkdir()
    expected, found = (jsonl(folder, some, columns) for folder, some in ((plain, spanned()), (listed, rows)))
    assert [row["spans"] for row in found.good(found.validated())] == [
        row["spans"] for row in expected.good(expected.validated())
    ]


def test_spans_are_corrected_in_their_text(tmp_path: Path) -> None:
    source = jsonl(tmp_path, spanned(), columns={"text": "text", "spans": "spans"})
    rows = {row["text"]: row["row_id"] for row in source.good(source.validated())}
    first, second, third = (rows[f"Firm{number} hired Smith{number}"] for number in range(3))
    mended = tmp_path / "mended.csv"
    source.spec = source.spec.model_copy(
        update={"data": source.spec.data.model_copy(update={"corrections": ("mended.csv",)})}
    )
    source.spec = source.spec.located(tmp_path)
    mended.write_text(
        f"row_id,label\n{first},[Firm0 hired](PER) Smith0\n{second},Firm1 hired Smith1\n"
        f'{third},"[{{""start"": 0, ""end"": 5, ""label"": ""PER""}}]"\n',
        encoding="utf-8",
    )
    found = {row["row_id"]: row["spans"] for row in source.good(source.validated())}
    assert found[first] == [span(0, 11, "PER")]
    assert found[second] == []
    assert found[third] == [span(0, 5, "PER")]
    mended.write_text(f"row_id,label\n{first},[Firm0](ORG) fired Smith0\n{second},[Firm1](FIRM) hired Smith1\n")
    with pytest.raises(SourceError, match="line 3: 'FIRM' is not one of: ORG, PER"):
        source.validated()
    mended.write_text(f"row_id,label\n{first},[Firm0](ORG) fired Smith0\n")
    with pytest.raises(SourceError, match=r"line 2: without \[ \]\(LABEL\) its text is not the row's"):
        source.validated()
