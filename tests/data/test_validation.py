import csv
import gc
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from validation_data import files_of, pipeline, rows, snapshot, with_row

from perennial.core import progress
from perennial.core.errors import SpecError, ValidationError
from perennial.core.home import Home
from perennial.validation import judge, part_validation
from perennial.validation.expectations import NOT_BLANK
from perennial.validation.snapshot_validation import validate


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path / "home")


def _quarantined(home, part):
    with (home.store.root / part.quarantine_path).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def _good(home, part):
    return pq.read_table(home.store.root / part.path)


def _failure(spec, home, *parts):
    with pytest.raises(ValidationError) as caught:
        validate(spec, snapshot(spec, home, *parts), home)
    return str(caught.value)


def _refusal(home, *expectations):
    spec = pipeline(expectations=list(expectations))
    with pytest.raises(SpecError) as caught:
        validate(spec, snapshot(spec, home, rows(80)), home)
    return str(caught.value)


def test_good_rows_pass_whole(home):
    spec = pipeline()
    found = validate(spec, snapshot(spec, home, rows(80)), home)
    assert found.rows == {"train": 40, "validation": 20, "test": 20}
    assert found.label_rows["test"] == {"negative": 10, "positive": 10}
    assert (found.quarantined, found.warnings, found.parts[0].quarantine_path) == (0, (), None)
    source = pq.read_table(home.store.root / found.parts[0].source.path)
    assert _good(home, found.parts[0]).equals(source)


BAD_ROWS = [
    ({"text": None}, "text is missing"),
    ({"text": ""}, "text is blank"),
    ({"text": " \t\n\u3000\u00a0"}, "text is blank"),
    ({"text": "profit\x00warning"}, "text holds a NUL character"),
    ({"text": "x" * 10_000_000}, "text is longer than 100,000 characters (data.max_text_length)"),
    ({"label": None}, "label is missing"),
    ({"label": "Postive"}, "label is not one of: negative, positive"),
]


def test_each_bad_row_is_set_aside_with_its_reason(home):
    spec, some = pipeline(), rows(80)
    for place, (columns, _) in enumerate(BAD_ROWS, 3):
        some = with_row(some, place, **columns)
    found = validate(spec, snapshot(spec, home, some), home)
    part = found.parts[0]
    assert (part.rows, part.quarantined, found.quarantined) == (73, 7, 7)
    bad = _quarantined(home, part)
    assert [row["reason"] for row in bad] == [reason for _, reason in BAD_ROWS]
    assert [(row["file"], row["line"]) for row in bad] == [("news.csv", str(line)) for line in range(4, 11)]
    assert not {row["row_id"] for row in bad} & set(_good(home, part)["row_id"].to_pylist())


def test_several_reasons_are_joined(home):
    spec = pipeline()
    found = validate(spec, snapshot(spec, home, with_row(rows(80), 3, text=" ", label="?")), home)
    (row,) = _quarantined(home, found.parts[0])
    assert row["reason"] == "text is blank; label is not one of: negative, positive"


def test_the_quarantine_opens_in_a_spreadsheet(home):
    spec = pipeline(columns={"slices": ["sector"]})
    some = [row | {"sector": "banks"} for row in rows(80)]
    some = with_row(some, 1, text='=HYPERLINK("x")', label="?")
    some = with_row(some, 2, text='two\nlines, "quoted" – ß', label="?")
    found = validate(spec, snapshot(spec, home, with_row(some, 3, text="x" * 200_000)), home)
    path = home.store.root / found.parts[0].quarantine_path
    assert path.read_bytes().startswith(b"\xef\xbb\xbfrow_id,file,line,reason,")
    formula, quoted, long = _quarantined(home, found.parts[0])
    assert formula["text"] == '\'=HYPERLINK("x")'
    assert (quoted["text"], quoted["sector"]) == ('two\nlines, "quoted" – ß', "banks")
    assert len(long["text"]) < 32_767
    assert "200,000 characters" in long["text"]


def test_rows_of_a_part_that_contradict_each_other_are_all_set_aside(home):
    spec = pipeline()
    some = with_row(with_row(rows(80), 1, text="Twice", label="negative"), 5, text="twice ", label="positive")
    found = validate(spec, snapshot(spec, home, some), home)
    one, other = _quarantined(home, found.parts[0])
    assert (one["line"], other["line"]) == ("2", "6")
    assert one["reason"] == "the same text has another label at news.csv:6"
    assert other["reason"] == "the same text has another label at news.csv:2"


def test_the_newer_of_two_parts_that_contradict_each_other_gives_way(home):
    spec = pipeline()
    old = with_row(rows(80), 1, text="Twice", label="negative")
    new = with_row(rows(8, 80, file="more.csv"), 3, text="twice", label="positive")
    found = validate(spec, snapshot(spec, home, old, new), home)
    assert [part.quarantined for part in found.parts] == [0, 1]
    (row,) = _quarantined(home, found.parts[1])
    assert (row["file"], row["reason"]) == ("more.csv", "the same text has another label at news.csv:2")


def test_a_repeated_text_with_the_same_label_is_no_contradiction(home):
    spec = pipeline()
    old = with_row(with_row(rows(80), 1, text="Twice", label="negative"), 2, text="Twice", label="negative")
    new = with_row(rows(8, 80), 3, text="twice", label="negative")
    assert validate(spec, snapshot(spec, home, old, new), home).quarantined == 0


def test_a_mended_label_does_not_fail_by_the_typo_it_mends(home):
    spec = pipeline()
    old = with_row(rows(80), 1, text="Once", label="Postive")
    new = with_row(rows(8, 80), 3, text="Once", label="positive")
    found = validate(spec, snapshot(spec, home, old, new), home)
    assert [part.quarantined for part in found.parts] == [1, 0]


def test_too_large_a_share_stops_the_run_and_keeps_the_file(home):
    spec = pipeline(max_quarantined=0.05)
    some = [row | {"label": "Postive"} if row["line"] <= 6 else row for row in rows(80)]
    message = _failure(spec, home, with_row(some, 70, text=None))
    assert "more than 5.00% of the rows are quarantined (data.max_quarantined); seen: 7 of all 80 rows" in message
    assert "6 × label is not one of: negative, positive (news.csv:1, news.csv:2, news.csv:3 and 3 more)" in message
    assert "1 × text is missing (news.csv:71)" in message
    assert "'Postive' 6 × (did you mean 'positive'?)" in message
    (entry,) = files_of(home, part_validation.STEP)
    assert str(entry / "quarantine.csv") in message
    assert (entry / "quarantine.csv").is_file()
    assert "raise data.max_quarantined" in message


def test_too_large_a_share_of_the_new_rows_stops_the_run(home):
    spec = pipeline(max_quarantined=0.05)
    old, new = rows(400), with_row(rows(8, 400), 3, label="neutral")
    validate(spec, snapshot(spec, home, old), home)
    message = _failure(spec, home, old, new)
    assert "1 of new 8 rows" in message
    assert "of all" not in message
    # It does so again: failing once makes no row an old one.
    assert _failure(spec, home, old, new) == message


def test_a_column_of_texts_taken_for_labels_is_not_shown(home):
    spec = pipeline(max_quarantined=0.05)
    message = _failure(spec, home, [row | {"label": f"SECRET {row['line']}"} for row in rows(80)])
    assert "is 'label' the column of the labels (data.columns.label)?" in message
    assert "SECRET" not in message


def test_ten_rows_in_all(home):
    message = _failure(pipeline(), home, rows(10))
    assert "2 expectations of severity critical" in message
    assert "there are fewer than 50 rows in all (data.min_rows); seen: 10" in message
    assert "negative, validation: 1" in message


def test_one_label_only(home):
    message = _failure(pipeline(), home, rows(80, label="negative"))
    assert "a label has fewer than 2 rows in a split (data.min_rows_per_label)" in message
    assert "positive, train: 0; positive, validation: 0; positive, test: 0" in message


def test_no_rows_at_all(home):
    assert "there are fewer than 50 rows in all" in _failure(pipeline(), home)
    assert "there are fewer than 50 rows in all" in _failure(pipeline(), home, [])


def test_a_part_without_a_column_is_refused(home):
    spec = pipeline(columns={"slices": ["sector"]})
    made = snapshot(pipeline(), home, rows(80))
    with pytest.raises(ValidationError, match=r"lacks 'sector' in part 1"):
        validate(spec, made, home)


def test_shifted_label_shares_warn(home):
    spec = pipeline()
    old, new = rows(200), rows(60, 200, label="negative")
    validate(spec, snapshot(spec, home, old), home)
    found = validate(spec, snapshot(spec, home, old, new), home)
    (warning,) = found.warnings
    assert "further than 0.25 (data.max_label_shift" in warning
    assert "'negative' 50% → 100%" in warning


@pytest.mark.parametrize("new_rows", [40, 60])
def test_like_label_shares_and_few_rows_do_not_warn(home, new_rows):
    spec = pipeline()
    label = {"label": "negative"} if new_rows < 50 else {}
    old, new = rows(200), rows(new_rows, 200, **label)
    validate(spec, snapshot(spec, home, old), home)
    assert validate(spec, snapshot(spec, home, old, new), home).warnings == ()


SHORT = {"type": "expect_column_value_lengths_to_be_between", "column": "text", "min_value": 10}


def test_severity_critical_stops_and_names_all_failures_and_places(home):
    few = {"type": "expect_table_row_count_to_be_between", "max_value": 5}
    spec = pipeline(expectations=[SHORT, few])
    some = with_row(with_row(rows(80), 3, text="brief"), 40, text="terse")
    message = _failure(spec, home, some)
    assert "breaks 2 expectations of severity critical" in message
    assert "(data.expectations[0]): 2 of 80 rows (news.csv:4, news.csv:41)" in message
    assert "min_value=10) is not met" in message
    assert "(data.expectations[1]); seen: 80" in message
    assert "severity: warning" in message


def test_severity_warning_sets_rows_aside_or_warns(home):
    mean = {"type": "expect_column_unique_value_count_to_be_between", "column": "label", "min_value": 3}
    spec = pipeline(expectations=[SHORT | {"severity": "warning"}, mean | {"severity": "warning"}])
    found = validate(spec, snapshot(spec, home, with_row(rows(80), 3, text="brief")), home)
    assert found.quarantined == 1
    (warning,) = found.warnings
    assert warning.startswith("In part 1, expect_column_unique_value_count_to_be_between(column='label', min_value=3)")
    assert "seen: 2" in warning


def test_severity_info_is_only_reported(home):
    spec = pipeline(expectations=[SHORT | {"severity": "info"}])
    found = validate(spec, snapshot(spec, home, with_row(rows(80), 3, text="brief")), home)
    assert (found.quarantined, found.warnings) == (0, ())
    figures = json.loads((home.store.root / found.report_path / "validation.json").read_text())
    (told,) = (one for one in figures["expectations"] if one["severity"] == "info")
    assert (told["success"], told["unexpected"], told["places"][0]["line"]) == (False, 1, 4)


def test_a_share_let_pass_by_mostly_is_not_set_aside(home):
    spec = pipeline(expectations=[SHORT | {"severity": "warning", "mostly": 0.9}])
    assert validate(spec, snapshot(spec, home, with_row(rows(80), 3, text="brief")), home).quarantined == 0


def test_an_expectation_on_several_columns_sets_rows_aside(home):
    unique = {"type": "expect_compound_columns_to_be_unique", "column_list": ["text", "label"], "severity": "warning"}
    spec = pipeline(expectations=[unique])
    some = with_row(with_row(rows(80), 1, text="Twice"), 2, text="Twice")
    assert validate(spec, snapshot(spec, home, some), home).quarantined == 2


@pytest.mark.parametrize(
    ("expectation", "told"),
    [
        ({"type": "expect_column_value_to_not_be_null", "column": "text"}, "mean expect_column_values_to_not_be_null?"),
        ({"type": "expect_column_values_to_match_regex", "column": "text", "regexp": "a"}, "regexp: extra fields"),
        ({"type": "expect_column_values_to_be_null", "column": "body"}, "names the column 'body'"),
        ({"type": "expect_compound_columns_to_be_unique", "column_list": ["text", "id"]}, "names the column 'id'"),
        ({"type": "expect_column_values_to_match_regex", "column": "text", "regex": "("}, "unterminated subpattern"),
        ({"type": "expect_column_mean_to_be_between", "column": "text", "min_value": 1}, "evaluated on part 1"),
        ({"type": "unexpected_rows_expectation", "unexpected_rows_query": "SELECT 1"}, "evaluated on part 1"),
    ],
)  # fmt: skip
def test_an_expectation_that_can_not_be_is_refused(home, expectation, told):
    message = _refusal(home, SHORT | {"severity": "info"}, expectation)
    assert "data.expectations[1]" in message
    assert told in message


def test_an_expectation_that_fails_on_a_value_does_not_tell_it(home):
    schema = {"type": "expect_column_values_to_match_json_schema", "column": "text", "json_schema": {"type": "object"}}
    message = _refusal(home, schema)
    assert "data.expectations[0]" in message
    assert "company" not in message


def test_a_part_validated_before_is_not_read_again(home, monkeypatch):
    spec = pipeline()
    old, new = rows(80), rows(8, 80)
    first = validate(spec, snapshot(spec, home, old), home)
    read = []
    table = part_validation._rows
    monkeypatch.setattr(
        part_validation, "_rows", lambda spec, path, columns: read.append(path.name) or table(spec, path, columns)
    )
    second = validate(spec, snapshot(spec, home, old, new), home)
    assert set(read) == {"1.parquet"}
    assert second.parts[0] == first.parts[0]
    assert second.digest != first.digest
    assert sum(second.rows.values()) == 88
    assert len(files_of(home, part_validation.STEP)) == 2


def test_no_table_is_left_for_the_next_part(home, monkeypatch):
    monkeypatch.setattr(judge, "LARGE_TABLE", 1)
    spec = pipeline()
    made = snapshot(spec, home, rows(80), rows(8, 80))
    gc.collect()
    gc.disable()
    try:
        validate(spec, made, home)
        assert not [found for found in gc.get_objects() if isinstance(found, pd.DataFrame) and len(found) >= 8]
    finally:
        gc.enable()


def test_arrow_reads_blank_as_python_does():
    characters = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]
    by_arrow = pc.match_substring_regex(pa.array(characters), NOT_BLANK).to_pylist()
    assert by_arrow == [re.match(r"\S", character) is not None for character in characters]
    assert by_arrow == [re.match(NOT_BLANK, character) is not None for character in characters]


def test_other_limits_do_not_validate_parts_again(home, monkeypatch):
    made = snapshot(pipeline(), home, rows(80))
    before = validate(pipeline(), made, home)
    monkeypatch.setattr(part_validation, "validate_part", None)
    assert validate(pipeline(min_rows=60), made, home).digest == before.digest


def test_the_same_rows_give_the_same_bytes(home, tmp_path):
    spec = pipeline()
    some = with_row(rows(80), 3, text=None)
    other = Home(tmp_path / "other")
    one = validate(spec, snapshot(spec, home, some), home)
    assert one == validate(spec, snapshot(spec, other, some), other)


_AGAIN = """
import sys
from pathlib import Path
from perennial.records.data import Snapshot
from perennial.validation.snapshot_validation import validate
from perennial.core.home import Home
from perennial.settings.pipeline import PipelineSpec
spec = PipelineSpec.model_validate_json(sys.argv[1])
print(validate(spec, Snapshot.model_validate_json(sys.argv[2]), Home(Path(sys.argv[3]))).model_dump_json())
assert not {"great_expectations", "pandas", "duckdb"} & set(sys.modules), sorted(sys.modules)
"""


def test_what_is_stored_needs_no_great_expectations(home):
    spec = pipeline()
    made = snapshot(spec, home, with_row(rows(80), 3, text=None))
    found = validate(spec, made, home)
    arguments = [spec.model_dump_json(), made.model_dump_json(), str(home.root)]
    again = subprocess.run([sys.executable, "-c", _AGAIN, *arguments], capture_output=True, text=True, check=True)
    assert again.stdout.strip() == found.model_dump_json()


def test_great_expectations_leaves_and_says_nothing(home, tmp_path, monkeypatch, capfd):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    monkeypatch.chdir(scratch)
    spec = pipeline()
    validate(spec, snapshot(spec, home, with_row(rows(80), 3, text=None)), home)
    assert list(scratch.iterdir()) == []
    assert capfd.readouterr() == ("", "")
    assert os.environ["GX_ANALYTICS_ENABLED"] == "false"


def test_progress_is_told_part_by_part(home):
    class Heard(progress.Silent):
        def __init__(self):
            self.parts, self.notes = [], []

        def advance(self, done, total, unit, detail):
            self.parts.append((done, total, unit))

        def note(self, message):
            self.notes.append(message)

    spec, heard = pipeline(), Heard()
    with progress.heard_by(heard):
        validate(spec, snapshot(spec, home, rows(80), with_row(rows(8, 80), 3, text=None)), home)
    assert heard.parts == [(0, 2, "parts"), (1, 2, "parts"), (2, 2, "parts")]
    assert heard.notes == ["part 2: 1 of 8 rows quarantined: text is missing (1)"]


def test_relative_paths_lead_into_the_store(home):
    spec = pipeline()
    found = validate(spec, snapshot(spec, home, with_row(rows(80), 3, text=None)), home)
    for path in (found.report_path, found.parts[0].path, found.parts[0].quarantine_path):
        assert not Path(path).is_absolute()
        assert (home.store.root / path).exists()
