import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa
from pydantic import ValidationError

from perennial.core.errors import RegistryError
from perennial.core.home import Home
from perennial.records.run import Trigger
from perennial.registry import database
from perennial.registry.database import RUNS
from perennial.registry.ledger import Ledger
from perennial.runs import log
from perennial.runs.log import RunEntry

START = datetime(2026, 3, 1, 2, 30, 0, 123456, tzinfo=UTC)
NOTE = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from perennial.core.home import Home
from perennial.runs import log as runs
now = datetime.now(UTC)
entry = runs.RunEntry(pipeline="news", started=now, ended=now, status="skipped", sentence=sys.argv[2], host="h")
runs.note_run(Home(Path(sys.argv[1])), entry)
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home whose database is its own, or a PostgreSQL."""
    if request.param == "postgresql":
        monkeypatch.setenv(database.VARIABLE, request.getfixturevalue("new_postgres")())
    return Home(tmp_path / "höme 100% #1")


def entry(number: int = 0, **changes: object) -> RunEntry:
    began = START + timedelta(days=number)
    values = {
        "pipeline": "news", "started": began, "ended": began + timedelta(seconds=90), "status": "promoted",
        "version": str(number), "sentence": "All 5 checks passed.", "host": "box",
    }  # fmt: skip
    return RunEntry.model_validate(values | changes)


def test_runs_come_back_as_they_were_noted_newest_first(place: Home) -> None:
    drifted = Trigger(kind="drift", detail="labels shifted: PSI 0.41")
    noted = [
        entry(0),
        entry(1, status="held", trigger=drifted),
        entry(2, status="failed", version=None, trigger=drifted),
        entry(3, status="skipped"),
    ]
    for one in (*noted, entry(4, pipeline="other")):
        log.note_run(place, one)
    assert log.recent_runs(place, "news") == noted[::-1]
    assert log.recent_runs(place, "news", limit=1) == noted[3:]
    assert log.recent_runs(place, "none") == []
    assert noted[0].seconds == 90
    assert log.last_started(place, "news", "drift") == noted[1].started, "the one that failed does not count"
    assert log.last_started(place, "news", "data") is None


def test_moments_are_kept_in_utc_whatever_zone_they_are_given_in(place: Home) -> None:
    there = timezone(timedelta(hours=-9))
    log.note_run(place, entry(started=START.astimezone(there)))
    (found,) = log.recent_runs(place, "news")
    assert found.started == START
    assert found.started.utcoffset() == timedelta(0)


def test_the_database_itself_refuses_to_change_what_was_noted(place: Home) -> None:
    log.note_run(place, entry())
    book = database.open_database(place)
    own = {
        "sqlite": "INSERT OR REPLACE INTO perennial_runs SELECT * FROM perennial_runs",
        "postgresql": "TRUNCATE perennial_runs",
    }[book.engine.dialect.name]
    for statement in ("UPDATE perennial_runs SET status = 'promoted'", "DELETE FROM perennial_runs", own):
        with pytest.raises(RegistryError, match="append-only"), book.transaction() as connection:
            connection.exec_driver_sql(statement)
    with pytest.raises(RegistryError), book.transaction() as connection:
        connection.execute(sa.insert(RUNS).values(**_row(entry()), status="vanished"))
    assert log.recent_runs(place, "news") == [entry()]


def test_the_migration_makes_what_the_library_uses(place: Home) -> None:
    inspector = sa.inspect(database.open_database(place).engine)
    assert {column["name"] for column in inspector.get_columns(RUNS.name)} == set(RUNS.columns.keys())


def test_a_ledger_from_before_there_were_runs_keeps_its_entries(place: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    _make_old(place, monkeypatch)
    book = Ledger.open(place)
    assert [found.to_version for found in book.entries("news")] == ["1"]
    log.note_run(place, entry())
    assert log.recent_runs(place, "news") == [entry()]


def test_looking_makes_no_database(tmp_path: Path) -> None:
    assert log.recent_runs(Home(tmp_path / "home"), "news") == []
    assert log.last_started(Home(tmp_path / "home"), "news", "drift") is None
    assert list(tmp_path.iterdir()) == []


def test_each_registry_has_its_own_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(tmp_path)
    log.note_run(home, entry())
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://ann:hunter2@tracking.example")
    assert log.recent_runs(home, "news") == []
    log.note_run(home, entry(1))
    assert b"hunter2" not in (tmp_path / database.FILE).read_bytes()


def test_long_sentences_and_what_no_database_holds(place: Home) -> None:
    log.note_run(place, entry(sentence="a\0b\n  c " + "long " * 1000))
    (found,) = log.recent_runs(place, "news")
    assert found.sentence.startswith("a b c long")
    assert len(found.sentence) == log.SENTENCE_LENGTH


def test_a_moment_without_its_zone_is_refused() -> None:
    with pytest.raises(ValidationError, match="timezone"):
        entry(started=START.replace(tzinfo=None))


def test_a_database_that_is_gone_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / database.FILE).write_bytes(b"garbage " * 1000)
    with pytest.raises(RegistryError, match="can't be used"):
        log.note_run(Home(tmp_path), entry())


def test_many_processes_note_at_once(
    tmp_path: Path, new_postgres: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(database.VARIABLE, new_postgres())
    command = [sys.executable, "-c", NOTE, str(tmp_path)]
    started = [subprocess.Popen([*command, str(n)], stderr=subprocess.PIPE) for n in range(4)]
    said = [process.communicate(timeout=120)[1] for process in started]
    assert [process.returncode for process in started] == [0] * 4, said
    assert sorted(run.sentence for run in log.recent_runs(Home(tmp_path), "news")) == list("0123")


def _row(one: RunEntry) -> dict[str, object]:
    kept = one.model_dump(include={"pipeline", "started", "ended", "version", "sentence", "host"})
    return {"registry": "embedded", "trigger": "hand", "detail": "", **kept}


def _make_old(place: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database as it was before the migration, with an entry in the ledger."""
    from alembic import command

    newest = command.upgrade
    with monkeypatch.context() as past:
        past.setattr(database, "HEAD", "0001")
        past.setattr(command, "upgrade", lambda config, _: newest(config, "0001"))
        book = Ledger.open(place)
        assert not sa.inspect(book.database.engine).has_table(RUNS.name)
        add = sa.text(
            "INSERT INTO perennial_ledger (registry, model, action, state, to_version, who, reason) "
            "VALUES (:registry, 'news', 'promote', 'done', '1', 'ann', 'why')"
        )
        with book.database.engine.begin() as connection:
            connection.execute(add, {"registry": book.registry})
