"""The texts of a look that may belong to a surge, on disk for as long as it takes."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from perennial.monitoring.surges.evidence import SurgeText

if TYPE_CHECKING:
    import pyarrow as pa

MOST = 20_000
"""Texts of the label from which sources, entities and headlines are taken; of more, as many spread over all."""
LONGEST = 500
"""Characters of a headline."""
_TABLE = """
CREATE TEMP TABLE surge_texts (
    number INTEGER PRIMARY KEY, id TEXT, time REAL, text TEXT, source TEXT, entities TEXT, topics TEXT, kept TEXT
)
"""


class SurgeTexts:
    """In a temporary table of a connection, which SQLite drops with it."""

    def __init__(self, connection: sqlite3.Connection, label: str) -> None:
        """Of texts with this label; others make no surge."""
        connection.execute(_TABLE)
        self._connection, self._label = connection, label

    def add(self, table: pa.Table) -> None:
        """The rows of `table` (stored_schema) that have the label."""
        import pyarrow.compute as pc

        ours = table.filter(pc.equal(table.column("label"), self._label))
        names = ("id", "time", "text", "source", "entities", "topic", "kept")
        columns = [ours.column(name).to_pylist() for name in names]
        self._connection.executemany(
            "INSERT INTO surge_texts VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)",
            (
                (one, time.timestamp(), (text or "")[:LONGEST], source or "", *map(json.dumps, lists))
                for one, time, text, source, *lists in zip(*columns, strict=True)
                if time is not None
            ),
        )

    def by_time(self) -> None:
        """Make ready to be asked: all were added."""
        self._connection.execute("CREATE INDEX temp.surge_texts_by_time ON surge_texts (time)")

    def between(self, first: datetime, last: datetime) -> list[SurgeText]:
        """Those of `first` to before `last`, the earliest first; no more than MOST, evenly spread."""
        span = (first.timestamp(), last.timestamp())
        (many,) = self._connection.execute(
            "SELECT COUNT(*) FROM surge_texts WHERE time >= ? AND time < ?", span
        ).fetchone()
        query = (
            "SELECT id, time, text, source, entities, topics, kept FROM surge_texts "
            "WHERE time >= ? AND time < ? AND number % ? = 0 ORDER BY time, number"
        )
        return [self._as_text(*row) for row in self._connection.execute(query, (*span, -(-many // MOST) or 1))]

    def _as_text(self, one: str, time: float, text: str, source: str, *lists: str) -> SurgeText:
        entities, topics, kept = (json.loads(value) for value in lists)
        return SurgeText(
            id=one,
            time=datetime.fromtimestamp(time, UTC),
            label=self._label,
            text=text,
            source=source,
            entities=tuple(entities or ()),
            topics=tuple(topics or ()),
            values=tuple((str(name), str(value)) for name, value in kept or ()),
        )
