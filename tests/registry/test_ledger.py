import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from registry_helpers import free_port

from perennial.core.errors import RegistryError
from perennial.core.home import Home
from perennial.registry import chain, database, lease
from perennial.registry.database import ENTRIES, Database
from perennial.registry.ledger import Action, Entry, Ledger, State

OPEN = """
import sys
from pathlib import Path
from perennial.core.home import Home
from perennial.registry.ledger import Ledger
Ledger.open(Home(Path(sys.argv[1]))).models()
"""
TWENTY = pytest.mark.soak(twin="tests/registry/test_ledger.py::test_many_processes_open_it_at_once[sqlite-4]")


@pytest.fixture(params=["sqlite", "postgresql"])
def book(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """An empty ledger, in a home whose path is no friend of URLs."""
    if request.param == "postgresql":
        monkeypatch.setenv(database.VARIABLE, request.getfixturevalue("new_postgres")())
    return Ledger.open(Home(tmp_path / "höme 100% #1"))


def added(book: Ledger, model: str = "news", to: str | None = "1", state: State = State.INTENT) -> Entry:
    with lease.held(book.database, model) as held:
        return book.append(
            held, Action.PROMOTE, state, from_version=None, to_version=to, reason="why", decision_digest="d"
        )


def test_entries_come_back_as_they_were_written(book: Ledger) -> None:
    made = added(book)
    (found,) = book.entries("news")
    assert found == made
    assert (found.action, found.state, found.to_version, found.from_version) == (
        Action.PROMOTE, State.INTENT, "1", None,
    )  # fmt: skip
    assert found.who == lease.whoami()
    assert "@" in found.who
    with book.database.transaction() as connection:
        now = connection.scalar(sa.select(book.database.now()))
    assert abs(found.moment.timestamp() - now) < 10, "in UTC, by the database's clock"
    assert book.entries("other") == []
    assert book.models() == ["news"]


def test_an_intent_is_open_until_it_is_concluded_once(book: Ledger) -> None:
    intent = added(book)
    other = added(book, "other")
    assert book.open_intents("news") == [intent]
    assert book.open_intents() == [intent, other]
    with lease.held(book.database, "news") as held:
        done = book.conclude(held, intent, State.DONE)
        assert (done.intent, done.to_version, done.reason, done.decision_digest) == (intent.id, "1", "why", "d")
        assert book.open_intents("news") == []
        with pytest.raises(RegistryError):
            book.conclude(held, intent, State.ABANDONED)
    assert book.last_move("news") == done
    assert book.last_move("other") is None


def test_what_was_written_is_chained_and_a_change_is_noticed(book: Ledger) -> None:
    added(book)
    added(book, "other", "2")
    state = chain.examine_chain(book.database)
    assert (state.faults, state.links, state.of_migration) == ((), 2, 0)
    sqlite = book.database.engine.dialect.name == "sqlite"
    trigger = "perennial_ledger_no_update" if sqlite else "perennial_ledger_append_only"
    on = "" if sqlite else " ON perennial_ledger"
    with book.database.transaction() as connection:
        connection.exec_driver_sql(f"DROP TRIGGER {trigger}{on}")
        connection.exec_driver_sql("UPDATE perennial_ledger SET to_version = '3' WHERE model = 'other'")
    faults = chain.examine_chain(book.database).faults
    assert faults == ("entry 2 was changed", f"the trigger {trigger}, which refuses changes, is gone or disabled")


FORBIDDEN = {
    "sqlite": ("INSERT OR REPLACE INTO perennial_ledger SELECT * FROM perennial_ledger",),
    "postgresql": ("TRUNCATE perennial_ledger", "TRUNCATE perennial_ledger CASCADE"),
}


def test_the_database_itself_refuses_to_change_what_was_written(book: Ledger) -> None:
    made = added(book)
    own = FORBIDDEN[book.database.engine.dialect.name]
    for statement in ("UPDATE perennial_ledger SET reason = 'another'", "DELETE FROM perennial_ledger", *own):
        with pytest.raises(RegistryError, match=r"append-only|foreign key"), book.database.transaction() as connection:
            connection.exec_driver_sql(statement)
        assert book.entries("news") == [made]


def test_only_the_holder_of_the_lease_writes(book: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "SECONDS", 0.0)
    refused = pytest.raises(lease.LeaseLostError, match="held up for so long")
    with lease.held(book.database, "news") as slow, lease.held(book.database, "news"), refused:
        book.append(slow, Action.PROMOTE, State.INTENT, from_version=None, to_version="1", reason="")
    assert book.entries("news") == []


def test_each_registry_has_its_own_history_and_passwords_stay_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path)
    added(Ledger.open(home))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://ann:hunter2@Tracking.example:5000/base/?token=hunter2")
    there = Ledger.open(home)
    assert there.registry == "https://tracking.example:5000/base"
    assert there.entries("news") == []
    added(there)
    assert b"hunter2" not in (tmp_path / database.FILE).read_bytes()


def test_a_home_that_moved_keeps_its_history(tmp_path: Path) -> None:
    made = added(Ledger.open(Home(tmp_path / "old")))
    (tmp_path / "old").rename(tmp_path / "new")
    assert Ledger.open(Home(tmp_path / "new")).entries("news") == [made]


@pytest.mark.parametrize(
    ("kind", "processes"),
    [("sqlite", 4), *(pytest.param(kind, 20, marks=TWENTY) for kind in ("sqlite", "postgresql"))],
)
def test_many_processes_open_it_at_once(
    kind: str, processes: int, tmp_path: Path, new_postgres: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "postgresql":
        monkeypatch.setenv(database.VARIABLE, new_postgres())
    command = [sys.executable, "-c", OPEN, str(tmp_path / "home")]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for _ in range(processes)]
    said = [process.communicate(timeout=120)[0] for process in started]
    assert [process.returncode for process in started] == [0] * processes, said
    assert set(said) == {b""}
    if kind == "sqlite":
        assert [path.name for path in (tmp_path / "home").iterdir()] == [database.FILE]


def test_it_shares_a_database_with_mlflow(new_postgres: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    url = new_postgres()
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num text)")
        connection.exec_driver_sql("INSERT INTO alembic_version VALUES ('theirs')")
    monkeypatch.setenv(database.VARIABLE, url)
    assert Ledger.open(Home(Path("nowhere"))).models() == []
    with engine.begin() as connection:
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() == "theirs"
    engine.dispose()


def test_the_migrations_make_what_the_library_uses(book: Ledger) -> None:
    inspector = sa.inspect(book.database.engine)
    for table in (ENTRIES, database.LEASES):
        columns = {column["name"] for column in inspector.get_columns(table.name)}
        assert columns == set(table.columns.keys())


def test_opening_is_silent(tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    Ledger.open(Home(tmp_path))
    assert capfd.readouterr() == ("", "")
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_a_ledger_of_a_newer_perennial_is_left_alone(book: Ledger, tmp_path: Path) -> None:
    with book.database.transaction() as connection:
        connection.execute(sa.table(database.VERSIONS, sa.column("version_num")).update().values(version_num="9999"))
    with pytest.raises(RegistryError, match=r"newer Perennial.*Update"):
        Ledger.open(Home(tmp_path / "höme 100% #1"))


def test_a_damaged_file_is_explained(tmp_path: Path) -> None:
    (tmp_path / database.FILE).write_bytes(b"garbage " * 1000)
    with pytest.raises(RegistryError, match=r"ledger.*can't be used.*not a database.*untouched.*backup"):
        Ledger.open(Home(tmp_path))
    assert (tmp_path / database.FILE).read_bytes() == b"garbage " * 1000


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql+psycopg://ann:hunter2@127.0.0.1:{port}/x?password=hunter2", "connection refused"),
        ("mysql://ann:hunter2@host/x", "no address of an SQLite or PostgreSQL"),
        ("ann:hunter2", "no address of an SQLite or PostgreSQL"),
        ("postgresql+pg8000://ann:hunter2@host/x", "not installed"),
        ("sqlite:////proc/nowhere/at/all.db", "can't be used"),
    ],
)
def test_wrong_addresses_are_explained_without_passwords(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, words: str
) -> None:
    monkeypatch.setenv(database.VARIABLE, url.format(port=free_port()))
    with pytest.raises(RegistryError, match=words) as caught:
        Ledger.open(Home(tmp_path))
    assert database.VARIABLE in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_locked_file_ends_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "SECONDS", 1)
    book = Ledger.open(Home(tmp_path))
    assert isinstance(book.database, Database)
    with book.database.transaction():
        with pytest.raises(RegistryError, match="locked"), book.database.transaction():
            pass
        # Who only reads does not wait.
        assert book.models() == []
