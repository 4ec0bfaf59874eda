"""What must not stop the intake, nor get lost on the way in: odd times, half lines, ids, rows committed late."""

import json
import sqlite3
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from perennial.core.errors import SourceError
from perennial.ingest import snapshot_heads
from perennial.ingest.sources import sql
from perennial.settings.data import SqlSource

HEADER = "text,label,at\n"
LATER = "2062-01-05"


def texts(rows) -> list[str]:
    return sorted(row["text"] for row in rows)


def timed(made, snapshot) -> list[str]:
    """Texts of the rows that have a time; the others are set aside."""
    return texts(row for row in made.rows(snapshot) if row["time"] is not None)


def test_a_row_of_the_future_does_not_stop_the_intake(pipeline) -> None:
    made = pipeline(time="at")
    path = made.write("data.csv", f"{HEADER}a,good,2026-01-05\nb,bad,{LATER}\n")
    first = made.ingest()
    assert first.watermark == "2026-01-05T00:00:00+00:00"
    assert "1 row has a time in the future" in made.notes[0]
    assert "data.csv, line 3" in made.notes[0]
    path.write_text(path.read_text() + "c,good,2026-01-06\nd,bad,\n")
    second = made.ingest()
    assert (second.new_rows, second.late_rows) == (2, 0)
    assert timed(made, second) == ["a", "c"]


def test_a_home_whose_newest_time_is_in_the_future_recovers(pipeline) -> None:
    made = pipeline(time="at", data={"future_tolerance": "3650 days"})
    made.write("data.csv", HEADER + "a,good,2026-01-05\nb,bad,2034-01-05\n")
    assert made.ingest().watermark == "2034-01-05T00:00:00+00:00"
    made.write("data.csv", HEADER + "a,good,2026-01-05\nb,bad,2034-01-05\nc,good,2026-01-06\n")
    assert made.ingest().late_rows == 1
    # As an older Perennial left it.
    made.spec = pipeline(time="at").spec
    mended = made.ingest()
    assert "lies in the future" in made.notes[0]
    assert mended.watermark == "2026-01-06T00:00:00+00:00"
    assert timed(made, mended) == ["a", "c"]
    after = made.ingest()
    assert (after.new_rows, after.digest, made.notes) == (0, mended.digest, [])


def test_a_correction_dated_in_the_future_takes_no_good_row_away(pipeline) -> None:
    made = pipeline("*.csv", id="text", time="at")
    made.write("a.csv", HEADER + "a,good,2026-01-05\n")
    made.ingest()
    made.write("b.csv", HEADER + f"a,bad,{LATER}\n")
    assert [row["label"] for row in made.rows()] == ["good"]
    made.write("c.csv", HEADER + "a,bad,2026-01-07\n")
    assert [row["label"] for row in made.rows()] == ["bad"]


@pytest.mark.parametrize("rest", ["a long text that is not yet wri", "a long text that is not yet written,go"])
def test_a_line_that_was_half_written_is_replaced_when_the_file_grows(pipeline, rest: str) -> None:
    made = pipeline()
    path = made.write("data.csv", f"text,label\na,good\n{rest}")
    first = made.rows()
    assert len(first) == (1 if "," not in rest else 2)
    path.write_text("text,label\na,good\na long text that is not yet written,good\nb,bad\n")
    assert texts(made.rows()) == ["a", "a long text that is not yet written", "b"]


def test_a_quoted_cell_that_is_half_written_is_left_for_later(pipeline) -> None:
    made = pipeline()
    path = made.write("data.csv", 'text,label\na,good\n"a long\ntext that')
    assert texts(made.rows()) == ["a"]
    assert "line 3" in made.notes[0]
    path.write_text('text,label\na,good\n"a long\ntext that ends",bad\n')
    assert texts(made.rows()) == ["a", "a long\ntext that ends"]


def test_only_the_last_line_can_be_half_written(pipeline) -> None:
    made = pipeline()
    made.write("data.csv", "text,label\na,good\nshort\nb,bad")
    with pytest.raises(SourceError, match="line 3 has 1 cells"):
        made.ingest()


def test_the_last_row_of_a_file_without_a_last_line_end_is_read_and_stays(pipeline) -> None:
    made = pipeline()
    path = made.write("data.csv", "text,label\na,good\nb,bad")
    assert texts(made.rows()) == ["a", "b"]
    path.write_text("text,label\na,good\nb,bad\nc,good")
    grown = made.ingest()
    assert (grown.rows, grown.corrected_rows) == (3, 0)


def test_a_json_line_that_is_half_written_is_left_for_later(pipeline) -> None:
    made = pipeline(source={"type": "file", "path": "data.jsonl"})
    rows = [json.dumps({"text": text, "label": "good"}) for text in "abc"]
    path = made.write("data.jsonl", f"{rows[0]}\n{rows[1][:-5]}")
    assert texts(made.rows()) == ["a"]
    path.write_text("\n".join(rows))
    assert texts(made.rows()) == ["a", "b", "c"]


def test_ids_of_a_column_of_floats_are_those_of_whole_numbers(pipeline) -> None:
    made = pipeline("[ab].*", id="key")
    made.write("a.csv", "text,label,key\na,good,17\nb,bad,18\n")
    made.ingest()
    pq.write_table(pa.table({"text": ["a"], "label": ["bad"], "key": [17.0]}), made.folder / "b.parquet")
    after = made.ingest()
    assert (after.rows, after.corrected_rows) == (2, 1)


def test_a_home_that_knows_ids_with_a_fraction_keeps_them(pipeline, monkeypatch) -> None:
    made = pipeline(id="key")
    made.write("data.csv", "text,label,key\na,good,17.0\n")
    whole = snapshot_heads.first_head
    monkeypatch.setattr(snapshot_heads, "first_head", lambda name: whole(name).model_copy(update={"whole_ids": False}))
    made.ingest()
    head = snapshot_heads.head_path(made.spec, made.home)
    head.write_text(head.read_text().replace('"whole_ids": false', '"whole_ids": null'))
    made.write("data.csv", "text,label,key\na,good,17.0\nb,bad,18.0\n")
    after = made.ingest()
    assert (after.rows, after.new_rows) == (2, 1)
    assert "17.0" in made.notes[0]
    monkeypatch.undo()
    assert {row["row_id"] for row in made.rows(made.ingest(reread=True))} == {"17", "18"}


@pytest.mark.parametrize(("query", "strict"), [
    ("SELECT * FROM t WHERE at > :watermark", True),
    ("SELECT * FROM t WHERE at>:watermark ORDER BY at", True),
    ("SELECT * FROM t WHERE at > CAST(:watermark AS timestamp)", True),
    ("SELECT * FROM t WHERE :watermark < at", True),
    ("SELECT * FROM t WHERE at >= :watermark", False),
    ("SELECT * FROM t WHERE at > :watermark - interval '1 day'", False),
    ("SELECT * FROM t WHERE at > datetime(:watermark, '-1 day')", False),
    ("SELECT * FROM t WHERE :watermark <= at AND n > 3", False),
    ("SELECT * FROM t", False),
])  # fmt: skip
def test_a_query_that_misses_rows_is_told_of(query: str, strict: bool) -> None:
    source = SqlSource(type="sql", url_env="X", query=query)
    assert (sql.missed_rows(source) is not None) is strict
    assert sql.missed_rows(source.model_copy(update={"lookback": timedelta(days=1)})) is None


@pytest.mark.parametrize("row_id", [None, "id"])
def test_rows_of_the_same_instant_and_rows_committed_late_are_read(pipeline, monkeypatch, row_id: str | None) -> None:
    query = "SELECT id, text, label, at FROM news WHERE at >= :watermark"
    made = pipeline(
        source={"type": "sql", "url_env": "NEWS", "query": query, "lookback": "1 day"}, time="at", id=row_id
    )
    monkeypatch.setenv("NEWS", f"sqlite:///{made.folder / 'news.db'}")

    def insert(numbers: range, time: str) -> None:
        rows = [(number, f"text {number}", "good", f"2026-01-{time}") for number in numbers]
        with sqlite3.connect(made.folder / "news.db") as database:
            database.execute("CREATE TABLE IF NOT EXISTS news (id int, text text, label text, at text)")
            database.executemany("INSERT INTO news VALUES (?, ?, ?, ?)", rows)

    insert(range(20), "05 10:00:00")
    assert made.ingest().new_rows == 20
    insert(range(20, 30), "05 10:00:00")
    insert(range(30, 40), "04 23:00:00")
    after = made.ingest()
    assert (after.rows, after.new_rows, after.repeated_rows, after.late_rows) == (40, 20, 20, 0)


def test_a_lookback_added_later_starts_no_snapshot_anew(pipeline) -> None:
    query = {"type": "sql", "url_env": "NEWS_URL", "query": "SELECT 1 WHERE 2 >= :watermark"}
    plain, back = (pipeline(source=query | more, time="at").spec for more in ({}, {"lookback": "36 hours"}))
    assert snapshot_heads.head_path(plain, pipeline().home).name == snapshot_heads.head_path(back, pipeline().home).name
    assert back.data.source.lookback == timedelta(hours=36)


def test_what_was_set_aside_for_its_time_is_taken_once_the_time_has_come(pipeline) -> None:
    made = pipeline(time="at")
    soon = datetime.now(UTC) + timedelta(days=2)
    path = made.write("data.csv", f"{HEADER}a,good,2026-01-05\nb,bad,{soon.isoformat()}\n")
    assert timed(made, made.ingest()) == ["a"]
    made.spec = pipeline(time="at", data={"future_tolerance": "3 days"}).spec
    path.write_text(path.read_text() + "c,good,2026-01-06\n")
    assert timed(made, made.ingest()) == ["a", "b", "c"]
