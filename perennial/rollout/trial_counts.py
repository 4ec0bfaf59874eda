"""What a trial has counted, kept in the home: servers of one home add to it, and one that is started again goes on.

An SQLite file a model. Of a compared row it holds its id, a salted hash of its text and both versions' answers, until
the trial ends: late labels are joined to them. Of a trial that has ended only the counts stay.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perennial.core import file_systems
from perennial.core.errors import StoreError
from perennial.core.home import Home
from perennial.rollout import answers, verdict
from perennial.rollout.answers import UnreadableLabelError
from perennial.rollout.evidence import Outcomes
from perennial.rollout.verdict import Finding

WAIT_SECONDS = 30
FIRST_REQUESTS = 200
"""Of the champion, by which it is fixed what slow means; they are not counted themselves."""
SLOWEST = 0.95
_TABLES = """
CREATE TABLE IF NOT EXISTS compared (
    challenge TEXT, id TEXT, text_key BLOB, champion TEXT, challenger TEXT, is_labelled INTEGER DEFAULT 0,
    PRIMARY KEY (challenge, id), UNIQUE (challenge, text_key));
CREATE TABLE IF NOT EXISTS counted (
    challenge TEXT, figure TEXT, worse INTEGER, same INTEGER, better INTEGER, PRIMARY KEY (challenge, figure));
CREATE TABLE IF NOT EXISTS findings (challenge TEXT, figure TEXT, finding TEXT, PRIMARY KEY (challenge, figure));
CREATE TABLE IF NOT EXISTS first_requests (challenge TEXT, seconds REAL);
CREATE TABLE IF NOT EXISTS thresholds (challenge TEXT PRIMARY KEY, seconds REAL);
"""


@dataclass(frozen=True)
class ComparedRow:
    """A row that both versions answered."""

    id: str
    text_key: bytes
    champion: Mapping[str, Any]
    """The decisive part of its answer."""
    challenger: Mapping[str, Any]


@dataclass(frozen=True)
class ComparedRequest:
    """A request that was asked of both versions."""

    rows: Sequence[ComparedRow]
    """None, where one of them could not answer."""
    champion_failed: bool = False
    challenger_failed: bool = False
    champion_seconds: float | None = None
    """Of the model's own time; None: not measured."""
    challenger_seconds: float | None = None


@dataclass(frozen=True)
class JoinedLabels:
    """What came of late labels."""

    counted: int = 0
    again: int = 0
    """Of rows that had a label already; the first counts."""
    unknown: int = 0
    """Of rows that were not compared."""
    unreadable: int = 0
    """Not of the shape of the answers."""


class TrialCounts:
    """The file of one model. Safe to use by several threads and processes at once."""

    def __init__(self, home: Home, model: str) -> None:
        """Opens nothing yet."""
        self._path = trial_file(home, model)

    def add(self, challenge: str, requests: Sequence[ComparedRequest], max_rows: int) -> None:
        """Count `requests` of a trial, which is known by its salt; a text counts once.

        Raises StoreError when the file can't be written.
        """
        with self._transaction() as connection:
            room = max_rows - _total(connection, challenge, verdict.DIFFERING)
            for request in requests:
                room -= _count_rows(connection, challenge, request.rows[: max(0, room)])
                _count(connection, challenge, verdict.ERRORS, request.challenger_failed - request.champion_failed)
                _count_seconds(connection, challenge, request)

    def add_labels(self, challenge: str, labels: Mapping[str, Any]) -> JoinedLabels:
        """Count late labels, by the ids of rows. The first label of a row counts. Raises StoreError."""
        done = dict.fromkeys(("counted", "again", "unknown", "unreadable"), 0)
        with self._transaction() as connection:
            for row_id, label in labels.items():
                done[_count_label(connection, challenge, row_id, label)] += 1
        return JoinedLabels(**done)

    def counts(self, challenge: str) -> dict[str, Outcomes]:
        """What was counted, by figure. Raises StoreError."""
        query = "SELECT figure, worse, same, better FROM counted WHERE challenge = ?"
        with self._transaction() as connection:
            return {figure: Outcomes(*numbers) for figure, *numbers in connection.execute(query, (challenge,))}

    def findings(self, challenge: str) -> dict[str, Finding]:
        """What was shown at earlier looks, by figure. Raises StoreError."""
        query = "SELECT figure, finding FROM findings WHERE challenge = ?"
        with self._transaction() as connection:
            return {figure: Finding(finding) for figure, finding in connection.execute(query, (challenge,))}

    def keep_findings(self, challenge: str, findings: Mapping[str, Finding]) -> None:
        """Keep what was shown. Raises StoreError."""
        rows = [(challenge, figure, finding.value) for figure, finding in findings.items()]
        with self._transaction() as connection:
            connection.executemany("INSERT OR REPLACE INTO findings VALUES (?, ?, ?)", rows)

    def keep_rows_only_of(self, challenge: str | None) -> None:
        """Forget ids and answers of the rows of every other trial, as they have ended. Raises StoreError."""
        if not self._path.exists():
            return
        with self._transaction() as connection:
            for table in ("compared", "first_requests"):
                connection.execute(f"DELETE FROM {table} WHERE challenge IS NOT ?", (challenge,))  # noqa: S608 - one of two

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            connection = self._connected()
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
            finally:
                connection.close()
        except (sqlite3.Error, OSError) as error:
            raise StoreError(
                f"What the trial has counted can't be kept in {self._path}: {error}.",
                remedy="Make sure that the folder can be written and has space. A damaged file can be moved away: the "
                "trial then begins to count anew.",
            ) from None

    def _connected(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self._path, timeout=WAIT_SECONDS, isolation_level=None)
        # A write-ahead log is shared memory, which the machines that share a disk do not share.
        if file_systems.shared_type(self._path.parent) is None:
            connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(_TABLES)
        return connection


def trial_file(home: Home, model: str) -> Path:
    """Where what the trials of `model` counted is kept."""
    return home.root / "trials" / f"{model}.db"


def _count_rows(connection: sqlite3.Connection, challenge: str, rows: Sequence[ComparedRow]) -> int:
    added = 0
    for row in rows:
        values = (challenge, row.id, row.text_key, _written(row.champion), _written(row.challenger))
        statement = "INSERT OR IGNORE INTO compared VALUES (?, ?, ?, ?, ?, 0)"
        if connection.execute(statement, values).rowcount:
            _count(connection, challenge, verdict.DIFFERING, int(values[3] != values[4]))
            added += 1
    return added


def _count_seconds(connection: sqlite3.Connection, challenge: str, request: ComparedRequest) -> None:
    if request.champion_seconds is None or request.challenger_seconds is None:
        return
    slow = connection.execute("SELECT seconds FROM thresholds WHERE challenge = ?", (challenge,)).fetchone()
    if slow is None:
        connection.execute("INSERT INTO first_requests VALUES (?, ?)", (challenge, request.champion_seconds))
        _fix_threshold(connection, challenge)
        return
    harm = int(request.challenger_seconds > slow[0]) - int(request.champion_seconds > slow[0])
    _count(connection, challenge, verdict.SLOW, harm)


def _fix_threshold(connection: sqlite3.Connection, challenge: str) -> None:
    query = "SELECT seconds FROM first_requests WHERE challenge = ? ORDER BY seconds"
    seconds = [row[0] for row in connection.execute(query, (challenge,))]
    if len(seconds) >= FIRST_REQUESTS:
        threshold = seconds[int(SLOWEST * len(seconds))]
        connection.execute("INSERT OR IGNORE INTO thresholds VALUES (?, ?)", (challenge, threshold))


def _count_label(connection: sqlite3.Connection, challenge: str, row_id: str, label: Any) -> str:
    query = "SELECT champion, challenger, is_labelled FROM compared WHERE challenge = ? AND id = ?"
    row = connection.execute(query, (challenge, row_id)).fetchone()
    if row is None:
        return "unknown"
    if row[2]:
        return "again"
    champion, challenger = json.loads(row[0]), json.loads(row[1])
    try:
        truth = answers.as_answer(label, champion)
    except UnreadableLabelError:
        return "unreadable"
    connection.execute("UPDATE compared SET is_labelled = 1 WHERE challenge = ? AND id = ?", (challenge, row_id))
    _count(connection, challenge, verdict.LABELS, answers.harm(champion, challenger, truth))
    return "counted"


def _count(connection: sqlite3.Connection, challenge: str, figure: str, harm: int) -> None:
    connection.execute("INSERT OR IGNORE INTO counted VALUES (?, ?, 0, 0, 0)", (challenge, figure))
    column = {1: "worse", 0: "same", -1: "better"}[harm]
    connection.execute(
        f"UPDATE counted SET {column} = {column} + 1 WHERE challenge = ? AND figure = ?",  # noqa: S608 - one of three
        (challenge, figure),
    )


def _total(connection: sqlite3.Connection, challenge: str, figure: str) -> int:
    query = "SELECT worse + same + better FROM counted WHERE challenge = ? AND figure = ?"
    row = connection.execute(query, (challenge, figure)).fetchone()
    return int(row[0]) if row else 0


def _written(answer: Mapping[str, Any]) -> str:
    return json.dumps(answer, sort_keys=True, ensure_ascii=False)
