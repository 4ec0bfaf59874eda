"""The database of the ledger, the leases and the runs: SQLite in the home, or a PostgreSQL that machines share."""

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from perennial.core import file_systems
from perennial.core.errors import RegistryError
from perennial.core.home import Home

VARIABLE = "PERENNIAL_DATABASE_URL"
FILE = "ledger.db"
EXAMPLES = "postgresql+psycopg://user@host/database, or sqlite:////folder/file.db"
MIGRATIONS = Path(__file__).with_name("migrations")
HEAD = "0006"
"""The newest migration."""
VERSIONS = "perennial_ledger_version"
"""Alembic's table. A name of its own: the database may be MLflow's or Prefect's, too, and they use Alembic as well."""
SECONDS = 30
"""How long the database may keep us waiting: for a lock, a statement, an answer."""
CONNECT_SECONDS = 10
ADVISORY_LOCK = 7_202_601_310
"""PostgreSQL's number for `the ledger is being migrated`; any number that nobody else uses."""
UNTOUCHED = "The champion is untouched."
READS = "perennial_reads"
"""The option of a connection whose transaction only reads."""


class UtcMoment(sa.TypeDecorator[datetime]):
    """A moment in UTC; SQLite keeps no time zone, and PostgreSQL answers in the session's."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """The moment with its zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


_TABLES = sa.MetaData()
ENTRIES = sa.Table(
    "perennial_ledger",
    _TABLES,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
    # What the database fills in is fetched; see the migrations for what it is.
    sa.Column("moment", UtcMoment, server_default=sa.FetchedValue()),
    *(sa.Column(name, sa.Text) for name in ("registry", "model", "action", "state")),
    sa.Column("intent", sa.BigInteger),
    *(sa.Column(name, sa.Text) for name in ("from_version", "to_version", "who", "reason", "decision_digest")),
    sa.Column("token", sa.BigInteger),
    # What the version that it is about is by this entry, where the action alone does not say; what else belongs to it.
    *(sa.Column(name, sa.Text) for name in ("status", "detail")),
)
JUDGINGS = sa.Table(
    "perennial_judgings",
    _TABLES,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
    sa.Column("moment", UtcMoment, server_default=sa.FetchedValue()),
    *(sa.Column(name, sa.Text) for name in ("registry", "model", "version", "run_id", "package_digest")),
    *(sa.Column(name, sa.Text) for name in ("decision_digest", "outcome", "champion_version")),
    *(sa.Column(name, sa.Text) for name in ("evidence_digest", "evidence_folder", "overrides", "who")),
    sa.Column("after_entry", sa.BigInteger),
)
CHAIN = sa.Table(
    "perennial_ledger_chain",
    _TABLES,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
    sa.Column("source", sa.Text),
    sa.Column("row_id", sa.BigInteger),
    *(sa.Column(name, sa.Text) for name in ("previous", "hash")),
    sa.Column("is_of_migration", sa.Boolean),
)
LEASES = sa.Table(
    "perennial_leases",
    _TABLES,
    sa.Column("model", sa.Text, primary_key=True),
    sa.Column("holder", sa.Text),
    sa.Column("token", sa.BigInteger),
    sa.Column("expires", sa.Double),
)
IDENTITY = sa.Table("perennial_ledger_identity", _TABLES, sa.Column("id", sa.Text, primary_key=True))
MARKS = sa.Table(
    "perennial_ledger_marks",
    _TABLES,
    *(sa.Column(name, sa.Text, primary_key=True) for name in ("registry", "model")),
    sa.Column("token", sa.BigInteger),
    # Whether a mark has arrived in the registry, this one or one before.
    sa.Column("is_left", sa.Boolean),
)
LOOKS = sa.Table(
    "perennial_looks",
    _TABLES,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
    sa.Column("moment", UtcMoment, server_default=sa.FetchedValue()),
    *(sa.Column(name, sa.Text) for name in ("registry", "model", "compared", "package")),
    *(sa.Column(name, sa.Text) for name in ("champion_version", "anchor_version", "metric")),
    *(sa.Column(name, sa.Double) for name in ("beside_champion", "beside_anchor")),
    sa.Column("number", sa.BigInteger),
    *(sa.Column(name, sa.Double) for name in ("budget", "level", "spent")),
    *(sa.Column(name, sa.BigInteger) for name in ("texts", "fresh")),
    # sha256 of the sketch of the rows that were looked at till then; null: written before looks were chained.
    *(sa.Column(name, sa.Text) for name in ("who", "sketch_digest")),
)
TEST_ROWS = sa.Table(
    "perennial_test_rows",
    _TABLES,
    *(sa.Column(name, sa.Text, primary_key=True) for name in ("registry", "model")),
    sa.Column("sketch", sa.Text),
)
RUNS = sa.Table(
    "perennial_runs",
    _TABLES,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
    *(sa.Column(name, sa.Text) for name in ("registry", "pipeline")),
    *(sa.Column(name, UtcMoment) for name in ("started", "ended")),
    *(sa.Column(name, sa.Text) for name in ("trigger", "detail", "status", "version", "sentence", "host")),
)


@dataclass(frozen=True)
class Database:
    """The ledger's database, its tables up to date."""

    engine: sa.Engine
    address: str
    """Its address, without a password."""

    @contextmanager
    def transaction(self, standing: str = UNTOUCHED) -> Iterator[sa.Connection]:
        """One transaction. Raises RegistryError for whatever the database refuses; nothing is written then.

        `standing`: one sentence on how things stand if it does.
        """
        with _explained(self.address, standing), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def connected(self) -> Iterator[sa.Connection]:
        """A connection whose transactions only read: in SQLite they wait for no writer, and none waits for them.

        Raises as `transaction` does.
        """
        with _explained(self.address), self.engine.connect() as connection:
            yield connection.execution_options(**{READS: True})

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """One transaction of such a connection."""
        with self.connected() as connection, connection.begin():
            yield connection

    def now(self) -> sa.ColumnElement[float]:
        """Seconds since 1970 by the database's clock, as SQL."""
        if self.engine.dialect.name == "sqlite":
            return sa.literal_column("(julianday('now') - 2440587.5) * 86400.0", sa.Double)
        return sa.cast(sa.extract("epoch", sa.func.clock_timestamp()), sa.Double)


def is_there(home: Home) -> bool:
    """Whether there is a database to look into; looking makes none. One that another machine keeps is taken to be."""
    file = sqlite_file(home)
    return file is None or file.exists()


def is_embedded() -> bool:
    """Whether the database is the one in the home."""
    return not os.environ.get(VARIABLE)


def sqlite_file(home: Home) -> Path | None:
    """The file of the database, which need not be there yet; None: it is PostgreSQL, or the address is none.

    Without looking into it.
    """
    try:
        url = _url(home)
    except RegistryError:
        return None
    return Path(url.database or "").absolute() if url.get_backend_name() == "sqlite" else None


def open_database(home: Home) -> Database:
    """The database that PERENNIAL_DATABASE_URL names, or the one in `home`; its tables are made or migrated.

    Safe when many processes do so at once. Raises RegistryError when it can't be reached or a newer Perennial made it.
    """
    url = _url(home)
    address = url.set(query={}).render_as_string(hide_password=True)
    with _explained(address):
        if url.get_backend_name() == "sqlite":
            _make_sqlite(url)
        database = Database(_engine(url), address)
        if _version(database) != HEAD:
            _migrate(database)
    return database


def _url(home: Home) -> sa.URL:
    value = os.environ.get(VARIABLE, "").strip()
    if not value:
        return sa.URL.create("sqlite", database=str((home.root / FILE).absolute()))
    try:
        url = sa.make_url(value)
        is_supported = url.get_backend_name() in ("sqlite", "postgresql")
    except (sa.exc.ArgumentError, ValueError):
        is_supported = False
    if not is_supported:
        # Without a cause: that would show the URL, and its password.
        raise RegistryError(
            f"What {VARIABLE} holds is no address of an SQLite or PostgreSQL database.",
            remedy=f"Write it like {EXAMPLES}; special characters in a password are percent-encoded.",
        ) from None
    return url


def _engine(url: sa.URL) -> sa.Engine:
    if url.get_backend_name() == "sqlite":
        engine = sa.create_engine(url, poolclass=NullPool, connect_args={"timeout": SECONDS})
        sa.event.listen(engine, "connect", _set_up_sqlite)
        # Without IMMEDIATE a transaction that reads first and then writes fails at once if another wrote meanwhile.
        begin, begin_reading = "BEGIN IMMEDIATE", "BEGIN"
    else:
        waits = {"connect_timeout": CONNECT_SECONDS, "tcp_user_timeout": SECONDS * 1000} if _is_libpq(url) else {}
        engine = _postgresql(url, waits)
        begin = begin_reading = f"SET LOCAL statement_timeout = '{SECONDS}s'"

    def begun(connection: sa.Connection) -> None:
        connection.exec_driver_sql(begin_reading if connection.get_execution_options().get(READS) else begin)

    sa.event.listen(engine, "begin", begun)
    return engine


def _postgresql(url: sa.URL, waits: dict[str, int]) -> sa.Engine:
    try:
        return sa.create_engine(url, poolclass=NullPool, connect_args=waits)
    except (sa.exc.NoSuchModuleError, ModuleNotFoundError):
        raise RegistryError(
            f"{VARIABLE} starts with {url.drivername!r}, whose Python package is not installed.",
            remedy="Write postgresql+psycopg://…, and install it: pip install 'psycopg[binary]'.",
        ) from None


def _is_libpq(url: sa.URL) -> bool:
    return url.get_driver_name() in ("psycopg", "psycopg2")


def _set_up_sqlite(connection: sqlite3.Connection, _: Any) -> None:
    # sqlite3 would begin transactions by itself, later and weaker ones than ours.
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")


def _make_sqlite(url: sa.URL) -> None:
    """Make the file beside its place, whole, and then put it there: many may try at once, and any may be killed."""
    path = Path(url.database or "")
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=path.parent) as folder:
        new = Path(folder) / path.name
        with sqlite3.connect(new) as connection:
            # A write-ahead log is shared memory, which the machines that share a disk do not share.
            shared = file_systems.shared_type(path.parent) is not None
            connection.execute(f"PRAGMA journal_mode = {'DELETE' if shared else 'WAL'}")
        connection.close()
        database = Database(_engine(url.set(database=str(new))), str(path))
        _migrate(database)
        file_systems.put_once(new, path)  # or another process was faster


def _version(database: Database) -> str | None:
    with database.reading() as connection:
        if not sa.inspect(connection).has_table(VERSIONS):
            return None
        return connection.scalar(sa.select(sa.column("version_num")).select_from(sa.table(VERSIONS)))


def _migrate(database: Database) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    # One transaction for all of it: SQLite's is exclusive, PostgreSQL's is made so. Who comes second finds it done.
    with database.engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(ADVISORY_LOCK)))
        _refuse_newer(connection, database.address)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _refuse_newer(connection: sa.Connection, address: str) -> None:
    if not sa.inspect(connection).has_table(VERSIONS):
        return
    revision = connection.scalar(sa.select(sa.column("version_num")).select_from(sa.table(VERSIONS)))
    if revision is not None and revision > HEAD:
        raise RegistryError(
            f"The ledger at {address} was made by a newer Perennial (its tables are {revision}, this one knows "
            f"{HEAD}).",
            remedy="Update Perennial on this machine. Nothing was read or written.",
        )


@contextmanager
def _explained(address: str, standing: str = UNTOUCHED) -> Iterator[None]:
    try:
        yield
    except (sa.exc.SQLAlchemyError, sqlite3.Error, OSError) as error:
        # Without its cause: SQLAlchemy's message carries statements and parameters.
        raise RegistryError(
            f"The ledger at {address} can't be used: {_reason(error)}. {standing}", remedy=_remedy()
        ) from None


def _remedy() -> str:
    if os.environ.get(VARIABLE):
        return f"Look whether that database is up and may be written, or correct {VARIABLE}; then run the same command."
    return (
        "Make sure that the folder can be written and has space. If the file is damaged, put your backup of it in its "
        "place, or move it away to begin a new ledger, to which `perennial reconcile` then introduces the champions."
    )


def _reason(error: Exception) -> str:
    text = str(getattr(error, "orig", None) or error).strip()
    for sign in ("Connection refused", "Name or service not known", "password authentication failed"):
        if sign.lower() in text.lower():
            return sign[0].lower() + sign[1:]
    line = text.splitlines()[0] if text else type(error).__name__
    return line[:300].rstrip(".")
