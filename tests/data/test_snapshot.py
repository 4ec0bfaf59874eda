import os
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from perennial.core.errors import SourceError, StoreError
from perennial.ingest import parts
from perennial.ingest.known_rows import index_file
from perennial.ingest.snapshots import ingest

HEADER = "text,label,at\n"
DAY1 = "monday one,good,2026-01-05\nmonday two,bad,2026-01-05\n"
DAY2 = "tuesday,good,2026-01-06\n"


def texts(rows):
    return [row["text"] for row in rows]


def counts(snapshot):
    return snapshot.rows, snapshot.new_rows, snapshot.repeated_rows, snapshot.late_rows


def test_rows_that_were_not_accepted_are_read_again_as_they_are_then(pipeline) -> None:
    made = pipeline(time="at")
    path = made.write("data.csv", HEADER + DAY1)
    refused = ingest(made.spec, made.home)
    assert refused.new_rows == 2
    path.write_text(path.read_text().replace("good", "bad"))
    mended = made.ingest()
    assert (mended.rows, mended.new_rows) == (2, 2)
    assert mended.digest != refused.digest
    assert made.ingest().new_rows == 0


def test_first_run_and_nothing_new(pipeline) -> None:
    made = pipeline(time="at")
    made.write("data.csv", HEADER + DAY1)
    assert made.accepted() is None
    first = made.ingest()
    assert counts(first) == (2, 2, 0, 0)
    assert first.watermark == "2026-01-05T00:00:00+00:00"
    assert made.accepted() == first
    again = made.ingest()
    assert counts(again) == (2, 0, 0, 0)
    assert (again.parts, again.digest, again.watermark) == (first.parts, first.digest, first.watermark)


def test_a_file_that_was_only_touched_is_not_read_again(pipeline) -> None:
    made = pipeline()
    path = made.write("data.csv", "text,label\na,good\n")
    made.ingest()
    os.utime(path, ns=(1, 1))
    assert counts(made.ingest()) == (1, 0, 0, 0)


def test_an_unchanged_file_is_not_opened(pipeline) -> None:
    made = pipeline("*.csv")
    path = made.write("a.csv", "text,label\na,good\n")
    made.ingest()
    # Reading what it holds now would be an error, but neither its size nor its time says that it changed.
    before = path.stat()
    path.write_bytes(b"\0" * before.st_size)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    made.write("b.csv", "text,label\nb,good\n")
    assert counts(made.ingest()) == (2, 1, 0, 0)


def test_a_new_file_is_appended_as_a_part_and_may_be_old(pipeline) -> None:
    made = pipeline("*.csv", time="at")
    made.write("b.csv", HEADER + DAY2)
    first = made.ingest()
    made.write("a.csv", HEADER + DAY1 + DAY2)
    second = made.ingest()
    assert counts(second) == (3, 2, 1, 0)
    assert second.parts[:1] == first.parts
    assert texts(made.rows(second)) == ["tuesday", "monday one", "monday two"]
    assert second.digest != first.digest


def test_a_file_that_grew_gives_what_is_newer(pipeline) -> None:
    made = pipeline(time="at")
    made.write("data.csv", HEADER + DAY1)
    made.ingest()
    made.write("data.csv", HEADER + DAY1 + "monday three,good,2026-01-05\n" + DAY2)
    snapshot = made.ingest()
    assert counts(snapshot) == (4, 2, 2, 0)
    assert texts(made.rows(snapshot))[2:] == ["monday three", "tuesday"]
    assert snapshot.watermark == "2026-01-06T00:00:00+00:00"


def test_late_rows_are_left_out_and_told_and_a_new_file_takes_them_in(pipeline) -> None:
    made = pipeline("*.csv", time="at")
    made.write("data.csv", HEADER + DAY2)
    made.ingest()
    made.write("data.csv", HEADER + DAY1 + DAY2)
    snapshot = made.ingest()
    assert counts(snapshot) == (1, 0, 1, 2)
    [note] = made.notes
    for part in ("2 unseen rows of data.csv", "left out", "new file takes them in"):
        assert part in note
    made.write("late.csv", HEADER + DAY1)
    assert counts(made.ingest()) == (3, 2, 0, 0)
    assert made.notes == []


def test_without_a_time_column_unseen_rows_are_taken_wherever_they_stand(pipeline) -> None:
    made = pipeline()
    made.write("data.csv", "text,label\na,good\nb,bad\n")
    made.ingest()
    made.write("data.csv", "text,label\nc,good\na,good\na,bad\nb,bad\nc,good\n")
    snapshot = made.ingest()
    assert counts(snapshot) == (4, 2, 3, 0)
    assert texts(made.rows(snapshot)) == ["a", "b", "c", "a"]


def test_an_id_column_decides_what_was_seen(pipeline) -> None:
    made = pipeline(id="key")
    made.write("data.csv", "text,label,key\na,good,1\na,good,2\nother,good,1\n")
    snapshot = made.ingest()
    assert counts(snapshot) == (2, 2, 1, 0)
    assert texts(made.rows(snapshot)) == ["a", "other"]


def test_files_that_vanish_leave_their_rows(pipeline) -> None:
    made = pipeline(["a.csv", "b*.csv"])
    made.write("a.csv", "text,label\na,good\n")
    made.ingest()
    (made.folder / "a.csv").unlink()
    assert counts(made.ingest()) == (1, 0, 0, 0)
    assert "No file of the source is there any more" in made.notes[0]
    made.write("b1.csv", "text,label\nb,good\n")
    assert counts(made.ingest()) == (2, 1, 0, 0)


def test_an_empty_file_among_others_stops_nothing_unless_its_header_is_missing(pipeline) -> None:
    made = pipeline("*.csv")
    made.write("a.csv", "text,label\n")
    made.write("b.csv", "text,label\nb,good\n")
    assert counts(made.ingest()) == (1, 1, 0, 0)
    made.write("a.csv", "text,label\na,good\n")
    assert counts(made.ingest()) == (2, 1, 0, 0)


def test_an_error_in_one_file_records_nothing(pipeline) -> None:
    made = pipeline("*.csv")
    made.write("a.csv", "text,label\na,good\n")
    first = made.ingest()
    made.write("b.csv", "text,label\nb,good\n")
    made.write("c.csv", "text,label\nc\n")
    with pytest.raises(SourceError, match=r"c.csv, line 2"):
        made.ingest()
    assert made.accepted() == first
    made.write("c.csv", "text,label\nc,good\n")
    assert counts(made.ingest()) == (3, 2, 0, 0)
    assert not list((made.home.root / "tmp").iterdir())


def test_changed_settings_start_a_snapshot_of_their_own(pipeline) -> None:
    made = pipeline()
    made.write("data.csv", "text,label,other\na,good,x\n")
    first = made.ingest()
    other = pipeline(slices=["other"])
    assert other.accepted() is None
    assert counts(other.ingest()) == (1, 1, 0, 0)
    assert made.ingest().digest == first.digest


def test_reread_starts_anew(pipeline) -> None:
    made = pipeline("*.csv")
    made.write("a.csv", "text,label\na,good\n")
    made.write("b.csv", "text,label\nb,good\n")
    made.ingest()
    made.write("a.csv", "text,label\nc,good\n")
    assert texts(made.rows(made.ingest())) == ["a", "b", "c"]
    again = made.ingest(reread=True)
    assert counts(again) == (2, 2, 0, 0)
    assert texts(made.rows(again)) == ["c", "b"]
    assert made.accepted() == again


@pytest.mark.parametrize(
    ("damage", "seen"),
    [
        (lambda path: path.unlink(), "is missing"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "bytes; "),
        (lambda path: path.write_bytes(path.read_bytes()[:-9] + b"x" * 9), "was changed since it was written"),
        (lambda path: path.with_name("manifest.json").unlink(), "has lost its manifest"),
        (lambda path: path.with_name("manifest.json").write_text("{"), "has a damaged manifest"),
    ],
)
def test_a_damaged_part_is_named_and_reread_mends_it(pipeline, damage, seen: str) -> None:
    made = pipeline("*.csv")
    made.write("a.csv", "text,label\na,good\n")
    first = made.ingest()
    damage(made.home.store.root / first.parts[0].path)
    made.write("b.csv", "text,label\nb,good\n")
    with pytest.raises(StoreError) as caught:
        made.ingest()
    for part in ("Part 1 of 1", first.parts[0].path, seen, "champion is untouched", "perennial run sentiment --reread"):
        assert part in str(caught.value)
    assert texts(made.rows(made.ingest(reread=True))) == ["a", "b"]
    assert counts(made.ingest()) == (2, 0, 0, 0)


def test_a_damaged_head_is_named_and_reread_mends_it(pipeline) -> None:
    made = pipeline()
    made.write("data.csv", "text,label\na,good\n")
    made.ingest()
    [head] = made.home.state("sentiment").glob("snapshot-*.json")
    head.write_text(head.read_text()[:40])
    for read in (made.ingest, made.accepted):
        with pytest.raises(
            StoreError, match=r"is damaged. The champion is untouched. `perennial run sentiment --reread`"
        ):
            read()
    assert counts(made.ingest(reread=True)) == (1, 1, 0, 0)


def test_the_same_rows_make_the_same_parts(pipeline) -> None:
    made = pipeline()
    made.write("data.csv", "text,label\n" + "".join(f"text {n},good\n" for n in range(25_000)))
    first = made.ingest()
    shutil.rmtree(made.home.root)
    assert made.ingest() == first


def test_parts_are_bounded_and_keep_order(pipeline, monkeypatch) -> None:
    monkeypatch.setattr(parts, "PART_ROWS", 2_500)
    monkeypatch.setattr(parts, "GROUP_ROWS", 500)
    made = pipeline()
    expected = [f"text {n}" for n in range(12_345)]
    made.write("data.csv", "text,label\n" + "".join(f"{text},good\n" for text in expected))
    snapshot = made.ingest()
    assert [part.rows for part in snapshot.parts] == [2_500] * 4 + [2_345]
    assert texts(made.rows(snapshot)) == expected


def test_the_join_with_history_spills_and_agrees(pipeline, monkeypatch) -> None:
    monkeypatch.setattr(index_file, "MEMORY", "40MB")
    made = pipeline("*.csv", id="key")
    made.write("a.csv", "text,label,key\n" + "".join(f"t,good,{n:030}\n" for n in range(150_000)))
    made.ingest()
    made.write("b.csv", "text,label,key\n" + "".join(f"t,good,{n:030}\n" for n in range(100_000, 200_000)) * 2)
    snapshot = made.ingest()
    assert counts(snapshot) == (200_000, 50_000, 150_000, 0)
    ids = [int(row["row_id"]) for row in made.rows(snapshot)]
    assert ids == list(range(200_000))


def test_killed_between_part_and_head_the_next_run_reuses_the_part(pipeline) -> None:
    made = pipeline("*.csv")
    made.write("a.csv", "text,label\na,good\n")
    first = made.ingest()
    made.write("b.csv", "text,label\nb,good\n")
    script = f"""
        import os, signal
        from pathlib import Path
        from perennial.ingest import snapshots as snapshot
        from perennial.core.home import Home
        from perennial.settings.pipeline import PipelineSpec
        snapshot.write_atomically = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        spec = PipelineSpec.model_validate_json({made.spec.model_dump_json(exclude_defaults=True)!r})
        snapshot.ingest(spec.located(Path({str(made.folder)!r})), Home(Path({str(made.home.root)!r})))
    """
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert made.accepted() == first
    entries = sorted(made.home.store.entries())
    assert len(entries) == 2
    written = [path.stat().st_mtime_ns for path in entries]
    snapshot = made.ingest()
    assert counts(snapshot) == (2, 1, 0, 0)
    assert sorted(made.home.store.entries()) == entries
    assert [path.stat().st_mtime_ns for path in entries] == written


def test_a_full_disk_is_one_clear_error_and_loses_nothing(pipeline) -> None:
    made = pipeline("*.csv")
    made.write("a.csv", "text,label\na,good\n")
    first = made.ingest()
    made.write("b.csv", "text,label\n" + "".join(f"text {n * 7919 % 100_003},good\n" for n in range(60_000)))
    script = f"""
        import resource, signal
        from pathlib import Path
        from perennial.ingest.snapshots import ingest
        from perennial.core.errors import StoreError
        from perennial.core.home import Home
        from perennial.settings.pipeline import PipelineSpec
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
        spec = PipelineSpec.model_validate_json({made.spec.model_dump_json(exclude_defaults=True)!r})
        try:
            ingest(spec.located(Path({str(made.folder)!r})), Home(Path({str(made.home.root)!r})))
        except StoreError as error:
            print(error)
    """
    run = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=False)
    assert "is full: step 'ingest' could not write its output" in run.stdout, run.stderr
    assert made.accepted() == first
    assert made.ingest().rows == 60_001


def test_records_name_no_path_of_the_machine(pipeline) -> None:
    made = pipeline()
    made.write("data.csv", "text,label\na,good\n")
    snapshot = ingest(made.spec, made.home)
    [head] = made.home.state("sentiment").glob("snapshot-*.json")
    assert str(made.folder) not in head.read_text()
    assert not Path(snapshot.parts[0].path).is_absolute()
