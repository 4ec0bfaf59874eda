"""The one file in which a pipeline's alarms, counts and watch live, so that a look changes all of them or none."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from perennial.core.errors import BusyError, StoreError
from perennial.core.home import Home

FILE = "alarms.db"
PATIENCE_SECONDS = 60.0
_TABLES = """
CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS series (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, heat REAL NOT NULL);
CREATE TABLE IF NOT EXISTS labels (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS cells (
    series INTEGER NOT NULL, start INTEGER NOT NULL, label INTEGER NOT NULL,
    texts INTEGER NOT NULL, stories INTEGER NOT NULL, PRIMARY KEY (series, start, label)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS surges (
    id TEXT PRIMARY KEY, alarm TEXT NOT NULL, is_open INTEGER NOT NULL, surge TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS alarms (id TEXT PRIMARY KEY, opened TEXT NOT NULL, is_over INTEGER NOT NULL, alarm TEXT);
CREATE TABLE IF NOT EXISTS news (number INTEGER PRIMARY KEY, alarm TEXT NOT NULL, event TEXT NOT NULL, handed INTEGER);
CREATE TABLE IF NOT EXISTS messages (at TEXT NOT NULL);
"""


def path_of(home: Home, pipeline: str) -> Path:
    """Of the file; it need not be there."""
    return home.state(pipeline) / FILE


@contextmanager
def writing(home: Home, pipeline: str) -> Iterator[sqlite3.Connection]:
    """A connection whose changes are kept if the block ends well, all at once; one process at a time has it.

    Raises BusyError if another one has it for a minute, StoreError if the file is damaged or can't be written.
    """
    with _opened(home, pipeline) as connection:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            connection.rollback()
            raise
        connection.commit()


@contextmanager
def reading(home: Home, pipeline: str) -> Iterator[sqlite3.Connection | None]:
    """A connection; None: nothing was kept yet."""
    if not path_of(home, pipeline).exists():
        yield None
        return
    with _opened(home, pipeline) as connection:
        yield connection


def rewrite(home: Home, pipeline: str) -> None:
    """Write the file anew, so that no bytes stay of what was taken out. Raises BusyError, StoreError."""
    with _opened(home, pipeline) as connection:
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def note_value(connection: sqlite3.Connection, name: str) -> str | None:
    """What was kept under `name`; None: nothing."""
    row = connection.execute("SELECT value FROM notes WHERE name = ?", (name,)).fetchone()
    return str(row[0]) if row else None


def keep_note(connection: sqlite3.Connection, name: str, value: str) -> None:
    """Keep `value` under `name`."""
    connection.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, value))


@contextmanager
def _opened(home: Home, pipeline: str) -> Iterator[sqlite3.Connection]:
    path = path_of(home, pipeline)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path, timeout=PATIENCE_SECONDS, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            # What a look needs for a while only is on disk as well: memory stays bounded.
            connection.execute("PRAGMA temp_store = FILE")
            connection.executescript(_TABLES)
            yield connection
    except sqlite3.Error as error:
        raise _as_ours(error, path) from error
    except OSError as error:
        problem = f"{path} can't be written: {error.strerror}."
        raise StoreError(problem, remedy="Free space, or mend its rights.") from error


def _as_ours(error: sqlite3.Error, path: Path) -> Exception:
    if "locked" in str(error):
        return BusyError(
            f"Another process has held {path} for {PATIENCE_SECONDS:g} s: it looks for surges of the same pipeline.",
            remedy="Wait until it is done; nothing was changed here.",
        )
    return StoreError(
        f"The alarms in {path} can't be read or written: {error}.",
        remedy="Free space if there is none. A damaged file can be moved away: counts are made anew from stored texts, "
        "and what became of earlier alarms is lost.",
    )
