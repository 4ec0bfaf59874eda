"""Files and folders that grow, are rotated, come and go, and what is wrong in them."""

import gzip
import json
import os
import time
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from live_sources import LiveStream, lines, texts

from perennial.core.errors import SourceError
from perennial.stream.sources.files import growing_file

FILE = {"type": "file", "path": "news.jsonl"}


@pytest.fixture
def stream(tmp_path) -> LiveStream:
    return LiveStream(tmp_path, FILE)


def test_a_growing_file_is_read_on_from_where_reading_ended(stream) -> None:
    stream.write("news.jsonl", texts(1, 2))
    assert stream.read() == ["text 1", "text 2"]
    assert stream.read() == []
    stream.append("news.jsonl", texts(3))
    position = stream.position
    assert stream.read() == ["text 3"]
    assert json.loads(stream.position)["at"] != json.loads(position)["at"]
    first = stream.stored[next(iter(stream.stored))]
    assert (first.time, first.source) == (datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC), "")


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_a_half_written_last_line_waits(stream, cut: int) -> None:
    whole = texts(1, 2)
    end = whole.index("\n") + cut
    stream.write("news.jsonl", whole[:end])
    assert stream.read() == ["text 1"]
    stream.append("news.jsonl", whole[end:])
    assert stream.read() == ["text 2"]
    assert not stream.left_out


def test_a_last_line_without_an_end_is_read_once_it_is_whole(stream) -> None:
    stream.write("news.jsonl", texts(1).rstrip("\n"))
    assert stream.read() == ["text 1"]
    stream.append("news.jsonl", "\n" + texts(2))
    assert stream.read() == ["text 2"]
    assert not stream.left_out


@pytest.mark.parametrize("new", [texts(7), texts(7, 8, 9, 10, 11)])
def test_a_file_that_was_rotated_is_told_and_read_anew(stream, new: str) -> None:
    stream.write("news.jsonl", texts(1, 2, 3))
    stream.read()
    stream.write("news.jsonl", new)
    assert stream.read() == [json.loads(line)["text"] for line in new.splitlines()]
    assert "is read from its beginning" in " ".join(stream.notes)
    stream.write("news.jsonl", texts(1, 2))
    assert stream.read() == [], "rows that are known are not stored twice"


def test_every_file_of_a_folder_has_its_own_position(tmp_path) -> None:
    stream = LiveStream(tmp_path, {"type": "file", "path": "in"})
    (tmp_path / "in").mkdir()
    assert stream.read() == []
    stream.write("in/a.jsonl", texts(1))
    stream.write("in/b.csv", "text,time\ntext 2,2026-01-01\n")
    stream.write("in/readme.md", "no table")
    assert stream.read() == ["text 1", "text 2"]
    stream.append("in/b.csv", "text 3,2026-01-01\n")
    stream.write("in/c.jsonl.gz", gzip.compress(texts(4).encode()))
    assert stream.read() == ["text 3", "text 4"]
    (tmp_path / "in/a.jsonl").unlink()
    assert stream.read() == []
    assert set(json.loads(stream.position)["at"]["files"]) == {"in/a.jsonl", "in/b.csv", "in/c.jsonl.gz"}


def test_no_file_at_the_first_look_is_an_error_and_later_a_note(stream, tmp_path) -> None:
    with pytest.raises(SourceError, match=r"monitor\.source\.path") as error:
        stream.read()
    assert "data.source" not in str(error.value)
    stream.write("news.jsonl", texts(1))
    stream.read()
    (tmp_path / "news.jsonl").unlink()
    assert stream.read() == []
    assert "It is read once it is there." in stream.notes[0]
    stream.write("news.jsonl", texts(1, 2))
    assert stream.read() == ["text 2"]


def test_a_bad_line_stops_no_other(stream) -> None:
    stream.write(
        "news.jsonl",
        texts(1).encode()
        + b'{"text": "\xff\xfe"}\n[1]\nnot json\n\n'
        + lines({"text": ""}, {"text": "  "}, {"text": None}, {"text": ["a"]}, {"other": 1}).encode()
        + b'{"text": "half \\ud800"}\n{"text": NaN}\n'
        + texts(2).encode(),
    )
    assert stream.read() == ["text 1", "text 2"]
    assert stream.left_out == {
        "texts that are empty": 5,
        "lines that are no JSON object": 2,
        "lines that are not UTF-8": 1,
        "rows whose text is a list, an object or bytes": 1,
        "texts that are not UTF-8": 1,
    }


def test_a_text_of_10_mb_and_a_line_without_an_end_are_passed_over(stream, monkeypatch) -> None:
    stream.write("news.jsonl", texts(1) + lines({"text": "x" * 10_000_000}) + texts(2))
    assert stream.read() == ["text 1", "text 2"]
    assert stream.left_out == {"texts of more than 100,000 characters (data.max_text_length)": 1}
    monkeypatch.setattr(growing_file, "LONGEST_LINE", 3 << 20)
    stream.append("news.jsonl", lines({"text": "x" * 10_000_000}) + texts(3))
    assert stream.read() == ["text 3"]
    assert list(stream.left_out) == [growing_file.TOO_LONG]


def test_times_that_cant_be_used_are_the_time_of_reading(stream) -> None:
    far = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    times = [1767225600, "2026-01-01T01:00:00+01:00", "Thu, 01 Jan 2026 00:00:00 GMT", far, "soon", None, "0001-01-01"]
    stream.write("news.jsonl", lines(*({"text": f"text {n}", "time": t} for n, t in enumerate(times))))
    stream.read()
    read = [text.time for text in stream.stored.values()]
    assert read[:3] == [datetime(2026, 1, 1, tzinfo=UTC)] * 3
    assert all(abs(datetime.now(UTC) - time) < timedelta(minutes=1) for time in read[3:])
    assert sorted(stream.left_out.values()) == [1, 1, 2]
    # Another reading of the same rows is no other text, though the time of reading is.
    stream.position = None
    assert stream.read() == []


def test_epoch_milliseconds_are_read_where_the_settings_say_so(tmp_path) -> None:
    stream = LiveStream(tmp_path, FILE, {"time_format": "epoch_ms"})
    stream.write("news.jsonl", lines({"text": "a", "time": 1767225600000}, {"text": "b", "time": "1767225600000"}))
    stream.read()
    assert {text.time for text in stream.stored.values()} == {datetime(2026, 1, 1, tzinfo=UTC)}


def test_ids_sources_and_kept_columns(tmp_path) -> None:
    stream = LiveStream(tmp_path, FILE, {"id": "id", "source": "by.name", "kept": ["desk", "tags"]})
    rows = (
        {"id": 7.0, "text": "a", "time": "2026-01-01", "by": {"name": "Wire"}, "desk": "uk", "tags": ["x", 1]},
        {"id": 12345678901234567890123, "text": "b", "time": "2026-01-01"},
        {"id": 12345678901234567890124, "text": "c", "time": "2026-01-01"},
        {"text": "d", "time": "2026-01-01"},
    )
    stream.write("news.jsonl", lines(*rows))
    assert stream.read() == ["a", "b", "c", "d"]
    first, *others = stream.stored.values()
    assert (first.id, first.source, dict(first.kept)) == ("7", "Wire", {"desk": "uk", "tags": '["x",1]'})
    assert [text.id for text in others[:2]] == ["12345678901234567890123", "12345678901234567890124"]
    assert len(others[2].id) == 64
    assert stream.left_out == {"rows without an id: they are known by time, source and text": 1}


def test_same_texts_of_other_times_or_sources_are_others(tmp_path) -> None:
    stream = LiveStream(tmp_path, FILE, {"source": "by"})
    row = {"text": "a", "time": "2026-01-01", "by": "x"}
    stream.write("news.jsonl", lines(row, row, {**row, "by": "y"}, {**row, "time": "2026-01-02"}))
    assert len(stream.read()) == 3


def test_a_column_that_has_gone_stops_the_file_before_its_rows_are_passed_over(tmp_path) -> None:
    stream = LiveStream(tmp_path, {"type": "file", "path": ["a.jsonl", "b.csv", "c.jsonl"]})
    stream.write("a.jsonl", texts(1))
    stream.write("b.csv", "body,time\ntext 2,2026-01-01\n")
    stream.write("c.jsonl", texts(3))
    assert stream.read() == ["text 1", "text 3"]
    assert "b.csv has no column 'text'" in next(iter(stream.left_out))
    stream.append("a.jsonl", lines({"body": "text 4"}))
    stream.append("c.jsonl", texts(5))
    assert stream.read() == ["text 5"]
    assert any("of the next 1 rows none has a 'text'" in sentence for sentence in stream.left_out)
    stream.append("a.jsonl", texts(6))
    stream.write("b.csv", "text,time\ntext 2,2026-01-01\n")
    assert stream.read() == ["text 6", "text 2"]


@pytest.mark.parametrize("form", ["plain", "semicolon", "tab", "excel", "bom"])
def test_csv_in_its_dialects_is_read_on(tmp_path, form: str) -> None:
    mark, name = {"semicolon": ";", "tab": "\t"}.get(form, ","), "news.tsv" if form == "tab" else "news.csv"
    stream = LiveStream(tmp_path, {"type": "file", "path": name}, {"kept": ["desk"]})
    before = {"excel": "sep=,\n", "bom": "\ufeff"}.get(form, "")

    def record(n: int) -> str:
        return mark.join((f'"text {n}{mark} ""of"" two\nlines"', f"2026-01-0{n}", "uk")) + "\r\n"

    header = mark.join(("text", "time", "desk")) + "\r\n"
    stream.write(name, before + header + record(1) + record(2)[:9])
    assert stream.read() == [f'text 1{mark} "of" two\nlines']
    stream.append(name, record(2)[9:] + record(3)[:-6])
    assert stream.read() == [f'text 2{mark} "of" two\nlines']
    stream.append(name, record(3)[-6:])
    assert stream.read() == [f'text 3{mark} "of" two\nlines']
    assert not stream.left_out
    assert {text.kept["desk"] for text in stream.stored.values()} == {"uk"}


def test_bad_records_of_csv_are_counted_and_the_rest_goes_on(tmp_path) -> None:
    stream = LiveStream(tmp_path, {"type": "file", "path": "news.csv"})
    good = [f"text {n},2026-01-01\n" for n in range(300)]
    broken = 'a,b,c\n"closed" too early,2026-01-01\n'
    stream.write("news.csv", f"text,time\n{''.join(good[:100])}{broken}{''.join(good[100:200])}")
    stream.append("news.csv", b"\xff,2026-01-01\n")
    stream.append("news.csv", f'"never closed,2026-01-01\n{"".join(good[200:290])}')
    assert stream.read() == [line.partition(",")[0] for line in good[:200]]
    assert sorted(stream.left_out.values()) == [1, 1, 1]
    # A quote that nobody closes holds up what follows for as long as it may be a cell of many lines.
    stream.append("news.csv", "".join(good[290:]))
    assert stream.read() == [line.partition(",")[0] for line in good[200:]]


def test_the_last_record_of_csv_without_an_end_counts_when_nobody_writes_any_more(tmp_path) -> None:
    stream = LiveStream(tmp_path, {"type": "file", "path": "news.csv"})
    path = stream.write("news.csv", "time,text\n2026-01-01,text 1\n2026-01-01,tex")
    assert stream.read() == ["text 1"]
    os.utime(path, (time.time() - 120,) * 2)
    assert stream.read() == ["tex"]
    stream.append("news.csv", "t 2\n2026-01-01,text 3\n")
    assert stream.read() == ["text 2", "text 3"]


def test_parquet_is_read_when_it_is_new_or_written_anew(tmp_path) -> None:
    stream = LiveStream(tmp_path, {"type": "file", "path": "parts/*.parquet"}, {"id": "id"})

    def write(name: str, ids: range) -> None:
        (tmp_path / "parts").mkdir(exist_ok=True)
        now = pa.scalar(datetime(2026, 1, 1), pa.timestamp("ms"))
        table = pa.table({"id": ids, "text": [f"text {n}" for n in ids], "time": [now] * len(ids), "wide": ids})
        pq.write_table(table, tmp_path / "parts" / name)

    write("a.parquet", range(3))
    assert len(stream.read()) == 3
    assert stream.read() == []
    write("b.parquet", range(3, 5))
    stream.write("parts/c.parquet", b"PAR1 half")
    assert len(stream.read()) == 2
    assert "c.parquet can't be read as Parquet" in next(iter(stream.left_out))
    write("a.parquet", range(-2, 3))
    write("c.parquet", range(5, 6))
    assert len(stream.read()) == 3
    assert {text.time for text in stream.stored.values()} == {datetime(2026, 1, 1, tzinfo=UTC)}


def test_a_parquet_goes_on_in_the_middle(tmp_path) -> None:
    stream = LiveStream(tmp_path, {"type": "file", "path": "a.parquet"}, {"time": None})
    pq.write_table(pa.table({"text": [f"text {n}" for n in range(25_000)]}), tmp_path / "a.parquet")
    reader = stream.open()
    batches = reader.batches()
    stream.commit(next(batches))
    assert 0 < len(stream.stored) < 25_000
    assert len(stream.read()) == 25_000 - 10_000
    assert not stream.left_out


def test_a_json_document_is_read_as_a_whole(tmp_path) -> None:
    stream = LiveStream(tmp_path, {"type": "file", "path": "news.json"})
    stream.write("news.json", json.dumps([{"text": "text 1"}, {"text": "text 2"}], indent=1))
    assert stream.read() == ["text 1", "text 2"]
    stream.write("news.json", json.dumps({"items": [{"text": f"text {n}"} for n in (2, 3)]}))
    assert stream.read() == ["text 3"]
    assert stream.read() == []


def test_a_time_column_that_is_named_must_be_there(tmp_path) -> None:
    stream = LiveStream(tmp_path, {"type": "file", "path": "news.csv"}, {"time": "published"})
    stream.write("news.csv", "text,time\ntext 1,2026-01-01\n")
    assert stream.read() == []
    assert "'published'" in next(iter(stream.left_out))
    LiveStream(tmp_path, {"type": "file", "path": "news.csv"}).read()


def test_utf16_is_told(stream) -> None:
    stream.write("news.jsonl", texts(1).encode("utf-16"))
    assert stream.read() == []
    assert "UTF-16" in next(iter(stream.left_out))


def test_a_clock_that_was_set_back_is_told_and_reading_goes_on(stream) -> None:
    stream.write("news.jsonl", texts(1))
    stream.read()
    place = json.loads(stream.position)
    stream.position = json.dumps({**place, "read": (datetime.now(UTC) + timedelta(hours=3)).isoformat()})
    stream.append("news.jsonl", texts(2))
    assert stream.read() == ["text 2"]
    assert "was set back" in next(iter(stream.left_out))
    stream.read()
    assert not stream.left_out, "said once"


def test_a_position_of_another_source_or_none_at_all_is_told(stream, tmp_path) -> None:
    stream.write("news.jsonl", texts(1))
    stream.position = "{}"
    with pytest.raises(SourceError, match="position"):
        stream.read()
    stream.position = json.dumps({"source": "redis", "read": datetime.now(UTC).isoformat(), "at": {"last": "1-1"}})
    assert stream.read() == ["text 1"]
    assert "is of type file now" in stream.notes[0]


@given(cuts=st.lists(st.integers(0, 2_000), max_size=8), dies=st.lists(st.integers(0, 5), max_size=8))
def test_however_a_file_grows_and_reading_dies_every_row_is_stored_once(tmp_path_factory, cuts, dies) -> None:
    stream = LiveStream(tmp_path_factory.mktemp("grows"), FILE)
    whole, before = texts(*range(40)), 0
    for cut in [*sorted(cuts), len(whole)]:
        end = min(cut, len(whole))
        stream.append("news.jsonl", whole[before:end]) if before or end else stream.write("news.jsonl", "")
        before = max(before, end)
        if dies and dies.pop() % 2:
            # Read, and dead before it was stored.
            list(stream.open().batches())
        stream.read()
        assert not stream.left_out
    assert [text.text for text in stream.stored.values()] == [f"text {n}" for n in range(40)]
