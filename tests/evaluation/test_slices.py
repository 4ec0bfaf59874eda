"""Slices: which test rows are judged by themselves."""

import itertools
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from notes import Notes
from slice_data import START, spec_of, table

from perennial.core.progress import heard_by
from perennial.evaluation import slices
from perennial.evaluation.from_answers import evaluation_of
from perennial.evaluation.stored_answers import Answers
from perennial.records.evaluation import EvaluationContext

CELLS = st.one_of(st.none(), st.text(max_size=8), st.sampled_from(["banks", "energy", " ", "a" * 90]))
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "text": st.text(max_size=12),
            "label": st.sampled_from(["negative", "positive"]),
            "sector": CELLS,
            "time": st.integers(0, 5).map(lambda day: START + timedelta(days=day)),
        }
    ),
    min_size=1,
    max_size=60,
)


def _of(found: dict[str, np.ndarray], start: str) -> list[np.ndarray]:
    return [inside for name, inside in found.items() if name.startswith(start)]


@given(ROWS)
def test_a_row_is_in_exactly_one_slice_of_each_sort(rows):
    spec = spec_of()
    found = slices.memberships(spec, table(spec, rows))
    for start in ("sector", "length: ", "time: ", "label="):
        cut = _of(found, start)
        assert not cut or (np.sum(cut, axis=0) == 1).all()
        assert all(inside.any() for inside in cut) or start == "label="
    assert len(_of(found, "sector")) >= 1
    assert {slices.slice_dimension(spec, name) for name in found} <= {"sector", "length", "time", "label"}


@given(ROWS)
def test_quarters_are_in_order_and_equal_values_are_together(rows):
    spec = spec_of()
    found = slices.memberships(spec, table(spec, rows))
    for start, names, values in (
        ("length: ", slices.LENGTHS, [len(row["text"]) for row in rows]),
        ("time: ", slices.TIMES, [row["time"] for row in rows]),
    ):
        cut = [found[start + name] for name in names if start + name in found]
        held = [{value for value, there in zip(values, inside, strict=True) if there} for inside in cut]
        assert all(max(one) < min(other) for one, other in itertools.pairwise(held))
        assert bool(cut) == (len(set(values)) > 1)


@given(ROWS, st.randoms())
def test_slices_do_not_depend_on_the_order_of_the_rows(rows, draw):
    spec = spec_of()
    order = list(range(len(rows)))
    draw.shuffle(order)
    found = slices.memberships(spec, table(spec, rows))
    again = slices.memberships(spec, table(spec, [rows[place] for place in order]))
    assert list(found) == list(again)
    assert all((found[name][order] == again[name]).all() for name in found)


def test_quarters_are_equal_where_values_differ():
    spec = spec_of(columns=())
    rows = table(spec, [{"text": "x" * number} for number in range(1, 41)])
    found = slices.memberships(spec, rows)
    assert {name: int(inside.sum()) for name, inside in found.items() if not name.startswith("label")} == {
        **{f"length: {name}": 10 for name in slices.LENGTHS},
        **{f"time: {name}": 10 for name in slices.TIMES},
    }
    assert found["length: shortest quarter"][:10].all()
    assert found["time: oldest quarter"][:10].all()
    told = slices.bounds(spec, rows)
    assert told["length: longest quarter"] == "31 to 40 characters"
    assert told["time: oldest quarter"] == "2026-01-01T00:00:00Z to 2026-01-10T00:00:00Z"


def test_without_times_there_are_no_slices_by_time():
    spec = spec_of(columns=())
    found = slices.memberships(spec, table(spec, [{"time": None, "text": "x" * number} for number in range(8)]))
    assert not _of(found, "time")
    assert len(_of(found, "length")) == 4


def test_rows_without_a_time_are_told_apart():
    spec = spec_of(columns=())
    found = slices.memberships(spec, table(spec, [{}, {"time": None}, {}, {}]))
    assert found["time: none given"].tolist() == [False, True, False, False]
    assert found["time: oldest quarter"].tolist() == [True, False, False, False]


def test_values_are_named_and_blank_ones_are_none():
    spec = spec_of()
    cells = ["banks", " banks ", None, "", "  ", "oil\nand gas", "x" * 100]
    found = slices.memberships(spec, table(spec, [{"sector": cell} for cell in cells]))
    assert found["sector=banks"].tolist() == [True, True, *[False] * 5]
    assert found["sector: none given"].tolist() == [False, False, True, True, True, False, False]
    assert found["sector=oil and gas"].sum() == found[f"sector={'x' * 59}…"].sum() == 1


def test_a_column_of_many_values_keeps_the_commonest():
    spec, notes = spec_of(), Notes()
    cells = [f"v{number:02}" for number in range(40) for _ in range(1 + (number < 30))]
    with heard_by(notes):
        found = slices.memberships(spec, table(spec, [{"sector": cell} for cell in cells]))
    assert len(_of(found, "sector")) == slices.MAX_VALUES + 1
    assert found["sector: all other values"].sum() == 10
    assert "'sector' has 40 values" in notes.messages[0]
    assert "the other 10" in notes.messages[0]


LABELLED = {
    "text-classification": (["negative", "positive", "negative"], {"negative": [0, 2], "positive": [1]}),
    "text-pair": (["negative", "positive", "negative"], {"negative": [0, 2], "positive": [1]}),
    "multi-label": ([["negative", "positive"], [], ["positive"]], {"negative": [0], "positive": [0, 2]}),
    "token-classification": (
        [[{"start": 0, "end": 1, "label": "positive"}] * 2, [], [{"start": 0, "end": 1, "label": "negative"}]],
        {"negative": [2], "positive": [0]},
    ),
}


@pytest.mark.parametrize("kind", LABELLED)
def test_by_label_are_the_rows_that_hold_it(kind):
    targets, expected = LABELLED[kind]
    spec = spec_of(kind)
    target = "spans" if kind == "token-classification" else "label"
    found = slices.memberships(spec, table(spec, [{target: value} for value in targets]))
    held = {name: np.flatnonzero(inside).tolist() for name, inside in found.items() if name.startswith("label")}
    assert held == {f"label={label}": rows for label, rows in expected.items()}


def test_numbers_have_no_labels_and_pairs_are_as_long_as_both_texts():
    spec = spec_of("regression")
    found = slices.memberships(spec, table(spec, [{"label": 1.0, "text": "x" * number} for number in range(4)]))
    assert not _of(found, "label")
    spec = spec_of("text-pair", slices=[("long", "text_length > 5")])
    rows = [{"text": "abc", "text_pair": "x" * number, "label": "negative"} for number in range(4)]
    assert slices.memberships(spec, table(spec, rows))["long"].tolist() == [False, False, False, True]


def test_each_slice_says_by_what():
    spec = spec_of(columns=("length", "sector", "label: x"), slices=[("profit", "text LIKE '%profit%'")])
    told = ("length: none given", "length: shortest quarter", "sector=a", "label: x=1", "label=positive", "profit")
    assert [slices.slice_dimension(spec, name) for name in told] == [
        *("length", "length", "sector", "label: x", "label", "expression")
    ]


def test_a_hundred_thousand_rows_are_cut_whole():
    spec = spec_of(slices=[("short", "text_length < 5")])
    rows = table(spec, [{"text": "x" * (number % 10), "label": "positive"} for number in range(1000)])
    many = pa.concat_tables([rows] * 100)
    found = slices.memberships(spec, many)
    assert found["short"].sum() == 50_000
    assert {len(inside) for inside in found.values()} == {100_000}


def test_slices_in_which_no_row_holds_a_label_are_measured_as_far_as_they_can_be():
    spec = spec_of("multi-label", slices=[("none held", "label = '[]'"), ("nobody", "0")])
    rows = table(spec, [{"label": held, "text": "x" * number} for number, held in enumerate([["positive"], []] * 10)])
    answer = {"labels": ["positive"], "scores": {"positive": 0.6, "negative": 0.4}}
    cut = slices.memberships(spec, rows)
    given = Answers(rows["row_id"].to_pylist(), rows["label"], [answer] * 20, None, {}, cut)
    found = {
        one.name: one.candidate
        for one in evaluation_of(spec, given, EvaluationContext(), digest="0", predictions_path="").slices
    }
    assert (found["none held"].n, found["none held"].values["exact_match"]) == (10, 0.0)
    assert (found["nobody"].n, found["nobody"].values) == (0, {})
