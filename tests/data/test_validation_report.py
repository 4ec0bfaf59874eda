import json
import re

import pytest
from validation_data import files_of, pipeline, rows, snapshot, with_row

from perennial.core.errors import ValidationError
from perennial.core.home import Home
from perennial.validation import validation_report
from perennial.validation.snapshot_validation import validate

OBSERVED = [
    {"type": "expect_column_most_common_value_to_be_in_set", "column": "text", "value_set": ["x"], "severity": "info"},
    {"type": "expect_column_distinct_values_to_be_in_set", "column": "text", "value_set": ["x"], "severity": "info"},
    {"type": "expect_column_values_to_be_unique", "column": "text", "severity": "info"},
    {"type": "expect_column_values_to_match_regex", "column": "text", "regex": "^x", "severity": "info"},
]


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    home = Home(tmp_path_factory.mktemp("home"))
    spec = pipeline(expectations=OBSERVED)
    some = [row | {"text": f"SECRET {row['text']}"} for row in rows(80)]
    some = with_row(some, 3, text="SECRET\x00")
    some = with_row(some, 7, text="SECRET of all", label="?")
    some = with_row(with_row(some, 4, text="SECRET twice"), 8, text="SECRET twice")
    found = validate(spec, snapshot(spec, home, some, rows(8, 80)), home)
    return found, home.store.root / found.report_path


def test_the_report_holds_no_text(report):
    _, folder = report
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".html", ".json"}
    for path in files:
        assert "SECRET" not in path.read_text(encoding="utf-8")


def test_records_in_the_store_hold_no_text(report):
    for path in report[1].parents[2].glob("*/*/record.json"):
        assert "SECRET" not in path.read_text(encoding="utf-8")


def test_figures_name_rows_and_counts(report):
    found, folder = report
    figures = json.loads((folder / "validation.json").read_text(encoding="utf-8"))
    assert figures["success"] is True
    assert (figures["parts"], figures["quarantined"]) == (2, 4)
    assert figures["quarantined_by_reason"] == {
        "the same text has another label elsewhere": 2,
        "text holds a NUL character": 1,
        "label is not one of: negative, positive": 1,
    }
    assert figures["label_rows"] == found.label_rows
    assert figures["versions"]["great_expectations"].startswith("1.")
    (nul,) = (one for one in figures["expectations"] if one["fault"] == "text holds a NUL character")
    assert (nul["rows"], nul["unexpected"], nul["severity"]) == (88, 1, "warning")
    (place,) = nul["places"]
    assert (place["file"], place["line"], len(place["row_id"])) == ("news.csv", 4, 32)
    (regex,) = (one for one in figures["expectations"] if one["origin"] == "data.expectations[3]")
    assert (regex["unexpected"], len(regex["places"])) == (88, 20)


def test_pages_need_no_network(report):
    _, folder = report
    for page in folder.glob("*.html"):
        html = page.read_text(encoding="utf-8")
        assert "<style>" in html
        assert not re.search(r"<script|<img|<link|https?://|@import|url\(", html), page.name


def test_the_index_leads_to_every_page(report):
    _, folder = report
    links = set(re.findall(r'href="([^"#]+)"', (folder / "index.html").read_text(encoding="utf-8")))
    assert links == {"all-parts.html", "part-0001.html", "part-0002.html", "validation.json"}
    assert all((folder / link).is_file() for link in links)
    page = (folder / "part-0001.html").read_text(encoding="utf-8")
    assert 'href="index.html"' in page
    assert "Expectation Validation Result" in page
    assert "values must belong to this set" in page


def test_older_parts_lose_their_pages_first(tmp_path, monkeypatch):
    monkeypatch.setattr(validation_report, "MAX_PAGES", 1)
    home, spec = Home(tmp_path), pipeline()
    found = validate(spec, snapshot(spec, home, rows(80), rows(8, 80)), home)
    folder = home.store.root / found.report_path
    assert sorted(path.name for path in folder.glob("part-*")) == ["part-0002.html"]
    assert "1 older parts have no page here" in (folder / "index.html").read_text(encoding="utf-8")


def test_a_failed_validation_leaves_its_report(tmp_path):
    home, spec = Home(tmp_path), pipeline()
    with pytest.raises(ValidationError) as caught:
        validate(spec, snapshot(spec, home, rows(10)), home)
    (entry,) = files_of(home, "validation-report")
    assert str(entry / "report" / "index.html") in str(caught.value)
    assert json.loads((entry / "report" / "validation.json").read_text())["success"] is False
