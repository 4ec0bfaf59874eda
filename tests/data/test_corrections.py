"""Corrections: labels that people mended, applied where rows are validated."""

import csv
import json
from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest
from notes import Notes
from validation_data import files_of, pipeline, rows, snapshot, with_row

from perennial.core import progress
from perennial.core.errors import SourceError
from perennial.core.home import Home
from perennial.ingest import canonical_rows
from perennial.kinds.base import known_label
from perennial.rows.batch import Batch
from perennial.runs import run_key
from perennial.training import base_model
from perennial.validation import corrections, part_validation
from perennial.validation.snapshot_validation import validate


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path / "home")


def _spec(folder, *files, **data):
    names = []
    for number, (header, *lines) in enumerate(files):
        names.append(f"corrections-{number}.csv")
        (folder / names[-1]).write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return pipeline(corrections=names, **data).located(folder)


def _good(home, data):
    tables = [pq.read_table(home.store.root / part.path) for part in data.parts]
    return {row["row_id"]: row for table in tables for row in table.to_pylist()}


def _ids(spec, home, *parts):
    made = snapshot(spec, home, *parts)
    return made, [pq.read_table(home.store.root / part.path)["row_id"].to_pylist() for part in made.parts]


def _content_ids(spec):
    """What ingestion calls the rows without an id."""
    cells = {name: [row[name] for row in rows(80)] for name in ("text", "label")} | {"source": ["wire"] * 80}
    return canonical_rows.canonical_rows(Batch("f.csv", "line", range(1, 81), cells), spec)["row_id"].to_pylist()


def _told(spec, made, home):
    notes = Notes()
    with progress.heard_by(notes):
        return validate(spec, made, home), "".join(notes.messages)


def test_labels_are_replaced_and_rows_taken_out(home, tmp_path):
    made, ((first, second, third, *_),) = _ids(pipeline(), home, rows(80))
    lines = [f"{first},positive", f"{second},drop", f"{third},", "nobody,positive"]
    spec = _spec(tmp_path, ["row_id,label", *lines])
    before = _good(home, validate(pipeline(), made, home))
    data, told = _told(spec, made, home)
    after = _good(home, data)
    assert after.pop(first) == before.pop(first) | {"label": "positive"}
    assert before.pop(second)["label"] == "negative"
    assert after == before
    assert (data.parts[0].corrected, data.parts[0].dropped, data.parts[0].rows, data.quarantined) == (1, 1, 79, 0)
    assert sum(data.rows.values()) == 79
    assert "1 rows have another label, 1 are taken out." in told
    [warning] = data.warnings
    assert warning == (
        "1 of the row ids in data.corrections is of a row that was never read, so nothing was corrected there: nobody"
    )
    written = json.loads((home.store.root / data.report_path / "validation.json").read_bytes())
    assert written["warnings"] == [warning]
    assert not list(home.store.root.rglob(corrections.SCRATCH))


def test_only_the_latest_correction_counts(home, tmp_path):
    made, ((first, second, *_),) = _ids(pipeline(), home, rows(80))
    old = ["row_id,label", f"{first},drop", f"{second},positive", f"{second},negative"]
    spec = _spec(tmp_path, old, ["label,row_id", f"positive,{first}"])
    after = _good(home, validate(spec, made, home))
    assert (after[first]["label"], after[second]["label"]) == ("positive", "negative")


def test_only_parts_from_the_first_corrected_one_on_are_validated_again(home, tmp_path):
    parts = [rows(80, start, file=f"{start}.csv") for start in (0, 100, 200)]
    made, (_, (row, *_), _) = _ids(pipeline(), home, *parts)
    before = validate(pipeline(), made, home)
    count = len(files_of(home, part_validation.STEP))
    spec = _spec(tmp_path, ["row_id,label", f"{row},negative"])
    after = validate(spec, made, home)
    assert after.parts[0] == before.parts[0]
    assert after.digest != before.digest
    # The second part was corrected; rows of the third may contradict it now.
    assert len(files_of(home, part_validation.STEP)) == count + 2
    assert after.parts[2].sha256 == before.parts[2].sha256
    unknown = _spec(tmp_path, ["row_id,label", "nobody,positive"])
    found = validate(unknown, made, home)
    assert (found.digest, found.parts) == (before.digest, before.parts)


def test_corrections_whose_rows_have_other_names_stop_the_run(home, tmp_path):
    before = _content_ids(pipeline())
    after = _content_ids(pipeline(columns={"slices": ["source"]}))
    assert not set(before) & set(after)
    made, _ = _ids(pipeline(), home, [row | {"row_id": after[number]} for number, row in enumerate(rows(80))])
    old = ["row_id,label", *(f"{row},negative" for row in before[:3])]
    new = ["row_id,label", *(f"{row},negative" for row in after[:2]), f"{before[5]},positive"]
    with pytest.raises(
        SourceError, match=r"3 of the 3 rows that data\.corrections names in corrections-0\.csv"
    ) as raised:
        validate(_spec(tmp_path, old, new), made, home)
    assert "Put data.columns back as they were" in raised.value.remedy
    # One row that is gone among others that are there is a warning, as ever.
    given = corrections.corrections_of(_spec(tmp_path, new), made, home.store)
    assert len(given.by_part[0]) == 2
    assert "1 of the row ids in data.corrections is of a row that was never read" in given.warnings[0]


def test_a_correction_ends_a_contradiction_and_mends_a_typo(home, tmp_path):
    some = with_row(with_row(rows(80), 3, text="The same text", label="negative"), 7, label="Postive")
    some = with_row(some, 4, text="The same text", label="positive")
    made, (ids,) = _ids(pipeline(), home, some)
    assert validate(pipeline(), made, home).quarantined == 3
    spec = _spec(tmp_path, ["row_id,label", f"{ids[4]},negative", f"{ids[7]},positive"])
    data = validate(spec, made, home)
    assert data.quarantined == 0
    assert _good(home, data)[ids[7]]["label"] == "positive"


def test_a_run_with_new_corrections_is_another_run(home, tmp_path, monkeypatch):
    monkeypatch.setattr(base_model, "find_base_model", lambda spec: SimpleNamespace(revision="0"))
    made, ((first, *_),) = _ids(pipeline(), home, rows(80))
    line = f"{first},positive"
    keys = [run_key.run_key_of(spec, made) for spec in (pipeline(), _spec(tmp_path, ["row_id,label"]))]
    assert keys[0] == keys[1]
    assert run_key.run_key_of(_spec(tmp_path, ["row_id,label", line]), made) != keys[0]


def test_the_wrong_ones_are_told_with_their_lines(home, tmp_path):
    made, ((first, second, *_),) = _ids(pipeline(), home, rows(80))
    spec = _spec(tmp_path, ["row_id,label", f"{first},Postive", f"{second},positive", f"{second},bad"])
    with pytest.raises(SourceError) as caught:
        validate(spec, made, home)
    assert "corrections-0.csv, line 2: 'Postive' is not one of: negative, positive; did you mean 'positive'?" in str(
        caught.value
    )
    assert "line 4: 'bad'" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no file"),
        (b"row_id,lable\n1,a\n", "no column 'label'"),
        (b"", "is empty"),
        (b"row_id,label\n1,\xff\n", "not UTF-8"),
        (b"row_id,label\n1,positive,x\n", "has 3 cells"),
    ],
)
def test_a_file_that_is_none_is_refused(home, tmp_path, content, said):
    spec = pipeline(corrections="mended.csv").located(tmp_path)
    if content is not None:
        (tmp_path / "mended.csv").write_bytes(content)
    with pytest.raises(SourceError, match=said) as caught:
        validate(spec, snapshot(spec, home, rows(80)), home)
    assert "mended.csv" in str(caught.value)


def test_files_as_spreadsheets_save_them_are_read(tmp_path):
    with (tmp_path / "saved.csv").open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(["text", "row_id", "label"])
        writer.writerow(["two\nlines; and more", "'=a", " positive "])
    spec = pipeline(corrections=["saved.csv"]).located(tmp_path)
    assert corrections.read_corrections(spec) == {"=a": "positive"}


def _of_kind(tmp_path, kind, *cells, labels=("a", "b")):
    spec = _spec(tmp_path, ["row_id,label", *(f'r{number},"{cell}"' for number, cell in enumerate(cells))])
    data = spec.data.model_copy(update={"labels": labels})
    return corrections.read_corrections(spec.model_copy(update={"kind": kind, "data": data}).located(tmp_path))


def test_each_kind_reads_its_own_cells(tmp_path):
    assert _of_kind(tmp_path, "multi-label", "b|a", "[]", "a", "drop") == {
        "r0": ["a", "b"],
        "r1": [],
        "r2": ["a"],
        "r3": None,
    }
    assert _of_kind(tmp_path, "regression", "2.5", "1e3", labels=()) == {"r0": 2.5, "r1": 1000.0}
    assert _of_kind(tmp_path, "token-classification", "drop", "[Ann](a) met [Bo](b)", "Nobody came", "[]") == {
        "r0": None,
        "r1": [{"start": 0, "end": 3, "label": "a"}, {"start": 8, "end": 10, "label": "b"}],
        "r2": [],
        "r3": [],
    }
    assert _of_kind(tmp_path, "text-classification", "drop", labels=("drop", "b")) == {"r0": "drop"}
    for kind, cell in (("multi-label", "c"), ("regression", "many"), ("token-classification", "[x](c)")):
        with pytest.raises(SourceError, match="line 2"):
            _of_kind(tmp_path, kind, cell)


def test_a_label_that_a_spreadsheet_wrote_otherwise_is_the_label(home, tmp_path):
    made, ((first, second, third, *_),) = _ids(pipeline(), home, rows(80))
    lines = [f"{first},POSITIVE", f"{second},Negative", f"{third},Drop"]
    spec = _spec(tmp_path, ["row_id,label", *lines])
    assert corrections.read_corrections(spec) == {first: "positive", second: "negative", third: None}
    good = _good(home, validate(spec, made, home))
    assert (good[first]["label"], good[second]["label"], third in good) == ("positive", "negative", False)


def test_ids_that_a_column_of_floats_wrote_are_those_of_the_rows(home, tmp_path):
    numbered = [row | {"row_id": str(1000 + number)} for number, row in enumerate(rows(80))]
    spec = _spec(tmp_path, ["row_id,label", "1000.0,drop", " 1001 ,drop", "1002,drop"])
    data, told = _told(spec, snapshot(spec, home, numbered), home)
    assert not {"1000", "1001", "1002"} & _good(home, data).keys()
    assert "3 are taken out" in told


@pytest.mark.parametrize(("words", "labels", "meant"), [("TRUE", ("true",), "true"), ("1.0", ("1", "2"), "1")])
def test_words_name_one_label(words, labels, meant):
    assert known_label(words, labels) == meant


def test_words_that_name_two_labels_are_told():
    with pytest.raises(ValueError, match="'It' is not one of: IT, it"):
        known_label("It", ("IT", "it"))
