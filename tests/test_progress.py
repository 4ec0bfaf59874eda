"""What a step reports reaches whoever listens, and only them."""

import threading
import time

import pytest

from perennial.core import progress
from perennial.core.progress import Silent, advance, heard_by, note, step, timed


class Log:
    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []

    def begin(self, step: str) -> None:
        self.calls.append(("begin", step))

    def end(self, step: str, seconds: float, done: bool) -> None:
        assert seconds >= 0
        self.calls.append(("end", step, done))

    def advance(self, done: float, total: float | None, unit: str, detail: str) -> None:
        self.calls.append(("advance", done, total, unit, detail))

    def note(self, message: str) -> None:
        self.calls.append(("note", message))


def test_nobody_has_to_listen() -> None:
    advance(1, 2, unit="row")
    note("x")
    with step("ingest"):
        advance(1)
    listener: progress.Listener = Silent()
    listener.note("heard by nobody")


def test_reports_arrive_in_order() -> None:
    log = Log()
    with heard_by(log), step("ingest"):
        advance(1, 10, unit="row", detail="a.csv")
        note("a.csv is old")
        advance(2)
    assert log.calls == [
        ("begin", "ingest"),
        ("advance", 1, 10, "row", "a.csv"),
        ("note", "a.csv is old"),
        ("advance", 2, None, "", ""),
        ("end", "ingest", True),
    ]


def test_a_note_is_heard_once_in_a_step_and_again_in_the_next() -> None:
    log = Log()
    with heard_by(log):
        for name in ("ingest", "validate"):
            with step(name):
                note("tags in BIO1")
                note("another")
                note("tags in BIO1")
        note("outside")
        note("outside")
    heard = [call[1] for call in log.calls if call[0] == "note"]
    assert heard == ["tags in BIO1", "another"] * 2 + ["outside"] * 2


@pytest.mark.parametrize("fault", [ZeroDivisionError, KeyboardInterrupt])
def test_a_step_that_fails_ends_undone_and_its_error_goes_on(fault: type[BaseException]) -> None:
    log = Log()
    with pytest.raises(fault), heard_by(log), step("finetune"):
        raise fault
    assert log.calls[-1] == ("end", "finetune", False)


def test_the_inner_listener_hears_and_the_outer_hears_again() -> None:
    outer, inner = Log(), Log()
    with heard_by(outer):
        with heard_by(inner):
            note("inner")
        note("outer")
    note("nobody")
    assert (outer.calls, inner.calls) == ([("note", "outer")], [("note", "inner")])


def test_a_failing_block_stops_listening() -> None:
    log = Log()
    with pytest.raises(ZeroDivisionError), heard_by(log):
        raise ZeroDivisionError
    note("nobody")
    assert log.calls == []


def test_another_thread_is_not_heard() -> None:
    log = Log()
    with heard_by(log):
        thread = threading.Thread(target=note, args=("from elsewhere",))
        thread.start()
        thread.join()
    assert log.calls == []


def test_timed_collects_the_seconds_of_each_step() -> None:
    with timed() as seconds:
        with step("ingest"):
            time.sleep(0.02)
        with pytest.raises(ZeroDivisionError), step("validate"):
            raise ZeroDivisionError
    with step("later"):
        pass
    assert list(seconds) == ["ingest", "validate"]
    assert 0.02 <= seconds["ingest"] < 10


def test_runs_are_timed_apart() -> None:
    with timed() as one, step("ingest"):
        pass
    with timed() as two:
        pass
    assert set(one) == {"ingest"}
    assert two == {}


def test_what_is_counted_batch_by_batch_is_told_once_as_a_sum() -> None:
    listener = Log()
    with heard_by(listener), step("read"):
        for number in (2, 0, 3):
            progress.count("span trimmed", number)
        progress.count("row left out", 1)
    assert [call[1] for call in listener.calls if call[0] == "note"] == ["5 × span trimmed.", "1 × row left out."]


def test_who_counts_tells_it_in_another_way() -> None:
    listener = Log()
    with heard_by(listener), progress.counted() as counts:
        progress.count("span trimmed", 2)
    assert (counts, listener.calls) == ({"span trimmed": 2}, [])
