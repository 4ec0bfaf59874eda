"""Stored texts are cut into the same windows however they come, each once, versions by themselves."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
from health_tables import drawn, table
from hypothesis import given, settings
from hypothesis import strategies as st

from perennial.monitoring.health.windows import Bounds, WindowReader

SIZE = 10
STREAM = table(drawn(1, 57)[0])
NO_LABELS = pa.array([], pa.string())


def in_pieces(whole: pa.Table, cuts: list[int]) -> list[pa.Table]:
    ends = sorted({0, *(cut % (whole.num_rows + 1) for cut in cuts), whole.num_rows})
    return [whole.slice(a, b - a) for a, b in pairwise(ends)]


def ids(known: dict[str, list[Bounds]], tables: list[pa.Table]) -> list[list[str]]:
    return [window.table["id"].to_pylist() for window in WindowReader(SIZE, known, NO_LABELS).windows(tables)]


@settings(max_examples=12, deadline=None)
@given(st.lists(st.integers(0, 57), max_size=6), st.integers(0, 57))
def test_each_full_window_once_in_whatever_pieces(cuts: list[int], stop: int) -> None:
    whole = ids({}, [STREAM])
    assert whole == [STREAM["id"].to_pylist()[place : place + SIZE] for place in range(0, 50, SIZE)]
    first = WindowReader(SIZE, {}, NO_LABELS)
    windows = list(first.windows(in_pieces(STREAM.slice(0, stop), cuts)))
    bounds = {"1": [window.bounds for window in windows]}
    before = [window.table["id"].to_pylist() for window in windows]
    assert before + ids(bounds, in_pieces(STREAM, cuts)) == whole


def test_versions_are_cut_by_themselves() -> None:
    mixed = pa.concat_tables([STREAM.slice(0, 8), table(drawn(2, 25)[0], "2", first=100), STREAM.slice(8, 4)])
    reader = WindowReader(SIZE, {}, NO_LABELS)
    windows = [(window.model, window.table.num_rows) for window in reader.windows([mixed])]
    assert sorted(windows) == [("1", 10), ("2", 10), ("2", 10)]
    assert reader.latest == "1"


def test_texts_that_are_kept_no_more_shift_no_window() -> None:
    known = [window.bounds for window in WindowReader(SIZE, {}, NO_LABELS).windows([STREAM.slice(0, 25)])]
    assert ids({"1": known}, [STREAM.slice(15)]) == ids({"1": known}, [STREAM])
    # Even the last known text is gone: what was read later is new.
    assert ids({"1": known}, [STREAM.slice(23)])[0][0] == "t23"


def test_a_clock_that_was_set_back_hides_no_text_and_shows_none_twice() -> None:
    times = STREAM["read"].to_numpy()
    back = np.concatenate([times[:25] + np.timedelta64(30, "D"), times[25:]])
    stream = STREAM.set_column(3, "read", pa.array(back, STREAM.schema.field("read").type))
    known = [window.bounds for window in WindowReader(SIZE, {}, NO_LABELS).windows([stream.slice(0, 25)])]
    assert ids({"1": known}, in_pieces(stream, [7, 15, 22])) == ids({}, [stream])[2:]


def test_answers_to_labelled_texts_go_to_their_windows() -> None:
    known = [window.bounds for window in WindowReader(SIZE, {}, NO_LABELS).windows([STREAM.slice(0, 25)])]
    reader = WindowReader(SIZE, {"1": known}, pa.array(["t0", "t9", "t13", "t24", "elsewhere"]))
    list(reader.windows(in_pieces(STREAM, [5, 9, 12])))
    found = {number: sorted(answers) for number, answers in reader.answers["1"].items()}
    assert found == {0: ["t0", "t9"], 1: ["t13"]}
    answer = STREAM["label"][13].as_py()
    assert reader.answers["1"][1]["t13"] == answer
