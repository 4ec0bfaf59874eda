"""Slices by expression: SQL over one row's columns, and nothing else."""

import pytest
import tiny_pipeline
from slice_data import spec_of, table

from perennial.core.errors import SpecError
from perennial.evaluation import slices
from perennial.pipeline_file import loader

TEXTS = ("Profit rose", "profit warning", "An unchanged outlook", "ein Ümlaut")
SECTORS = ("banks", None, "energy", "banks")


def _rows(spec):
    cells = zip(TEXTS, SECTORS, strict=True)
    return table(spec, [{"text": text, "sector": sector, "label": "negative"} for text, sector in cells])


HOLDS = [
    ("text LIKE '%profit%'", [1, 1, 0, 0]),
    ("text REGEXP '^P'", [1, 0, 0, 0]),
    ("text_length > 12 AND sector IS NOT NULL", [0, 0, 1, 0]),
    ("text_length = 10", [0, 0, 0, 1]),
    ("sector = 'banks' -- as the source has it", [1, 0, 0, 1]),
    ("sector <> 'banks'", [0, 0, 1, 0]),
    ("time >= '2026-01-03' OR text LIKE 'Profit%'", [1, 1, 1, 1]),
    ("time < '2026-01-01T00:00:01Z'", [1, 0, 0, 0]),
    ("strftime('%d', time) = '02'", [0, 1, 0, 0]),
    ("label IN ('negative')", [1, 1, 1, 1]),
    ("text = ')' OR sector = '(' /* ( */", [0, 0, 0, 0]),
]


@pytest.mark.parametrize(("where", "expected"), HOLDS, ids=[where for where, _ in HOLDS])
def test_the_rows_for_which_it_is_true(where, expected):
    spec = spec_of(slices=[("mine", where)])
    assert list(slices.problems(spec)) == []
    assert slices.memberships(spec, _rows(spec))["mine"].tolist() == [bool(one) for one in expected]


def test_lists_are_json():
    spec = spec_of(
        "multi-label", slices=[("good", "label LIKE '%\"positive\"%'"), ("two", "json_array_length(label) = 2")]
    )
    rows = table(spec, [{"label": ["positive"]}, {"label": []}, {"label": ["negative", "positive"]}])
    found = slices.memberships(spec, rows)
    assert (found["good"].tolist(), found["two"].tolist()) == ([True, False, True], [False, False, True])


REFUSED = [
    ("txt = 'a'", "no such column: txt; there are: text, label, time, text_length, sector"),
    ("text =", "syntax error"),
    ("text = 'a'; DROP TABLE rows", "syntax error"),
    ("text = 'a') OR (1", "brackets don't match"),
    ("1) /*", "brackets don't match"),
    ("1 /*", "incomplete input"),
    ("text IN (SELECT name FROM sqlite_master)", "subqueries prohibited"),
    ("count(*) > 1", "misuse of aggregate"),
    ("row_number() OVER () > 1", "misuse of window function"),
    ("random() > 0", "not authorized"),
    ("time > date('now', '-30 days')", "the same in every run"),
    ("time > CURRENT_TIMESTAMP", "the same in every run"),
    ("load_extension('/tmp/x.so')", "not authorized"),
    ("text = ?", "parameters prohibited"),
    ("ATTACH DATABASE '/tmp/x' AS y", "syntax error"),
    ("PRAGMA user_version", "syntax error"),
    ("text REGEXP '('", "regular expression"),
    ("zeroblob(9999999999) IS NULL", "too big"),
    ("nosuch(text)", "no such function: nosuch"),
]


@pytest.mark.parametrize(("where", "said"), REFUSED, ids=[where for where, _ in REFUSED])
def test_anything_else_is_a_problem_of_the_spec(where, said):
    ((place, text),) = slices.problems(spec_of(slices=[("mine", where)]))
    assert place == ("evaluation", "slices", 0, "where")
    assert "the slice 'mine'" in text
    assert said in text


def test_the_spec_names_the_line(tmp_path):
    own = [{"name": "good", "where": "text LIKE '%profit%'"}, {"name": "bad", "where": "txt LIKE '%profit%'"}]
    path = tiny_pipeline.write_settings(tmp_path, "base", evaluation={"slices": own})
    line = next(number for number, told in enumerate(path.read_text().splitlines(), 1) if "txt" in told)
    with pytest.raises(SpecError, match=f"pipeline.yaml:{line}: the slice 'bad' .*no such column: txt"):
        loader.read_pipeline(path)


def test_names_are_not_taken_twice():
    spec = spec_of(slices=[("mine", "1"), ("mine", "0"), ("sector=banks", "1"), ("time: oldest quarter", "1")])
    told = [text for _, text in slices.problems(spec)]
    assert ["more than once" in told[0], *("another name" in text for text in told[1:])] == [True] * 3


def test_an_expression_that_fails_on_a_row_names_its_slice_and_no_text():
    spec = spec_of(slices=[("broken", "json_extract(text, '$') = 1")])
    with pytest.raises(SpecError, match=r"slice 'broken'.*malformed JSON") as caught:
        slices.memberships(spec, _rows(spec))
    assert TEXTS[0] not in str(caught.value)


def test_a_slice_of_no_row_is_kept():
    spec = spec_of(slices=[("none", "text = 'nobody wrote this'")])
    assert slices.memberships(spec, _rows(spec))["none"].tolist() == [False] * 4
