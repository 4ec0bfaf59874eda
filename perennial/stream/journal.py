"""The journal of stored live texts: which parts count, how far the source was read, which ids are known. SQLite.

What one transaction writes is there whole or not at all, whenever the process is killed; the parts themselves are files
beside it (`perennial/stream/parts.py`), and a part that the journal does not name does not count.
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from perennial.core.errors import BusyError, StoreError

NAME = "journal.db"
SECONDS = 30
"""How long it waits for another process that reads or writes the journal; both take milliseconds."""
CACHE_KIB = 16_384
"""Of pages that are held in memory, however many ids there are."""
ID_BYTES = 16
"""Of an id's digest: of a billion ids, two share one with a chance of about 1 in 10^21."""
_TABLES = """
CREATE TABLE IF NOT EXISTS parts (
  number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, rows INTEGER NOT NULL,
  first_read INTEGER NOT NULL, last_read INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS ids (id BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS left_out (sentence TEXT PRIMARY KEY, texts INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS replaced (name TEXT PRIMARY KEY, since REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS looks (number INTEGER PRIMARY KEY, look TEXT NOT NULL);
"""
_COLUMNS = "number, name, rows, first_read, last_read"
POSITION, COPIED_TO = "position", "copied to"


@dataclass(frozen=True, slots=True)
class StoredPart:
    """A Parquet file of stored texts that counts."""

    number: int
    """In the order in which its texts were read; parts that became one part have the first one's."""
    name: str
    rows: int
    first_read: int
    """When its texts were read, the earliest, in microseconds since 1970."""
    last_read: int


class Journal:
    """The journal in a folder. Every method raises StoreError where it can't be read or written."""

    def __init__(self, folder: Path) -> None:
        """Makes it where there is none."""
        self._path = folder / NAME
        # One connection for all threads of a monitor, which take turns.
        self._turn = threading.RLock()
        with self._clear_errors():
            self._database = sqlite3.connect(self._path, timeout=SECONDS, isolation_level=None, check_same_thread=False)
            self._database.execute("PRAGMA synchronous = FULL")
            # One file to put on the disk at a commit, not a folder, too.
            self._database.execute("PRAGMA journal_mode = PERSIST")
            self._database.execute("PRAGMA temp_store = MEMORY")
            self._database.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
            self._database.execute("CREATE TEMP TABLE asked (place INTEGER PRIMARY KEY, id BLOB NOT NULL)")
            self._database.executescript(_TABLES)

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def parts(self) -> list[StoredPart]:
        """All parts that count, in the order in which their texts were read."""
        with self._clear_errors():
            rows = self._database.execute(f"SELECT {_COLUMNS} FROM parts ORDER BY number").fetchall()  # noqa: S608
        return [StoredPart(*row) for row in rows]

    def newest_read(self) -> int | None:
        """When the newest text was read, in microseconds since 1970; None: there is none."""
        with self._clear_errors():
            newest = self._database.execute("SELECT max(last_read) FROM parts").fetchone()[0]
        return None if newest is None else int(newest)

    def position(self) -> str | None:
        """How far the source was read; None: not at all."""
        with self._clear_errors():
            row = self._database.execute("SELECT value FROM state WHERE name = ?", (POSITION,)).fetchone()
        return None if row is None else str(row[0])

    def copied_to(self) -> str | None:
        """How far stored texts were copied, as who copies noted it; None: not at all."""
        with self._clear_errors():
            row = self._database.execute("SELECT value FROM state WHERE name = ?", (COPIED_TO,)).fetchone()
        return None if row is None else str(row[0])

    def note_copied_to(self, how_far: str) -> None:
        """Note how far stored texts were copied."""
        with self._clear_errors():
            self._database.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", (COPIED_TO, how_far))

    def left_out(self) -> dict[str, int]:
        """How many texts of the source were left out in all, by the sentence that says why."""
        with self._clear_errors():
            return dict(self._database.execute("SELECT sentence, texts FROM left_out ORDER BY sentence").fetchall())

    def unknown(self, ids: Sequence[str]) -> list[int]:
        """The places in `ids` of those that were never stored, in order; of one that is there twice, the first."""
        first = {digest_of_id(one): index for index, one in reversed(list(enumerate(ids)))}
        with self._clear_errors(), self._transaction():
            self._database.executemany(
                "INSERT INTO asked VALUES (?, ?)", ((index, one) for one, index in first.items())
            )
            rows = self._database.execute(
                "SELECT place FROM asked LEFT JOIN ids USING (id) WHERE ids.id IS NULL ORDER BY place"
            ).fetchall()
            self._database.execute("DELETE FROM asked")
        return [index for (index,) in rows]

    def next_number(self) -> int:
        """The number of the part to come."""
        with self._clear_errors():
            return int(self._database.execute("SELECT coalesce(max(number), 0) + 1 FROM parts").fetchone()[0])

    def commit(
        self, part: StoredPart | None, ids: Iterable[str], position: str | None, left_out: Mapping[str, int]
    ) -> None:
        """Let `part` (None: nothing was new) count, with all that goes with it, at once."""
        with self._clear_errors(), self._transaction():
            if part is not None:
                self._add(part)
            self._database.executemany("INSERT INTO ids VALUES (?)", ((digest_of_id(one),) for one in ids))
            if position is not None:
                self._database.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", (POSITION, position))
            self._database.executemany(
                "INSERT INTO left_out VALUES (?, ?) ON CONFLICT DO UPDATE SET texts = texts + excluded.texts",
                left_out.items(),
            )

    def replace(self, old: Sequence[StoredPart], new: Sequence[StoredPart], now: float) -> None:
        """Let `new` count in the place of `old`, at once. `now`: seconds since 1970, from when on readers may be left
        with the files of `old`."""
        with self._clear_errors(), self._transaction():
            self._database.executemany("DELETE FROM parts WHERE name = ?", ((part.name,) for part in old))
            self._database.executemany("INSERT INTO replaced VALUES (?, ?)", ((part.name, now) for part in old))
            for part in new:
                self._add(part)

    def replaced_since(self) -> dict[str, float]:
        """The files that count no more but may still be read, with since when; seconds since 1970."""
        with self._clear_errors():
            return dict(self._database.execute("SELECT name, since FROM replaced").fetchall())

    def forget_replaced(self, names: Iterable[str]) -> None:
        """Strike out files that are gone."""
        with self._clear_errors(), self._transaction():
            self._database.executemany("DELETE FROM replaced WHERE name = ?", ((name,) for name in names))

    def note_look(self, look: str, most: int) -> None:
        """Remember what a monitor's run came to, as JSON; of the newest `most` runs."""
        with self._clear_errors(), self._transaction():
            self._database.execute("INSERT INTO looks (look) VALUES (?)", (look,))
            self._database.execute("DELETE FROM looks WHERE number <= (SELECT max(number) FROM looks) - ?", (most,))

    def looks(self, most: int) -> list[str]:
        """What the newest runs came to, the newest first."""
        with self._clear_errors():
            rows = self._database.execute("SELECT look FROM looks ORDER BY number DESC LIMIT ?", (most,)).fetchall()
        return [look for (look,) in rows]

    def _add(self, part: StoredPart) -> None:
        values = (part.number, part.name, part.rows, part.first_read, part.last_read)
        self._database.execute(f"INSERT INTO parts ({_COLUMNS}) VALUES (?, ?, ?, ?, ?)", values)  # noqa: S608

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    @contextmanager
    def _clear_errors(self) -> Iterator[None]:
        try:
            with self._turn:
                yield
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise BusyError(
                    f"The journal {self._path} is held by another process for more than {SECONDS} s.",
                    remedy="Wait until that has ended, and run the same command again.",
                ) from error
            raise StoreError(
                f"The journal {self._path} can't be read or written: {error}.",
                remedy="Free some space, or give yourself the right to write there, and run the same command again; "
                "what was stored is kept.",
            ) from error
        except sqlite3.DatabaseError as error:
            raise StoreError(
                f"The journal {self._path}, which knows which stored texts count, is damaged: {error}.",
                remedy=f"Bring {self._path.parent} back from a backup, or move that folder away: texts are then read "
                "from the source anew.",
            ) from error


def digest_of_id(one: str) -> bytes:
    """By which an id is known: the id itself may be long, or tell who wrote."""
    return hashlib.blake2b(one.encode("utf-8", "surrogatepass"), digest_size=ID_BYTES).digest()
