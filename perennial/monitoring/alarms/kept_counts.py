"""Counts of stored texts by quarter of an hour, series and label, so that no text has to be read twice.

Every bucket of every time zone is made of whole quarters, so the width of buckets and the zone can be changed later.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from perennial.monitoring.alarms.alarm_database import keep_note, note_value
from perennial.monitoring.surges.replay import Grid
from perennial.monitoring.trends.calendar import GRAIN, Calendar
from perennial.monitoring.trends.counting import Trends
from perennial.monitoring.trends.series import Key, Series

if TYPE_CHECKING:
    import pyarrow as pa

HALF_LIFE = 28 * 86_400.0
"""Seconds: of how much an old text counts for which series are the largest."""
SINCE = datetime(2020, 1, 1, tzinfo=UTC).timestamp()
SPARE = 10
"""So many times the series that are shown are counted, as a small one can become a large one; no more, so that a stream
with a new entity in every text does not fill the disk."""
COUNTED_UNTIL = "counted until"
LEFT_OUT = "series left out"


@dataclass(frozen=True)
class Added:
    """What a table added."""

    texts: int = 0
    without_time: int = 0
    late: int = 0
    """Texts of buckets that were looked at already."""
    late_since: datetime | None = None


@dataclass(frozen=True)
class CountedTo:
    """How far the stored texts are counted: so many of those that were read at `read` (µs), and all before."""

    read: int = -(2**62)
    rows: int = 0


class KeptCounts:
    """The counts in one pipeline's file; changes are kept when the connection's transaction is."""

    def __init__(self, connection: sqlite3.Connection, by: Sequence[str], most: int) -> None:
        """`by`: columns whose values have series; `most`: series that are shown."""
        self._connection, self._by, self._most = connection, tuple(by), most
        self._series = {key: int(one) for one, key in connection.execute("SELECT id, key FROM series")}
        self._labels = {name: int(one) for one, name in connection.execute("SELECT id, name FROM labels")}
        value = note_value(connection, COUNTED_UNTIL)
        self._mark = CountedTo(**json.loads(value)) if value else CountedTo()
        self._passed = CountedTo()

    def new_rows(self, table: pa.Table) -> np.ndarray:
        """Which rows of `table` (stored_schema, the next one in the order read) were not counted before; bool (n,).

        Rows are read in an order in which their time of reading never falls, so how far one has come is that time and
        how many rows have it.
        """
        read = _int64(table.column("read"), "us")
        fresh = read > self._mark.read
        for row in np.flatnonzero(read == self._mark.read).tolist():
            self._passed = CountedTo(self._mark.read, self._passed.rows + 1)
            fresh[row] = self._passed.rows > self._mark.rows
        return fresh

    def add(self, table: pa.Table, watched_until: datetime | None, now: datetime) -> Added:
        """Count the rows of `table`, all of which are new, and remember that they are counted."""
        times = _int64(table.column("time"), "s")
        timed = times != _NONE
        starts = times // GRAIN * GRAIN
        cells = self._cells(table, np.flatnonzero(timed), starts)
        self._write(cells, now.timestamp())
        self._move_mark(_int64(table.column("read"), "us"))
        late = timed & (times < (watched_until.timestamp() if watched_until else -np.inf))
        return Added(
            texts=int(timed.sum()),
            without_time=int((~timed).sum()),
            late=int(late.sum()),
            late_since=_time(times[late].min()) if late.any() else None,
        )

    def _cells(self, table: pa.Table, rows: np.ndarray, starts: np.ndarray) -> dict[tuple[str, int, str], list[int]]:
        labels, telling = table.column("label").to_pylist(), table.column("telling").to_pylist()
        columns = [(name, _values(table, name)) for name in self._by]
        cells: dict[tuple[str, int, str], list[int]] = {}
        for row in rows.tolist():
            start, label, story = int(starts[row]), labels[row] or "", int(telling[row] in ("first", None))
            keys = [_ALL]
            for name, values in columns:
                keys += [_as_text(((name, value),)) for value in values[row]]
            for key in keys:
                cell = cells.setdefault((key, start, label), [0, 0])
                cell[0] += 1
                cell[1] += story
        return cells

    def _write(self, cells: dict[tuple[str, int, str], list[int]], now: float) -> None:
        heat: dict[str, float] = {}
        rows = []
        for (key, start, label), (texts, stories) in cells.items():
            age = min(max((min(start, now) - SINCE) / HALF_LIFE, -500), 500)
            heat[key] = heat.get(key, 0.0) + texts * 2.0**age
            rows.append((self._series_id(key), start, self._label_id(label), texts, stories))
        self._connection.executemany(
            "INSERT INTO cells VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
            "texts = texts + excluded.texts, stories = stories + excluded.stories",
            rows,
        )
        self._connection.executemany(
            "UPDATE series SET heat = heat + ? WHERE id = ?", [(more, self._series[key]) for key, more in heat.items()]
        )

    def _series_id(self, key: str) -> int:
        if key not in self._series:
            cursor = self._connection.execute("INSERT INTO series (key, heat) VALUES (?, 0)", (key,))
            self._series[key] = int(cursor.lastrowid or 0)
        return self._series[key]

    def _label_id(self, label: str) -> int:
        if label not in self._labels:
            cursor = self._connection.execute("INSERT INTO labels (name) VALUES (?)", (label,))
            self._labels[label] = int(cursor.lastrowid or 0)
        return self._labels[label]

    def _move_mark(self, read: np.ndarray) -> None:
        if not len(read):
            return
        newest = max(int(read.max()), self._mark.read)
        before = self._mark.rows if newest == self._mark.read else 0
        self._mark = CountedTo(newest, before + int((read == newest).sum()))
        self._passed = self._mark
        keep_note(self._connection, COUNTED_UNTIL, json.dumps({"read": self._mark.read, "rows": self._mark.rows}))

    def forget_small(self, kept: Sequence[Key]) -> int:
        """Drop the smallest series where there are far more than are shown, but none of `kept`; how many ever were."""
        left_out = int(note_value(self._connection, LEFT_OUT) or 0)
        spare = len(self._series) - SPARE * self._most
        if spare > 0:
            saved = {_ALL, *map(_as_text, kept)}
            order = self._connection.execute("SELECT id, key FROM series ORDER BY heat, id")
            dropped = [(one, key) for one, key in order if key not in saved][:spare]
            for table, column in (("cells", "series"), ("series", "id")):
                statement = f"DELETE FROM {table} WHERE {column} = ?"  # noqa: S608 - constants
                self._connection.executemany(statement, [(one,) for one, _ in dropped])
            for _, key in dropped:
                del self._series[key]
            left_out += len(dropped)
            keep_note(self._connection, LEFT_OUT, str(left_out))
        return left_out

    def first(self) -> datetime | None:
        """The quarter of the earliest text; None: there is none."""
        return _time_or_none(self._connection.execute("SELECT MIN(start) FROM cells WHERE series = ?", self._all()))

    def largest(self, most: int, always: Sequence[Key] = ()) -> list[Key]:
        """The keys of the series with most texts of late: all texts, `always`, and others up to `most`."""
        rows = self._connection.execute("SELECT key FROM series ORDER BY heat DESC, id LIMIT ?", (most,))
        wanted = dict.fromkeys([_ALL, *map(_as_text, always), *(str(row[0]) for row in rows)])
        kept = [key for key in wanted if key in self._series]
        return [_as_key(key) for key in kept[: max(most, 1 + len(always))]]

    def a_day(self, label: str, count: str, first: datetime, last: datetime) -> float:
        """Texts, or stories, of `label` a day from `first` to `last`."""
        days = max(1.0, (last - first) / timedelta(days=1))
        query = f"SELECT SUM({_column(count)}) FROM cells WHERE series = ? AND start >= ? AND start < ? AND label = ?"  # noqa: S608
        values = (*self._all(), int(first.timestamp()), int(last.timestamp()), self._labels.get(label, -1))
        return float(self._connection.execute(query, values).fetchone()[0] or 0) / days

    def grid(self, calendar: Calendar, keys: Sequence[Key], label: str, count: str, starts: Sequence[datetime]) -> Grid:
        """The counts of these series in the buckets that begin at `starts`, which follow one another."""
        texts, counted = np.zeros((len(keys), len(starts)), int), np.zeros((len(keys), len(starts)), int)
        seconds = np.array([int(one.timestamp()) for one in starts])
        span = (int(seconds[0]), int(calendar.end(starts[-1]).timestamp()))
        query = (
            f"SELECT start, SUM({_column(count)}), SUM(CASE label WHEN ? THEN {_column(count)} ELSE 0 END) "  # noqa: S608
            "FROM cells WHERE series = ? AND start >= ? AND start < ? GROUP BY start"
        )
        for row, key in enumerate(keys):
            values = (self._labels.get(label, -1), self._series.get(_as_text(key), -1), *span)
            cells = np.array(self._connection.execute(query, values).fetchall(), np.int64).reshape(-1, 3)
            bucket = np.searchsorted(seconds, cells[:, 0], side="right") - 1
            np.add.at(texts[row], bucket, cells[:, 1])
            np.add.at(counted[row], bucket, cells[:, 2])
        return Grid(calendar, tuple(keys), tuple(starts), texts, counted)

    def trends(self, calendar: Calendar, first: datetime, last: datetime, most: int) -> Trends:
        """The series with most texts, from the bucket of `first` to that of `last`, with all their labels."""
        starts = calendar.between(first, last)
        seconds = np.array([int(one.timestamp()) for one in starts])
        series = [self._one(calendar, key, starts, seconds) for key in self.largest(most)]
        left_out = max(0, len(self._series) - len(series)) + int(note_value(self._connection, LEFT_OUT) or 0)
        return Trends(series=tuple(series), left_out=left_out)

    def _one(self, calendar: Calendar, key: Key, starts: tuple[datetime, ...], seconds: np.ndarray) -> Series:
        query = "SELECT start, label, texts FROM cells WHERE series = ? AND start >= ? AND start < ?"
        end = int(calendar.end(starts[-1]).timestamp())
        rows = self._connection.execute(query, (self._series.get(_as_text(key), -1), int(seconds[0]), end)).fetchall()
        cells = np.array(rows, np.int64).reshape(-1, 3)
        bucket = np.searchsorted(seconds, cells[:, 0], side="right") - 1

        def counts(chosen: np.ndarray) -> tuple[int, ...]:
            return tuple(np.bincount(bucket[chosen], cells[chosen, 2], len(starts)).astype(int).tolist())

        has = set(cells[:, 1].tolist())
        return Series(
            key=key,
            minutes=calendar.minutes,
            zone=calendar.zone,
            holidays=tuple(sorted(calendar.holidays)),
            starts=starts,
            texts=counts(np.ones(len(cells), bool)),
            labels={name: counts(cells[:, 1] == one) for name, one in sorted(self._labels.items()) if one in has},
        )

    def _all(self) -> tuple[int]:
        return (self._series.get(_ALL, -1),)


_ALL = "[]"
_NONE = np.iinfo(np.int64).min


def _column(count: str) -> str:
    return {"stories": "stories", "texts": "texts"}[count]


def _as_text(key: Key) -> str:
    return json.dumps(key, ensure_ascii=False)


def _as_key(text: str) -> Key:
    return tuple((str(column), str(value)) for column, value in json.loads(text))


def _values(table: pa.Table, name: str) -> list[list[str]]:
    """The values of a column of each row, each once; of one that only some streams have: those among what is kept."""
    if name in ("topic", "entities"):
        return [list(dict.fromkeys(one for one in values or () if one)) for values in table.column(name).to_pylist()]
    if name == "source":
        return [[one] if one else [] for one in table.column(name).to_pylist()]
    kept = [dict(one or ()) for one in table.column("kept").to_pylist()]
    return [[one[name]] if one.get(name) else [] for one in kept]


def _int64(column: pa.ChunkedArray, unit: str) -> np.ndarray:
    times = np.asarray(column.to_numpy()).astype(f"datetime64[{unit}]")
    return times.astype(np.int64)


def _time(seconds: np.int64 | int) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)


def _time_or_none(rows: sqlite3.Cursor) -> datetime | None:
    (value,) = rows.fetchone()
    return None if value is None else _time(value)
