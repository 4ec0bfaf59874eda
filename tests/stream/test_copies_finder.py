"""Copies in a stream: what is joined, what is not, for how long, in how much memory, and the same after a restart."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from benchmarks.copies.joining import joined
from benchmarks.copies.streams import Newsroom
from perennial.settings.monitor.copies import CopiesSpec
from perennial.stream.copies import CopyFinder, CopyMark
from perennial.stream.live_text import LiveText, stored_schema

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HEADLINE = "Harlow Foods to buy rival Kestrel Mills in $4.52 billion deal"


def texts(*written: str, minutes: float = 10) -> list[LiveText]:
    return [
        LiveText(str(number), text, NOON + timedelta(minutes=minutes * number)) for number, text in enumerate(written)
    ]


def tellings(*written: str, minutes: float = 10) -> list[tuple[str, str]]:
    marks = CopyFinder(CopiesSpec()).mark(texts(*written, minutes=minutes))
    return [(mark.story, mark.telling) for mark in marks]


@pytest.mark.parametrize(
    "copy",
    [
        HEADLINE,
        HEADLINE.upper(),
        HEADLINE.lower(),
        f"UPDATE 1-{HEADLINE}",
        f"LONDON, March 2 (Reuters) - {HEADLINE}.",
        f"{HEADLINE} - Financial Post",
        f"<b>{HEADLINE}</b>",
        f"“{HEADLINE}”!",
    ],
)
def test_what_agencies_and_outlets_add_makes_no_other_text(copy: str) -> None:
    (_, first), (story, telling) = tellings(HEADLINE, copy)
    assert (first, story) == ("first", "0")
    assert telling in ("copy", "near copy")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Harlow Foods shares rise 3% after results", "Harlow Foods shares rise 5% after results"),
        ("Workers at Harlow Foods in Leeds walk out over pay", "Workers at Kestrel Mills in Turin walk out over pay"),
        ("the market closed up 120 points in thin trade", "the market closed up 87 points in thin trade"),
        ("Analysts raise Harlow price target to $71", "Analysts raise Harlow price target to $75"),
        ("", ""),
        ("🙂", "🚀"),
    ],
)
def test_the_same_words_about_something_else_are_another_story(one: str, other: str) -> None:
    assert [telling for _, telling in tellings(one, other)] == ["first", "first"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "央行宣布下调存款准备金率百分之零点五以支持实体经济",
            "快讯:央行宣布下调存款准备金率百分之零点五以支持实体",
        ),
        ("ธนาคารกลางประกาศขึ้นอัตราดอกเบี้ยนโยบายอีกครั้งในวันนี้", "ธนาคารกลางประกาศขึ้นอัตราดอกเบี้ยนโยบายอีกครั้งวันนี้"),
    ],
)
def test_scripts_without_spaces_have_near_copies_too(one: str, other: str) -> None:
    assert tellings(one, other)[1] == ("0", "near copy")


def test_a_story_ends_some_days_after_it_was_told_last() -> None:
    days = CopiesSpec().days
    within, behind = (tellings(HEADLINE, HEADLINE, minutes=days * 24 * 60 + off)[1] for off in (-1, 1))
    assert within == ("0", "copy")
    assert behind == ("1", "first")


def test_small_steps_do_not_lead_from_a_story_to_another() -> None:
    words = [f"word{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]
    steps = [" ".join(words[at : at + 14]) for at in range(12)]
    found = tellings(*steps)
    assert found[1] == ("0", "near copy")
    assert found[-1][0] != "0"


def stream(count: int, *, even: bool = True) -> tuple[list[LiveText], list[Sequence[str]], dict[str, float]]:
    planted = Newsroom(5, even=even).stream(count, 400)
    live, named = [one.text for one in planted], [one.entities for one in planted]
    return live, named, joined(planted, CopyFinder(CopiesSpec()).mark(live, named))


def test_copies_and_retellings_of_a_stream_are_joined_and_look_alikes_are_not() -> None:
    _, _, shares = stream(1_500)
    assert shares["copy joined"] >= 0.95
    assert shares["near copy joined"] >= 0.93
    assert shares["retelling joined"] >= 0.78
    assert shares["wrong, of all joins"] <= 0.015


def stored(live: Sequence[LiveText], named: Sequence[Sequence[str]], marks: Sequence[CopyMark]) -> pa.Table:
    rows = [
        {"id": text.id, "text": text.text, "time": text.time, "story": mark.story, "telling": mark.telling,
         "entities": list(entities)}
        for text, entities, mark in zip(live, named, marks, strict=True)
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=stored_schema())


def test_a_restart_or_another_size_of_batches_changes_nothing() -> None:
    live, named, _ = stream(300)
    whole = CopyFinder(CopiesSpec()).mark(live, named)
    first = CopyFinder(CopiesSpec()).mark(live[:151], named[:151])
    again = CopyFinder(CopiesSpec())
    again.remember(stored(live[:151], named[:151], first))
    behind = [
        mark
        for at in range(151, len(live), 50)
        for mark in again.mark(live[at : at + 50], named[at : at + 50])
    ]  # fmt: skip
    assert first + behind == whole


def test_no_more_texts_are_remembered_than_asked_and_the_oldest_are_forgotten() -> None:
    finder = CopyFinder(CopiesSpec(most_remembered=1000))
    letters = "abcdefghij"
    written = [" ".join(letters[int(digit)] * 6 for digit in f"{number:05d}") for number in range(1300)]
    finder.mark([LiveText(str(number), text, NOON) for number, text in enumerate(written)])
    assert len(finder) <= 1000
    last = finder.mark([LiveText("again", written[-1], NOON)])
    assert last[0].telling == "copy"


def test_a_clock_that_goes_back_joins_nothing_wrongly_and_breaks_nothing() -> None:
    late = [LiveText("late", HEADLINE, NOON - timedelta(hours=5)), LiveText("old", HEADLINE, NOON - timedelta(days=30))]
    finder = CopyFinder(CopiesSpec())
    finder.mark(texts(HEADLINE))
    assert [mark.telling for mark in finder.mark(late)] == ["copy", "first"]


def test_long_texts_are_compared_by_their_beginning() -> None:
    article = f"{HEADLINE}. " + "The deal needs approval by regulators. " * 30
    assert tellings(article, article + "x" * 1_000_000)[1][0] == "0"
