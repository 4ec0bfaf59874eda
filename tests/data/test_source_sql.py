import socket
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime

import psycopg
import pytest
import sqlalchemy as sa

from perennial.core.errors import SourceError, SpecError, UnreachableError

ENV = "TEST_DATABASE_URL"
ALL = "SELECT text, label, at FROM news ORDER BY at, text"
NEW = "SELECT text, label, at FROM news WHERE at > :watermark ORDER BY at, text"
FROM = NEW.replace(">", ">=")


def source(query: str = ALL) -> dict:
    return {"type": "sql", "url_env": ENV, "query": query}


@pytest.fixture
def postgres(postgres_url: str, monkeypatch) -> Callable[[str], None]:
    """Runs statements on an empty PostgreSQL schema of the test's own, which the variable leads to."""
    native = postgres_url.replace("+psycopg", "")
    with psycopg.connect(native, autocommit=True) as admin:
        admin.execute("DROP SCHEMA public CASCADE")
        admin.execute("CREATE SCHEMA public")
    monkeypatch.setenv(ENV, postgres_url)

    def run(*statements: str) -> None:
        with psycopg.connect(native) as connection:
            for statement in statements:
                connection.execute(statement)

    return run


@pytest.fixture
def sqlite(tmp_path, monkeypatch) -> Callable[[str], None]:
    """The same on an SQLite file."""
    path = tmp_path / "news.db"
    monkeypatch.setenv(ENV, f"sqlite:///{path}")

    def run(*statements: str) -> None:
        with sqlite3.connect(path) as connection:
            for statement in statements:
                connection.execute(statement)

    return run


@pytest.mark.parametrize("kind", ["timestamp", "timestamptz", "date"])
@pytest.mark.parametrize("query", [ALL, NEW, FROM])
def test_postgresql_gives_what_is_new(pipeline, postgres, kind: str, query: str) -> None:
    # A session in another zone must not move the watermark.
    postgres(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET timezone = ''Asia/Tokyo''', current_database()); END $$"
    )
    postgres(
        f"CREATE TABLE news (text text, label text, at {kind})",
        "INSERT INTO news VALUES ('a', 'good', '2026-01-05 00:00+00'), ('b', NULL, '2026-01-06 00:00+00')",
    )
    made = pipeline(source=source(query), time="at")
    first = made.ingest()
    zone = kind == "timestamptz"
    rows = made.rows(first)
    assert [(row["text"], row["label"], row["file"], row["line"]) for row in rows] == [
        ("a", "good", "query", 1),
        ("b", None, "query", 2),
    ]
    if zone:
        assert rows[0]["time"] == datetime(2026, 1, 5, tzinfo=UTC)
    assert made.ingest().new_rows == 0
    postgres("INSERT INTO news VALUES ('c', 'bad', '2026-01-07 00:00+00')")
    second = made.ingest()
    assert [row["text"] for row in made.rows(second)] == ["a", "b", "c"]
    assert second.repeated_rows == {ALL: 2, NEW: 0, FROM: 1}[query]


def test_postgresql_streams_types_and_odd_text(pipeline, postgres) -> None:
    postgres(
        "CREATE TABLE news (text text, label numeric(4, 2), key uuid, flag boolean)",
        "INSERT INTO news SELECT 'text ' || n || E' \\u00e9\\n', 1.10, gen_random_uuid(), true "
        "FROM generate_series(1, 9000) n",
    )
    made = pipeline(source=source("SELECT * FROM news WHERE '12:30' <> '' AND 1::int = 1"), id="key", slices=["flag"])
    rows = made.rows()
    assert len(rows) == 9000
    assert {(row["label"], row["flag"]) for row in rows} == {("1.10", "true")}


def test_rows_older_than_the_watermark_are_told(pipeline, postgres) -> None:
    postgres(
        "CREATE TABLE news (text text, label text, at timestamptz)",
        "INSERT INTO news VALUES ('b', 'good', '2026-01-06')",
    )
    made = pipeline(source=source(ALL), time="at")
    made.ingest()
    postgres("INSERT INTO news VALUES ('a', 'good', '2026-01-05')")
    assert made.ingest().late_rows == 1
    assert "perennial run sentiment --reread" in made.notes[0]
    assert made.ingest(reread=True).rows == 2


@pytest.mark.parametrize("query", [ALL, NEW, FROM])
@pytest.mark.parametrize("form", ["{}", "{} 00:00:00", "{}T00:00:00Z", "{} 00:00:00.000000"])
def test_sqlite_misses_no_row_however_times_are_spelled(pipeline, sqlite, query: str, form: str) -> None:
    def insert(text: str, day: str) -> str:
        return f"INSERT INTO news VALUES ('{text}', 'good', '{form.format(day)}')"  # noqa: S608

    sqlite(
        "CREATE TABLE news (text, label, at)",
        insert("a", "2026-01-05"),
    )
    made = pipeline(source=source(query), time="at")
    assert made.ingest().new_rows == 1
    sqlite(insert("b", "2026-01-06"))
    if query != NEW:
        sqlite(insert("c", "2026-01-05"))
    rows = made.rows()
    assert sorted(row["text"] for row in rows) == ["a", "b", *(["c"] if query != NEW else [])]


def fails(made, *parts: str, error: type[Exception] = SourceError) -> None:
    with pytest.raises(error) as caught:
        made.ingest()
    for part in parts:
        assert part in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None or "s3cret" not in str(caught.value.__cause__)


def test_no_variable(pipeline, monkeypatch) -> None:
    monkeypatch.delenv(ENV, raising=False)
    fails(pipeline(source=source()), ENV, "is not set", "postgresql+psycopg://")


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("user:s3cret@host", [ENV, "no database URL"]),
        ("postgresql://u:s3cret@host:port/db", [ENV, "no database URL"]),
        ("http://u:s3cret@host/db", ["starts with 'http'", "SQLAlchemy knows nothing"]),
        ("postgres://u:s3cret@host/db", ["starts with 'postgres'", "postgresql+psycopg"]),
        ("postgresql+pg8000://u:s3cret@host/db", ["'pg8000'", "not installed", "postgresql+psycopg"]),
        ("sqlite:////nowhere/at/all.db", ["sqlite database", "unable to open database file"]),
    ],
)
def test_wrong_urls(pipeline, monkeypatch, url: str, parts: list[str]) -> None:
    monkeypatch.setenv(ENV, url)
    fails(pipeline(source=source()), *parts)


def test_connection_refused(pipeline, monkeypatch) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        monkeypatch.setenv(ENV, f"postgresql+psycopg://u:s3cret@127.0.0.1:{held.getsockname()[1]}/db")
        fails(pipeline(source=source()), "postgresql database", ENV, "refused", "is up")


@pytest.mark.parametrize(
    ("query", "parts"),
    [
        ("SELECT text, label FROM nowhere", ["failed on the postgresql", 'relation "nowhere" does not exist']),
        ("SELEKT 1", ["syntax error"]),
        ("SELECT 'a' AS txt, 'b' AS label", ["result of data.source.query has no column 'text'", "txt, label"]),
        ("SELECT 'a' AS text, 'b' AS label, 'c' AS text", ["more than one column named 'text'"]),
        ("SELECT 'a' AS text, :other AS label", ["a parameter other than :watermark"]),
        ("SELECT CAST('private words' AS int) AS text, 'b' AS label", ["could not be converted"]),
        ("SELECT 'a' AS text, 'b' AS label WHERE false", ["'sentiment' holds no row: query gave nothing"]),
        ("SELECT ARRAY['a'] AS text, 'b' AS label", ["query, row 1: column 'text' holds a list"]),
    ],
)
def test_bad_queries(pipeline, postgres, query: str, parts: list[str]) -> None:
    made = pipeline(source=source(query))
    fails(made, *parts)
    with pytest.raises(SourceError) as caught:
        made.ingest()
    assert "private" not in str(caught.value)


@pytest.mark.parametrize(
    ("form", "unit"), [("epoch_s", 1), ("epoch_ms", 1_000), ("epoch_us", 10**6), ("epoch_ns", 10**9)]
)
def test_a_watermark_is_counted_as_the_column_is(pipeline, sqlite, form: str, unit: int) -> None:
    start = 1_767_571_200  # 2026-01-05T00:00Z
    sqlite(
        "CREATE TABLE news (text text, label text, at integer)",
        f"INSERT INTO news VALUES ('a', 'good', {start * unit}), ('b', 'bad', {(start + 60) * unit})",  # noqa: S608
    )
    made = pipeline(source=source(FROM), time="at", time_format=form)
    first = made.ingest()
    assert [(row["text"], row["time"]) for row in made.rows(first)] == [
        ("a", datetime(2026, 1, 5, tzinfo=UTC)),
        ("b", datetime(2026, 1, 5, 0, 1, tzinfo=UTC)),
    ]
    # Of the newest row's own instant, and newer: both are read, and of the known rows just the newest.
    later = f"('c', 'good', {(start + 60) * unit}), ('d', 'bad', {(start + 61) * unit})"
    sqlite(f"INSERT INTO news VALUES {later}")  # noqa: S608
    second = made.ingest()
    assert sorted(row["text"] for row in made.rows(second)) == ["a", "b", "c", "d"]
    assert (second.new_rows, second.repeated_rows) == (2, 1)


def test_a_watermark_needs_a_time_column(pipeline, sqlite) -> None:
    fails(pipeline(source=source(NEW)), ":watermark", "data.columns.time is not set", error=SpecError)


def test_a_password_in_the_databases_own_message_is_taken_out(pipeline, monkeypatch) -> None:
    # SQLite's message repeats nothing, so a driver that does is stood in for by its error.
    from perennial.ingest.sources.sql import _reason

    monkeypatch.setenv(ENV, "postgresql+psycopg://u:s3cret%20x@host/db")
    reason = _reason(ValueError("no login with 's3cret x' or s3cret%20x or s3cret+x\nmore"))
    assert reason == "no login with '***' or *** or ***"


def test_a_database_that_is_not_there_is_told_from_one_that_objects(pipeline, sqlite, monkeypatch, tmp_path) -> None:
    sqlite("CREATE TABLE news (text, label, at)")
    with pytest.raises(SourceError) as objects:
        pipeline(source=source("SELECT text FROM nothing")).ingest()
    assert not isinstance(objects.value, UnreachableError)
    monkeypatch.setenv(ENV, f"sqlite:///{tmp_path / 'news.db'}?timeout=0.1")
    with sqlite3.connect(tmp_path / "news.db", isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(UnreachableError, match="database is locked"):
            pipeline(source=source()).ingest()
        other.execute("ROLLBACK")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        monkeypatch.setenv(ENV, f"postgresql+psycopg://ann@127.0.0.1:{probe.getsockname()[1]}/news")
        with pytest.raises(UnreachableError):
            pipeline(source=source()).ingest()


def test_a_wrong_password_is_no_database_that_is_away(pipeline, postgres_url: str, monkeypatch) -> None:
    nobody = sa.make_url(postgres_url).set(username="nobody_knows")
    monkeypatch.setenv(ENV, nobody.render_as_string(hide_password=False))
    with pytest.raises(SourceError, match="nobody_knows") as caught:
        pipeline(source=source()).ingest()
    assert not isinstance(caught.value, UnreachableError)
