"""Rows with the same id: the last one wins, whatever the order of arrival; a deletion is the last, too."""

import os
import random
import signal
import subprocess
import sys
import tempfile
import textwrap
from itertools import pairwise
from pathlib import Path

import pytest
from conftest import Pipeline
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perennial.core.errors import SourceError, SpecError
from perennial.ingest.known_rows import index_file
from perennial.ingest.known_rows.row_index import BATCH_ROWS
from perennial.ingest.snapshots import ingest

HEADER = "key,text,label,at,gone\n"
IDS = {"id": "key", "deleted": "gone"}
TIMED = {**IDS, "time": "at"}

Said = tuple[str, str, int, bool]
"""Id, text, hour, whether it is deleted."""


def lines(*said: Said) -> str:
    return HEADER + "".join(f"{key},{text},good,2026-01-01T{hour:02}:00,{gone}\n" for key, text, hour, gone in said)


def changes(snapshot):
    return snapshot.new_rows, snapshot.corrected_rows, snapshot.deleted_rows, snapshot.repeated_rows


def held(made: Pipeline, snapshot=None) -> dict[str, str]:
    rows = made.rows(snapshot)
    assert len({row["row_id"] for row in rows}) == len(rows)
    return {row["row_id"]: row["text"] for row in rows}


def index_of(made: Pipeline) -> Path:
    [path] = made.home.state("sentiment").glob("*.rows.duckdb")
    return path


def test_a_newer_row_takes_the_place_of_an_older_one_and_an_older_one_does_not(pipeline) -> None:
    made = pipeline("*.csv", **TIMED)
    made.write("a.csv", lines(("1", "one", 1, False), ("2", "two", 2, False)))
    made.ingest()
    made.write("b.csv", lines(("1", "eins", 3, False), ("2", "zwei", 1, False), ("3", "drei", 1, False)))
    snapshot = made.ingest()
    assert changes(snapshot) == (1, 1, 0, 1)
    assert (snapshot.rows, len(snapshot.parts)) == (3, 2)
    assert held(made, snapshot) == {"1": "eins", "2": "two", "3": "drei"}
    assert made.ingest().digest == snapshot.digest


def test_without_a_time_the_row_read_later_wins(pipeline) -> None:
    made = pipeline("*.csv", **IDS)
    made.write("a.csv", lines(("1", "one", 1, False), ("1", "uno", 1, False), ("2", "two", 1, False)))
    assert held(made) == {"1": "uno", "2": "two"}
    made.write("b.csv", lines(("1", "eins", 1, False), ("2", "two", 1, False)))
    snapshot = made.ingest()
    assert changes(snapshot) == (0, 1, 0, 1)
    assert held(made, snapshot) == {"1": "eins", "2": "two"}
    made.write("c.csv", lines(("1", "uno", 1, False)))
    assert held(made) == {"1": "uno", "2": "two"}


def test_a_file_that_grew_takes_back_nothing_that_another_corrected(pipeline) -> None:
    made = pipeline("*.csv", **IDS)
    made.write("a.csv", lines(("1", "one", 1, False), ("2", "two", 1, False)))
    made.write("b.csv", lines(("2", "zwei", 1, False)))
    assert held(made) == {"1": "one", "2": "zwei"}
    made.write("c.csv", lines(("1", "eins", 1, False)))
    made.ingest()
    made.write("a.csv", lines(("1", "one", 1, False), ("2", "two", 1, False), ("3", "three", 1, False)))
    assert held(made) == {"1": "eins", "2": "zwei", "3": "three"}
    made.write("a.csv", lines(("1", "one!", 1, False), ("2", "two", 1, False), ("3", "three", 1, False)))
    assert held(made) == {"1": "one!", "2": "zwei", "3": "three"}
    # What one file says and then takes back is said anew.
    made.write("a.csv", lines(("1", "one", 1, False), ("2", "two", 1, False), ("3", "three", 1, False)))
    assert held(made) == {"1": "one", "2": "zwei", "3": "three"}


def test_a_deleted_row_is_gone_until_a_newer_one_comes(pipeline) -> None:
    made = pipeline("*.csv", **TIMED)
    made.write("a.csv", lines(("1", "one", 1, False), ("2", "two", 1, False)))
    before = made.ingest()
    made.write("b.csv", HEADER + "1,,,2026-01-01T05:00,yes\n")
    snapshot = made.ingest()
    assert changes(snapshot) == (0, 0, 1, 0)
    assert (snapshot.rows, snapshot.parts) == (1, before.parts)
    assert snapshot.digest != before.digest
    assert held(made, snapshot) == {"2": "two"}
    made.write("c.csv", lines(("1", "older", 4, False)))
    late = made.ingest()
    assert (changes(late), late.digest) == ((0, 0, 0, 1), snapshot.digest)
    made.write("d.csv", lines(("1", "newer", 6, False)))
    again = made.ingest()
    assert changes(again) == (1, 0, 0, 0)
    assert held(made, again) == {"1": "newer", "2": "two"}


def test_a_deletion_may_come_before_its_row_and_changes_no_digest(pipeline) -> None:
    made = pipeline("*.csv", **TIMED)
    made.write("a.csv", lines(("2", "two", 1, False)))
    before = made.ingest()
    made.write("b.csv", lines(("1", "", 5, True)))
    noted = made.ingest()
    assert (changes(noted), noted.digest, noted.rows) == ((0, 0, 0, 1), before.digest, 1)
    made.write("c.csv", lines(("1", "one", 4, False)))
    assert held(made) == {"2": "two"}


def test_a_correction_older_than_its_file_is_not_late(pipeline) -> None:
    made = pipeline(**TIMED)
    made.write("data.csv", lines(("1", "one", 1, False), ("2", "two", 9, False)))
    made.ingest()
    rows = ("1", "one", 1, False), ("1", "eins", 5, False), ("2", "two", 9, False), ("3", "late", 5, False)
    made.write("data.csv", lines(*rows))
    snapshot = made.ingest()
    assert (changes(snapshot), snapshot.late_rows) == ((0, 1, 0, 2), 1)
    assert held(made, snapshot) == {"1": "eins", "2": "two"}


def test_what_says_neither_that_a_row_is_deleted_nor_that_it_is_not_is_refused(pipeline) -> None:
    made = pipeline(**IDS)
    made.write("data.csv", HEADER + "1,one,good,,perhaps\n")
    with pytest.raises(SourceError, match=r"data.csv, line 2 has 'perhaps' in column 'gone'.* expected true"):
        made.ingest()


def test_deletions_need_an_id_column(pipeline) -> None:
    with pytest.raises((SpecError, ValueError), match="deleted goes with id"):
        pipeline(deleted="gone")


@pytest.mark.parametrize("value", ["true", "TRUE", "yes", "1", "1.0", "t"])
def test_words_for_deleted(pipeline, value: str) -> None:
    made = pipeline("*.csv", **IDS)
    made.write("a.csv", lines(("1", "one", 1, False), ("2", "two", 1, False)))
    made.ingest()
    made.write("b.csv", HEADER + f"1,,,,{value if value != '1.0' else '1'}\n")
    assert held(made) == {"2": "two"}


# Times differ, so that which row is the last does not hang on the order.
ARRIVALS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"), st.integers(0, 23), st.booleans()),
    min_size=1, max_size=9, unique_by=lambda said: said[2],
)  # fmt: skip


@settings(max_examples=settings.default.max_examples // 2, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=ARRIVALS, cuts=st.lists(st.integers(0, 9), max_size=3), seed=st.integers(0, 99))
def test_the_last_one_wins_whatever_the_order_of_arrival(said: list[Said], cuts: list[int], seed: int) -> None:
    last = {key: (text, gone) for key, text, _, gone in sorted(said, key=lambda one: one[2])}
    expected = {key: text for key, (text, gone) in last.items() if not gone}
    random.Random(seed).shuffle(said)  # noqa: S311
    with tempfile.TemporaryDirectory() as folder:
        made = Pipeline(Path(folder), {"type": "file", "path": "*.csv"}, TIMED)
        made.write("0.csv", lines(("never", "changed", 0, False)))
        for number, (start, end) in enumerate(pairwise([0, *sorted(cuts), len(said)]), 1):
            made.write(f"{number}.csv", lines(*said[start:end]))
            snapshot = made.ingest()
            assert snapshot.rows == len(held(made, snapshot))
        assert held(made, snapshot) == {"never": "changed", **expected}


@pytest.mark.parametrize("damage", ["lost", "cut", "overwritten", "of other rows", "nonsense"])
def test_an_index_that_is_lost_or_damaged_is_made_again(pipeline, damage: str) -> None:
    made = pipeline("*.csv", **TIMED)
    made.write("a.csv", lines(*((str(key), f"text {key}", 1, False) for key in range(300))))
    made.ingest()
    older = made.write("b.csv", lines(("1", "eins", 2, False), ("2", "", 2, True)))
    made.ingest()
    path = index_of(made)
    other = path.read_bytes()
    made.write("c.csv", lines(("3", "drei", 2, False)))
    made.ingest()
    content = path.read_bytes()
    half = len(content) // 2
    path.write_bytes(
        {
            "lost": b"",
            "cut": content[:half],
            "overwritten": content[:half] + os.urandom(len(content) - half),
            "of other rows": other,
            "nonsense": b"no database",
        }[damage]
    )
    if damage == "lost":
        path.unlink()
    made.write("d.csv", lines(("1", "older", 1, False), ("2", "older", 1, False), ("4", "vier", 3, False)))
    snapshot = made.ingest()
    assert changes(snapshot) == (0, 1, 0, 2)
    found = held(made, snapshot)
    assert len(found) == 299
    assert (found["1"], found["3"], found["4"]) == ("eins", "drei", "vier")
    assert older.exists()


def test_an_index_that_another_process_holds_is_made_elsewhere(pipeline) -> None:
    made = pipeline("*.csv", **TIMED)
    made.write("a.csv", lines(("1", "one", 1, False)))
    made.ingest()
    made.write("b.csv", lines(("1", "eins", 2, False)))
    made.ingest()
    script = f"import duckdb; held = duckdb.connect({str(index_of(made))!r}); print('held', flush=True); input()"
    holder = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        made.write("c.csv", lines(("1", "uno", 3, False)))
        assert held(made) == {"1": "uno"}
    finally:
        holder.communicate(b"\n")


@pytest.mark.parametrize(
    "moment", ["row_index._digest", "retirements.write_retirement", "parts.write_parts", "write_atomically"]
)
def test_killed_at_any_moment_the_next_run_comes_to_the_same(pipeline, moment: str) -> None:
    made = pipeline("*.csv", **TIMED)
    made.write("a.csv", lines(("1", "one", 1, False), ("2", "two", 1, False)))
    first = made.ingest()
    made.write("b.csv", lines(("1", "eins", 2, False), ("2", "", 2, True), ("3", "drei", 2, False)))
    script = f"""
        import os, signal
        from pathlib import Path
        from perennial.ingest import snapshots as snapshot
        from perennial.core.home import Home
        from perennial.settings.pipeline import PipelineSpec
        snapshot.{moment} = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        spec = PipelineSpec.model_validate_json({made.spec.model_dump_json(exclude_defaults=True)!r})
        snapshot.ingest(spec.located(Path({str(made.folder)!r})), Home(Path({str(made.home.root)!r})))
    """
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False)
    assert killed.returncode == -signal.SIGKILL
    snapshot = made.ingest()
    assert snapshot.parts[: len(first.parts)] == first.parts
    assert changes(snapshot) == (1, 1, 1, 0)
    assert held(made, snapshot) == {"1": "eins", "3": "drei"}
    assert not made.ingest().new_rows


def test_what_was_read_but_not_accepted_is_not_in_the_index(pipeline) -> None:
    made = pipeline("*.csv", **TIMED)
    made.write("a.csv", lines(("1", "one", 1, False)))
    made.ingest()
    made.write("b.csv", lines(("1", "eins", 2, False)))
    refused = ingest(made.spec, made.home)
    assert refused.corrected_rows == 1
    again = made.ingest()
    assert (again.digest, again.corrected_rows) == (refused.digest, 1)


def test_many_ids_are_compared_in_little_memory(pipeline, monkeypatch) -> None:
    monkeypatch.setattr(index_file, "MEMORY", "50MB")
    count = 3 * BATCH_ROWS
    made = pipeline("*.csv", **TIMED)
    made.write("a.csv", lines(*((f"{key:020}", "t", 1, False) for key in range(count))))
    made.ingest()
    made.write("b.csv", lines(*((f"{key:020}", "u", 2, key % 3 == 0) for key in range(0, count, 2))))
    snapshot = made.ingest()
    assert changes(snapshot) == (0, count // 3, count // 6, 0)
    assert snapshot.rows == count - count // 6
