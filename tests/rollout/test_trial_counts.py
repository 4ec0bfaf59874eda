"""What a trial counts: once, for all servers of a home, and still there after a restart."""

import multiprocessing
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from perennial.core.errors import StoreError
from perennial.core.home import Home
from perennial.rollout import answers
from perennial.rollout.answers import UnreadableLabelError, as_answer, decisive_part, harm, row_key
from perennial.rollout.assignment import is_in_share
from perennial.rollout.evidence import Outcomes
from perennial.rollout.trial_counts import FIRST_REQUESTS, ComparedRequest, ComparedRow, TrialCounts, trial_file
from perennial.rollout.verdict import DIFFERING, ERRORS, LABELS, SLOW, Finding

USERS = [f"user {number}" for number in range(4000)]


def row(number: int, champion: str, challenger: str, text: str = "") -> ComparedRow:
    key = row_key("salt", text or f"text {number}")
    return ComparedRow(f"request/{number}", key, {"label": champion}, {"label": challenger})


def request(*rows: ComparedRow, **more: Any) -> ComparedRequest:
    return ComparedRequest(rows, **more)


@pytest.fixture
def state(tmp_path: Path) -> TrialCounts:
    return TrialCounts(Home(tmp_path), "tiny")


def test_the_same_user_is_always_in_it_or_never_and_shares_are_as_large_as_said() -> None:
    for share in (0.1, 0.5):
        chosen = [user for user in USERS if is_in_share("a", user, share)]
        assert chosen == [user for user in USERS if is_in_share("a", user, share)]
        assert abs(len(chosen) / len(USERS) - share) < 0.03
    small, large = ({user for user in USERS if is_in_share("a", user, share)} for share in (0.1, 0.3))
    assert small < large
    other = {user for user in USERS if is_in_share("b", user, 0.1)}
    assert len(small & other) < 0.2 * len(small)  # another trial, other users
    assert all(is_in_share("a", user, 1.0) for user in USERS)


def test_a_text_counts_once_and_only_up_to_so_many_rows(state: TrialCounts) -> None:
    state.add("a", [request(row(1, "x", "x"), row(2, "x", "y"), row(3, "x", "y", text="text 2"))], 100)
    state.add("a", [request(row(4, "x", "y", text="text 2")), request(row(5, "y", "y"))], 100)
    assert state.counts("a")[DIFFERING] == Outcomes(1, 2, 0)
    assert state.counts("a")[ERRORS] == Outcomes(0, 3, 0)
    state.add("a", [request(row(6, "x", "y"), row(7, "x", "y"))], 4)
    assert state.counts("a")[DIFFERING].total == 4
    assert state.counts("b") == {}


def test_late_labels_are_joined_by_id_once(state: TrialCounts) -> None:
    state.add("a", [request(row(1, "x", "y"), row(2, "x", "y"), row(3, "x", "x"))], 100)
    joined = state.add_labels("a", {"request/1": "x", "request/2": "y", "request/3": "z", "request/9": "x"})
    assert (joined.counted, joined.unknown) == (3, 1)
    assert state.counts("a")[LABELS] == Outcomes(1, 1, 1)
    assert state.add_labels("a", {"request/1": "y", "request/3": {}}).again == 2
    assert state.counts("a")[LABELS] == Outcomes(1, 1, 1)


def test_slow_is_what_was_slow_for_the_champion_at_first(state: TrialCounts) -> None:
    first = [request(champion_seconds=number / 1000, challenger_seconds=9.0) for number in range(FIRST_REQUESTS)]
    state.add("a", first, 100)
    assert SLOW not in state.counts("a")
    times = [(0.001, 0.5), (0.5, 0.001), (0.001, 0.002), (0.5, 0.5)]
    state.add("a", [request(champion_seconds=one, challenger_seconds=other) for one, other in times], 100)
    assert state.counts("a")[SLOW] == Outcomes(1, 2, 1)


def test_who_starts_again_goes_on_and_who_has_ended_keeps_no_rows(state: TrialCounts, tmp_path: Path) -> None:
    state.add("a", [request(row(1, "x", "y"), challenger_failed=True)], 100)
    state.keep_findings("a", {ERRORS: Finding.WITHIN})
    again = TrialCounts(Home(tmp_path), "tiny")
    assert again.counts("a")[ERRORS] == Outcomes(1, 0, 0)
    assert again.findings("a") == {ERRORS: Finding.WITHIN}
    again.keep_rows_only_of("a")
    assert again.add_labels("a", {"request/1": "x"}).counted == 1
    again.keep_rows_only_of(None)
    assert again.add_labels("a", {"request/1": "x"}).unknown == 1
    assert again.counts("a")[DIFFERING] == Outcomes(1, 0, 0)


def add_many(folder: Path, start: int) -> None:
    state = TrialCounts(Home(folder), "tiny")
    for number in range(start, start + 40):
        state.add("a", [request(row(number, "x", "y"))], 10_000)


def test_servers_of_one_home_add_up(tmp_path: Path) -> None:
    processes = [
        multiprocessing.get_context("fork").Process(target=add_many, args=(tmp_path, start)) for start in (0, 20, 40)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    counts = TrialCounts(Home(tmp_path), "tiny").counts("a")
    assert counts[DIFFERING] == Outcomes(80, 0, 0)  # the same texts count once, whoever saw them
    assert counts[ERRORS].total == 120


def test_a_file_that_is_damaged_is_told_in_a_paragraph(state: TrialCounts, tmp_path: Path) -> None:
    trial_file(Home(tmp_path), "tiny").parent.mkdir()
    trial_file(Home(tmp_path), "tiny").write_bytes(b"no database" * 100)
    with pytest.raises(StoreError, match="can't be kept in"):
        state.counts("a")


def test_nothing_of_a_text_is_kept(state: TrialCounts, tmp_path: Path) -> None:
    spans = [{"start": 0, "end": 8, "label": "PLACE", "text": "zanzibar", "score": 0.5}]
    part = decisive_part({"spans": spans})
    state.add("a", [request(ComparedRow("1", row_key("salt", "zanzibar"), part, part))], 10)
    for file in trial_file(Home(tmp_path), "tiny").parent.iterdir():
        assert b"zanzibar" not in file.read_bytes()
    assert sqlite3.connect(trial_file(Home(tmp_path), "tiny")).execute("SELECT count(*) FROM compared").fetchone()


@pytest.mark.parametrize(
    ("answer", "label", "right"),
    [
        ({"label": "1", "score": 0.9, "scores": {}}, 1, True),
        ({"label": "1"}, 1.0, True),
        ({"label": "yes"}, "no", False),
        ({"labels": ["b", "a"], "scores": {}}, "a|b", True),
        ({"labels": []}, [], True),
        ({"labels": ["a"]}, ["a", "b"], False),
        ({"spans": [{"start": 0, "end": 2, "label": "X", "text": "ab"}]}, '[{"start":0,"end":2,"label":"X"}]', True),
        ({"spans": []}, [{"start": 0, "end": 2, "label": "X"}], False),
    ],
)
def test_labels_are_read_like_the_answers(answer: dict[str, Any], label: Any, right: bool) -> None:
    part = decisive_part(answer)
    assert answers.is_right(part, as_answer(label, part)) is right


def test_numbers_are_compared_by_how_near_they_are() -> None:
    truth = as_answer("2.5", {"value": 1})
    assert harm({"value": 2.0}, {"value": 4.0}, truth) == 1
    assert harm({"value": 4.0}, {"value": 2.4}, truth) == -1
    assert harm({"value": 2.4}, {"value": 2.6}, truth) in (-1, 0, 1)


@pytest.mark.parametrize(
    ("label", "like"), [({}, {"label": "a"}), (3, {"labels": []}), ("x", {"value": 1}), ("x", {"spans": []})]
)
def test_labels_of_another_shape_are_refused(label: Any, like: dict[str, Any]) -> None:
    with pytest.raises(UnreadableLabelError):
        as_answer(label, like)
