"""A query as a live stream: SQLite's text times, PostgreSQL's late commits."""

import json
import sqlite3
from datetime import UTC, datetime

import psycopg
import pytest
from live_sources import LiveStream

from perennial.core.errors import SourceError, SpecError, UnreachableError

ENV = "TEST_LIVE_DATABASE_URL"
FROM = "SELECT id, text, time FROM news WHERE time >= :watermark ORDER BY id"


def source(query: str = FROM, **more) -> dict:
    return {"type": "sql", "url_env": ENV, "query": query, **more}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs statements on an SQLite file that the variable leads to."""
    monkeypatch.setenv(ENV, f"sqlite:///{tmp_path / 'news.db'}")

    def run(*statements: str) -> None:
        with sqlite3.connect(tmp_path / "news.db") as connection:
            for statement in statements:
                connection.execute(statement)

    run("CREATE TABLE news (id INTEGER, text TEXT, time TEXT)")
    return run


def insert(number: int, time: str) -> str:
    return f"INSERT INTO news VALUES ({number}, 'text {number}', '{time}')"  # noqa: S608  (of a test's own)


@pytest.mark.parametrize("sign", [">", ">="])
def test_rows_of_the_same_instant_are_not_lost(tmp_path, run, sign: str) -> None:
    stream = LiveStream(tmp_path, source(FROM.replace(">=", sign)), {"id": "id"})
    run(insert(1, "2026-01-01 10:00:00"))
    assert stream.read() == ["text 1"]
    run(insert(2, "2026-01-01 10:00:00"), insert(3, "2026-01-01 10:00:00.5"))
    assert stream.read() == ["text 2", "text 3"]
    assert stream.read() == []
    watermark = json.loads(stream.position)["at"]["watermark"]
    assert datetime.fromisoformat(watermark) == datetime(2026, 1, 1, 10, 0, 0, 500_000, tzinfo=UTC)


def test_rows_that_are_committed_late_are_read_by_lookback(tmp_path, run) -> None:
    plain = LiveStream(tmp_path, source())
    looking_back = LiveStream(tmp_path, source(lookback="1 hour"))
    run(insert(1, "2026-01-01 10:00:00"))
    assert plain.read() == looking_back.read() == ["text 1"]
    run(insert(2, "2026-01-01 09:30:00"))
    assert plain.read() == []
    assert looking_back.read() == ["text 2"]


def test_the_watermark_moves_only_once_all_is_read(tmp_path, run) -> None:
    # The newest row comes first: to go on after it would lose all others.
    stream = LiveStream(tmp_path, source(FROM.replace("BY id", "BY time DESC")))
    times = [f"2026-01-{1 + n // 1440:02} {n // 60 % 24:02}:{n % 60:02}:00" for n in range(12_000)]
    run(*(insert(n, time) for n, time in enumerate(times)))
    first = next(stream.open().batches())
    stream.commit(first)
    assert len(stream.stored) == 10_000
    assert len(stream.read()) == 2_000
    assert stream.read() == []


def test_a_time_in_the_future_is_never_the_watermark(tmp_path, run) -> None:
    stream = LiveStream(tmp_path, source())
    run(insert(1, "2099-01-01 10:00:00"), insert(2, "2026-01-01 10:00:00"))
    assert stream.read() == ["text 1", "text 2"]
    assert sum(stream.left_out.values()) == 1
    run(insert(3, "2026-01-01 11:00:00"))
    assert stream.read() == ["text 3"]


def test_numbers_are_compared_as_the_column_counts(tmp_path, run) -> None:
    run("CREATE TABLE counted (text TEXT, time INTEGER)", "INSERT INTO counted VALUES ('a', 1767225600000)")
    query = "SELECT text, time FROM counted WHERE time >= :watermark"
    stream = LiveStream(tmp_path, source(query), {"time_format": "epoch_ms"})
    assert stream.read() == ["a"]
    run("INSERT INTO counted VALUES ('b', 1767225600000)", "INSERT INTO counted VALUES ('c', 1767225599998)")
    assert stream.read() == ["b"]


def test_what_is_wrong_is_told_of_the_monitor(tmp_path, run, monkeypatch) -> None:
    stream = LiveStream(tmp_path, source())
    run(insert(1, "2026-01-01 10:00:00"))
    stream.read()
    position = stream.position
    run("ALTER TABLE news RENAME COLUMN text TO body")
    with pytest.raises(SourceError, match=r"monitor\.source"):
        stream.read()
    with pytest.raises(SourceError, match=r"monitor\.source\.query has no column 'text'"):
        LiveStream(tmp_path, source("SELECT id, body, time FROM news WHERE time >= :watermark")).read()
    with pytest.raises(SpecError, match="watermark"):
        LiveStream(tmp_path, source(), {"time": None}).read()
    run("ALTER TABLE news RENAME COLUMN body TO text", insert(2, "2026-01-01 10:00:00"))
    assert stream.position == position
    assert stream.read() == ["text 2"]
    monkeypatch.setenv(ENV, "postgresql+psycopg://nobody:secret@127.0.0.1:1/none")
    with pytest.raises(UnreachableError) as error:
        stream.read()
    assert "secret" not in str(error.value)


def test_postgresql_with_a_transaction_that_ends_late(tmp_path, new_postgres, monkeypatch) -> None:
    url = new_postgres()
    monkeypatch.setenv(ENV, url)
    native = url.replace("+psycopg", "")
    stream = LiveStream(tmp_path, source(lookback="1 hour"), {"id": "id"})
    with psycopg.connect(native, autocommit=True) as one, psycopg.connect(native) as late:
        one.execute("CREATE TABLE news (id BIGINT, text TEXT, time TIMESTAMPTZ)")
        late.execute("INSERT INTO news VALUES (1, 'text 1', '2026-01-01 10:00+01')")
        one.execute("INSERT INTO news VALUES (2, 'text 2', '2026-01-01 09:10Z')")
        assert stream.read() == ["text 2"]
        late.commit()
        assert stream.read() == ["text 1"]
    assert {text.id: text.time.hour for text in stream.stored.values()} == {"2": 9, "1": 9}
