"""The store of live texts: every text once, whatever is killed when; read back in order; erased and joined in time."""

import os
import random
import signal
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from forking import forked
from hypothesis import given
from hypothesis import strategies as st

from perennial.core.errors import OverlapError, StoreError
from perennial.core.home import Home
from perennial.stream import journal, parts, store
from perennial.stream.live_text import stored_schema
from perennial.stream.store import StreamStore

START = datetime(2026, 3, 1, tzinfo=UTC)
ONE_RUN = 5
"""Texts that a run of the killed monitor reads at a time."""


def rows(numbers: Sequence[int], read: datetime | None = None) -> pa.Table:
    """Stored rows, whose ids are numbers, read a minute apart unless it is said when."""
    return pa.Table.from_pylist(
        [
            {
                "id": str(number),
                "text": f"text {number}",
                "time": START - timedelta(minutes=number),
                "read": read or START + timedelta(minutes=number),
                "source": "wire",
                "story": str(number),
                "telling": "first",
                "model": "1",
                "label": "negative",
                "score": 0.5,
                "scores": [0.5, 0.25, 0.25],
                "topic": ["banks"] if number % 2 else None,
                "entities": ["Nokia"],
                "kept": [("desk", "london")],
            }
            for number in numbers
        ],
        schema=stored_schema(),
    )


def ids(opened: StreamStore, **only: object) -> list[int]:
    return [int(one) for table in opened.tables(["id"], **only) for one in table.column("id").to_pylist()]  # type: ignore[arg-type]


def files(opened: StreamStore) -> list[Path]:
    return sorted((opened.folder / store.PARTS).iterdir())


@pytest.fixture
def opened(tmp_path: Path) -> StreamStore:
    return StreamStore.open(Home(tmp_path), "tiny")


def test_what_is_committed_is_read_back_whole_and_in_order(opened: StreamStore) -> None:
    assert (opened.position(), opened.count(), list(opened.tables())) == (None, 0, [])
    assert opened.commit(rows([3, 1]), "a", {"no text": 2}) == 2
    assert opened.commit(rows([2]), "b", {"no text": 1}) == 1
    assert pa.concat_tables(opened.tables()) == rows([3, 1, 2])
    assert (opened.position(), opened.count(), opened.left_out()) == ("b", 3, {"no text": 3})
    again = StreamStore(opened.folder, "tiny")
    assert (again.position(), ids(again)) == ("b", [3, 1, 2])


@given(st.lists(st.lists(st.integers(0, 9), max_size=6), max_size=4))
def test_a_text_that_comes_again_is_dropped(tmp_path_factory: pytest.TempPathFactory, batches: list[list[int]]) -> None:
    opened = StreamStore.open(Home(tmp_path_factory.mktemp("home")), "tiny")
    first: list[int] = []
    for place, batch in enumerate(batches):
        new = list(dict.fromkeys(number for number in batch if number not in first))
        assert [batch[at] for at in opened.unknown([str(number) for number in batch])] == new
        assert opened.commit(rows(batch), str(place), {}) == len(new)
        first += new
    assert ids(opened) == first
    assert opened.count() == len(first)
    opened.close()


def test_only_what_is_asked_for_is_read(opened: StreamStore) -> None:
    for start in range(0, 40, 10):
        opened.commit(rows(range(start, start + 10)), str(start), {})
    minute = timedelta(minutes=1)
    assert ids(opened, since=START + 15 * minute, until=START + 32 * minute) == list(range(15, 32))
    assert ids(opened, since=START + 100 * minute) == []
    assert [table.num_rows for table in opened.tables(batch_rows=20)] == [20, 20]
    assert next(opened.tables(["label", "id"])).column_names == ["label", "id"]


def test_another_schema_is_refused(opened: StreamStore) -> None:
    with pytest.raises(ValueError, match="stored_schema"):
        opened.commit(rows([1]).drop_columns(["topic"]), "a", {})


def test_many_small_parts_become_one_and_readers_are_left_with_theirs(
    opened: StreamStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MOST_SMALL", 4)
    for number in range(3):
        opened.commit(rows([number]), str(number), {})
    opened.tend(365, START)
    assert len(files(opened)) == 3
    opened.commit(rows([3]), "3", {})
    reading = opened.tables(["id"], batch_rows=1)
    assert next(reading).column("id").to_pylist() == ["0"]
    opened.tend(365, START)
    assert ids(opened) == [0, 1, 2, 3]
    assert [table.column("id").to_pylist() for table in reading] == [["1"], ["2"], ["3"]]
    opened.commit(rows([4]), "4", {})
    assert ids(opened) == [0, 1, 2, 3, 4]
    monkeypatch.setattr(store, "READERS_SECONDS", 0)
    with opened.alone():
        assert len(files(opened)) == 2
    assert pa.concat_tables(opened.tables()) == rows(range(5))


def test_large_parts_stay_as_they_are(opened: StreamStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "SMALL_ROWS", 10)
    for start in range(0, 40, 4):
        opened.commit(rows(range(start, start + 4)), str(start), {})
    opened.tend(365, START)
    assert [part.rows for part in opened._journal.parts()] == [12, 12, 12, 4]
    opened.tend(365, START)
    assert ids(opened) == list(range(40))


def test_old_texts_are_erased_and_never_read_again(opened: StreamStore, monkeypatch: pytest.MonkeyPatch) -> None:
    day = timedelta(days=1)
    opened.commit(rows([1, 2]), "a", {})
    opened.commit(pa.concat_tables([rows([3], START), rows([4], START + 5 * day)]), "b", {})
    opened.commit(rows([5], START + 6 * day), "c", {})
    assert opened.tend(10, START + 9 * day) == 0
    # A day more, so that a part is not written anew for a few of its texts.
    assert opened.tend(10, START + 10.5 * day) == 2
    assert ids(opened) == [3, 4, 5]
    assert opened.tend(10, START + 11.5 * day) == 1
    assert (ids(opened), opened.count()) == ([4, 5], 2)
    assert opened.commit(rows([1, 3, 6]), "d", {}) == 1
    monkeypatch.setattr(store, "READERS_SECONDS", 0)
    with opened.alone():
        left = [one for path in files(opened) for one in pq.read_table(path).column("id").to_pylist()]
    assert left == ["4", "5", "6"]


def test_one_monitor_at_a_time(opened: StreamStore) -> None:
    other = StreamStore(opened.folder, "tiny")
    with opened.alone(), opened.alone():
        opened.commit(rows([1]), "a", {})
        with pytest.raises(OverlapError, match="Another `perennial monitor` of tiny is at work"):
            other.commit(rows([2]), "b", {})
        assert ids(other) == [1]
    assert other.commit(rows([2]), "b", {}) == 1


def test_runs_are_remembered(opened: StreamStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MOST_LOOKS", 3)
    for number in range(5):
        opened.note_look(str(number))
    assert opened.looks() == ["4", "3", "2"]
    assert opened.looks(1) == ["4"]


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda folder: (folder / "journal.db").unlink(), "journal.db, which knows which of them count, is gone"),
        (lambda folder: (folder / "journal.db").write_bytes(b"no database " * 100), "is damaged"),
        (lambda folder: next((folder / "parts").iterdir()).unlink(), "the file is gone"),
        (lambda folder: next((folder / "parts").iterdir()).write_bytes(b"PAR1 no"), "can't be read"),
    ],
)
def test_damage_is_told_and_nothing_is_removed(opened: StreamStore, harm: Callable[[Path], None], words: str) -> None:
    opened.commit(rows([1]), "a", {})
    opened.close()
    harm(opened.folder)
    before = files(opened)
    with pytest.raises(StoreError) as raised:
        ids(StreamStore(opened.folder, "tiny"))
    assert words in raised.value.problem
    assert "backup" in raised.value.remedy
    assert files(opened) == before


KILLED_AT = {
    "while the part is written": (parts, "put_on_disk", 1),
    "once the part is written": (parts, "put_on_disk", 2),
    "before the part counts": (journal.Journal, "commit", 1),
    "in the transaction, before the part": (journal.Journal, "_add", 1),
    "in the transaction, before its end": (journal, "digest_of_id", 8),
    "before the next part": (parts, "write_part", 2),
    "before parts are joined": (journal.Journal, "replace", 1),
    "before files are removed": (journal.Journal, "forget_replaced", 2),
}
"""What is called as often when the monitor is killed."""


def kill_at_call(owner: object, name: str, call: int) -> None:
    """Let this process be killed when `name` is called for the `call`-th time."""
    really = getattr(owner, name)
    calls = iter(range(1, call))

    def counted(*arguments: object, **named: object) -> object:
        if next(calls, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
        return really(*arguments, **named)

    setattr(owner, name, counted)


def read_all(folder: str, when: str, count: int) -> None:
    """A monitor that stores the numbers below `count`, some at a time, from where it was; killed at `when`."""
    store.MOST_SMALL = 3
    if when:
        kill_at_call(*KILLED_AT[when])
    opened = StreamStore(Path(folder), "tiny")
    with opened.alone():
        for start in range(int(opened.position() or 0), count, ONE_RUN):
            # Each batch begins with a text of the one before, as feeds do.
            end = min(start + ONE_RUN, count)
            opened.commit(rows(range(max(0, start - 1), end)), str(end), {"too long": 1})
        opened.tend(365, START)


@pytest.mark.parametrize("when", KILLED_AT)
def test_killed_at_any_point_every_text_is_there_once(tmp_path: Path, when: str) -> None:
    folder, count = tmp_path / "store", 23
    assert forked(read_all, str(folder), when, count) == -signal.SIGKILL
    assert forked(read_all, str(folder), "", count) == 0
    opened = StreamStore(folder, "tiny")
    with opened.alone():
        assert ids(opened) == list(range(count))
        named = {part.name for part in opened._journal.parts()} | set(opened._journal.replaced_since())
        assert {path.name for path in files(opened)} == named
    assert opened.left_out() == {"too long": 5}
    assert opened.position() == str(count)


def kill_after(seconds: float) -> None:
    """Let this process be killed by another one, at whatever point it then is."""
    victim = os.getpid()
    if not os.fork():
        time.sleep(seconds)
        os.kill(victim, signal.SIGKILL)
        os._exit(0)


def read_on(folder: str, seed: int, count: int) -> None:
    """A monitor that goes on to `count` from where it was; killed at random in one of its commits, unless `seed` is 0.

    What a commit takes is measured, so that it is hit however fast the machine is.
    """
    draw = random.Random(seed)  # noqa: S311 - not for secrets
    fatal, took = draw.randint(1, 4) if seed else count, 0.0
    opened = StreamStore(Path(folder), "tiny")
    with opened.alone():
        for number, start in enumerate(range(int(opened.position() or 0), count, 300)):
            began, end = time.monotonic(), min(start + 300, count)
            if number == fatal:
                kill_after(draw.uniform(0, took))
            opened.commit(rows(range(max(0, start - 3), end)), str(end), {})
            opened.tend(365, START)
            took = time.monotonic() - began


def killed_again_and_again(folder: Path, kills: int, count: int) -> None:
    for seed in range(1, kills + 1):
        assert forked(read_on, str(folder), seed, count) == -signal.SIGKILL
    assert forked(read_on, str(folder), 0, count) == 0
    opened = StreamStore(folder, "tiny")
    assert ids(opened) == list(range(count))
    assert opened.count() == count


def test_killed_at_random_every_text_is_there_once(tmp_path: Path) -> None:
    killed_again_and_again(tmp_path / "store", 2, 3000)


@pytest.mark.soak(twin="tests/stream/test_stream_store.py::test_killed_at_random_every_text_is_there_once")
def test_killed_fifty_times_over_a_hundred_thousand_texts_every_one_is_there_once(tmp_path: Path) -> None:
    killed_again_and_again(tmp_path / "store", 50, 100_000)
