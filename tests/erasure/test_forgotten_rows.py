"""Forgotten rows are gone from everything that a home keeps of rows; all others stay, and runs go on."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partialmethod
from pathlib import Path
from unittest.mock import patch

import pytest
from byte_search import holders
from erasure_data import People, day, leave_differing, person, stamp
from forking import forked

from perennial.core.errors import BusyError, SpecError, StoreError
from perennial.erasure import standing
from perennial.erasure.receipt import status_in_words
from perennial.erasure.request import GivenNames
from perennial.ingest import forgotten, snapshot_heads
from perennial.runs.lock import one_at_a_time

LEFT, STAYS = person(7), person(8)


def text_of(number: int) -> str:
    return str(day(number, 1)[0]["text"])


@pytest.fixture
def people(tmp_path: Path) -> People:
    made = People(tmp_path)
    made.write("first.jsonl", day(0, 60))
    made.read()
    return made


def test_a_row_is_gone_from_every_snapshot_and_the_others_stay(people: People) -> None:
    # An older head, of other settings; and a second part, which corrects one row and deletes another.
    path = snapshot_heads.head_path(people.spec, people.home)
    shutil.copy(path, path.with_name("snapshot-0123456789ab.json"))
    corrected = {**day(7, 1)[0], "text": "it was put right by a person", "published_at": stamp(100)}
    people.write("second.jsonl", [corrected, {**day(9, 1)[0], "gone": "yes", "published_at": stamp(101)}])
    people.read()
    leave_differing(people, LEFT, text_of(7))
    before = people.rows()
    words = [LEFT, text_of(7), "it was put right by a person"]
    assert {one.split("/")[1] for one in holders(people.home.root, words)} >= {"parts", "retired", "tiny"}

    looked = people.forget(LEFT, dry_run=True)
    assert (looked.rows, looked.dry_run, looked.finished) == (2, True, None)
    assert people.rows() == before
    receipt = people.forget(LEFT)
    assert receipt.finished
    assert not receipt.stays
    assert receipt.erased["rows of snapshots"] == 3
    assert "The source still has 2 of the rows" in receipt.yours[0]
    assert holders(people.home.root, words) == []
    assert people.rows() == {row_id: text for row_id, text in before.items() if row_id != LEFT}
    assert people.forget(LEFT).erased == receipt.erased
    (again,) = forgotten.read_forgotten(people.home.state("tiny")).requests
    assert again.number == 1


def test_what_comes_again_is_set_aside_and_counted(people: People) -> None:
    people.forget(LEFT, texts=[text_of(8)])
    people.write("first.jsonl", [*day(0, 60), *day(100, 2, 90)])
    people.write("again.jsonl", [{**day(200, 1, 95)[0], "text": f"  {text_of(8).upper()} "}])
    snapshot = people.read()
    assert (snapshot.forgotten_rows, snapshot.new_rows) == (3, 2)
    assert set(people.rows()) == {person(n) for n in range(60) if n not in (7, 8)} | {person(100), person(101)}
    assert holders(people.home.root, [LEFT, text_of(7), text_of(8), person(200)]) == []
    assert people.read(reread=True).forgotten_rows == 3
    # A deletion of a forgotten row says nothing any more.
    people.write("gone.jsonl", [{**day(7, 1)[0], "gone": "yes", "published_at": stamp(200)}])
    assert people.read().forgotten_rows == 1
    assert holders(people.home.root, [LEFT]) == []


def test_a_text_takes_its_copies_and_an_id_does_not(people: People) -> None:
    people.write("copy.jsonl", [{**day(300, 1, 90)[0], "text": text_of(7)}])
    people.read()
    people.forget(LEFT)
    assert person(300) in people.rows()
    people.forget(texts=[text_of(7)])
    assert person(300) not in people.rows()


def test_a_row_whose_correction_was_forgotten_stays_corrected_and_counts_once(people: People) -> None:
    """By its text the newer row goes alone: the older one was said to be wrong, and the next correction is the first
    to count."""
    people.write("second.jsonl", [{**day(7, 1)[0], "text": "the second word", "published_at": stamp(100)}])
    people.read()
    people.forget(texts=["the second word"])
    assert LEFT not in people.rows()
    people.write("third.jsonl", [{**day(7, 1)[0], "text": "the third word", "published_at": stamp(110)}])
    assert people.read().rows == 60
    assert people.rows()[LEFT] == "the third word"
    # The older one alone: what took its place stays.
    people.forget(texts=[text_of(7)])
    assert people.rows()[LEFT] == "the third word"
    people.write("fourth.jsonl", [{**day(7, 1)[0], "gone": "yes", "published_at": stamp(120)}])
    assert people.read().rows == 59


def test_a_part_of_which_nothing_is_left_goes_and_the_rest_is_counted_anew(people: People) -> None:
    people.write("second.jsonl", day(100, 1, 90))
    people.read()
    people.write(
        "third.jsonl", [{**day(100, 1)[0], "published_at": stamp(100), "text": "put right"}, *day(101, 1, 101)]
    )
    people.read()
    people.write("fourth.jsonl", [{**day(101, 1)[0], "gone": "yes", "published_at": stamp(110)}])
    people.read()
    people.forget(person(100))
    head = snapshot_heads.heads_in(people.home, "tiny")[snapshot_heads.head_path(people.spec, people.home)].snapshot
    assert (len(head.parts), head.rows) == (2, 60)
    assert people.rows().keys() == {person(n) for n in range(60)}
    assert holders(people.home.root, [person(100)]) == []


def test_nothing_is_done_for_what_is_not_held_or_while_a_run_is_at_work(people: People) -> None:
    with pytest.raises(SpecError, match="No row of tiny has these ids or texts"):
        people.forget("nobody")
    assert forgotten.read_forgotten(people.home.state("tiny")) is None
    with one_at_a_time("tiny", people.home), pytest.raises(BusyError, match="Nothing was erased"):
        people.forget(LEFT)
    assert LEFT in people.rows()


def test_rows_that_another_pipeline_has_read_too_stay_for_it(people: People) -> None:
    state = people.home.state("")
    shutil.copytree(state / "tiny", state / "twin")
    receipt = people.forget(LEFT)
    (stays,) = receipt.stays
    assert "until `perennial forget twin`" in stays.stays
    assert receipt.finished is None
    assert holders(people.home.root, [LEFT]) == [f"{stays.where}/rows.parquet"]
    shutil.rmtree(state / "twin")
    assert people.forget(LEFT).finished
    assert holders(people.home.root, [LEFT]) == []


def test_the_status_looks_again_by_the_digests_alone(people: People) -> None:
    (part,) = (people.home.store.root / "parts").glob("*")
    shutil.copytree(part, people.folder / "backup")
    people.forget(LEFT)
    people.write("first.jsonl", day(20, 5))
    status = standing.forget_status(people.spec, people.home, None)
    assert status.is_clear
    assert any("Nothing is left (checked " in line for line in status_in_words(status))
    shutil.copytree(people.folder / "backup", part)
    other = standing.forget_status(people.spec, people.home, GivenNames([STAYS]))
    assert other.requests == ()
    (receipt,) = standing.forget_status(people.spec, people.home, GivenNames([LEFT])).requests
    assert [one.what for one in receipt.places] == ["rows of earlier snapshots"]
    people.forget(LEFT)
    assert standing.forget_status(people.spec, people.home, None).is_clear
    said = "".join(path.read_text() for path in (people.home.root / "forgotten" / "tiny").glob("*"))
    assert LEFT not in said
    assert text_of(7) not in said


def counted(left: int, stop: Callable[[], object], really: Callable[..., object]) -> Callable[..., object]:
    """`really`, which stops the process instead of a change of what is on the disk after so many."""

    def call(*arguments: object, **named: object) -> object:
        nonlocal left
        left -= 1
        return stop() if left < 0 else really(*arguments, **named)

    return call


@contextmanager
def stopped(after: int, stop: Callable[[], object]) -> Iterator[None]:
    with ExitStack() as stack:
        shared = counted(after, stop, lambda really, *arguments, **named: really(*arguments, **named))
        for name in ("rename", "replace", "unlink"):
            stack.enter_context(patch(f"pathlib.Path.{name}", partialmethod(passed, shared, getattr(Path, name))))
        yield


def passed(path: Path, shared: Callable[..., object], really: Callable[..., object], *arguments: object, **named: bool):
    return shared(really, path, *arguments, **named)


def killed(folder: str, after: float) -> None:
    """Forget, and die after so many changes of what is on the disk."""
    with stopped(int(after), lambda: os._exit(9)):
        People(Path(folder)).forget(LEFT)


def interrupted() -> None:
    raise KeyboardInterrupt


def forgotten_to_the_end(folder: Path) -> None:
    people = People(folder)
    people.forget(LEFT)
    assert holders(people.home.root, [LEFT, text_of(7)]) == []
    assert len(people.rows()) == 59


def test_cut_short_at_some_points_the_same_command_ends_it(people: People, tmp_path_factory) -> None:
    leave_differing(people, LEFT, text_of(7))
    for after in (0, 2, 4, 6, 8):
        folder = shutil.copytree(people.folder, tmp_path_factory.mktemp("cut") / "copy")
        with pytest.raises(KeyboardInterrupt), stopped(after, interrupted):
            People(folder).forget(LEFT)
        forgotten_to_the_end(folder)


@pytest.mark.soak(twin="tests/erasure/test_forgotten_rows.py::test_cut_short_at_some_points_the_same_command_ends_it")
def test_killed_at_any_point_the_same_command_ends_it(people: People, tmp_path_factory) -> None:
    leave_differing(people, LEFT, text_of(7))
    codes = []
    for after in range(40):
        folder = shutil.copytree(people.folder, tmp_path_factory.mktemp("killed") / "copy")
        codes.append(forked(killed, str(folder), after))
        forgotten_to_the_end(folder)
        if codes[-1] == 0:
            break
    assert codes == [9] * after + [0]
    assert after > 8


def test_what_can_not_be_read_is_told_or_goes(people: People) -> None:
    damaged = people.home.store.root / "retired" / "0" / "rows.parquet"
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"half of a file")
    assert people.forget(LEFT).erased["damaged entries"] == 1
    assert not damaged.parent.exists()
    (part,) = (people.home.store.root / "parts").glob("*/rows.parquet")
    part.write_bytes(b"half of a file")
    with pytest.raises(StoreError, match="can't be read, so whether some of them are to be forgotten is not known"):
        people.forget(STAYS)
