"""Stored live texts in a table of a database, too, for whoever reads them with SQL: each once, whatever is killed.

The store in the home is what counts (`perennial/stream/store.py`); the table follows it. One process at a time writes,
as the store's lock has it; rows that a killed one added are known by their ids and not added again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from perennial.core.errors import SpecError, StoreError
from perennial.settings.monitor.streams import TextTableSpec
from perennial.stream.live_text import stored_schema

if TYPE_CHECKING:
    from perennial.stream.store import StreamStore

BATCH_ROWS = 500
"""Rows that are looked for, and added, together."""
LISTS = ("scores", "topic", "entities", "kept")
"""Columns that hold JSON."""
_KINDS: dict[str, Any] = {"time": sa.DateTime(timezone=True), "read": sa.DateTime(timezone=True), "score": sa.Double()}


def text_table(name: str) -> sa.Table:
    """The table: the columns of stored texts, and the pipeline that they are of."""
    columns = [sa.Column(one, _KINDS.get(one, sa.Text()), primary_key=one == "id") for one in stored_schema().names]
    return sa.Table(name, sa.MetaData(), sa.Column("pipeline", sa.String(200), primary_key=True), *columns)


class TextTable:
    """The table of one pipeline's live texts. Each method raises StoreError when the database can't be used."""

    def __init__(self, settings: TextTableSpec, pipeline: str) -> None:
        """Makes the table where there is none. Raises SpecError when the variable of its address is not set."""
        self._settings, self._pipeline, self._table = settings, pipeline, text_table(settings.table)
        with self._clear_errors():
            self._engine = sa.create_engine(self._address(), pool_pre_ping=True)
            self._table.metadata.create_all(self._engine)

    def close(self) -> None:
        """Close its connections."""
        self._engine.dispose()

    def follow(self, store: StreamStore) -> int:
        """Add what was stored since the table last followed; how many rows. To be called inside `store.alone()`."""
        added, since = 0, store.copied_to()
        for table in store.tables(since=since):
            added += self.add(table.to_pylist())
            newest: datetime = table.column("read")[-1].as_py()
            # Texts of one window were read at the same time: it is looked through again, and nothing of it added twice.
            store.note_copied_to(newest)
        return added

    def add(self, rows: Sequence[dict[str, Any]]) -> int:
        """Add those of `rows` (by `stored_schema`) that are not there yet; how many they were."""
        added, ours = 0, self._table.c.pipeline == self._pipeline
        with self._clear_errors():
            for some in _batches(rows):
                with self._engine.begin() as connection:
                    asked = sa.select(self._table.c.id).where(ours, self._table.c.id.in_([row["id"] for row in some]))
                    there = set(connection.execute(asked).scalars())
                    fresh = [self._row(row) for row in some if row["id"] not in there]
                    if fresh:
                        connection.execute(sa.insert(self._table), fresh)
                added += len(fresh)
        return added

    def erase(self, ids: Collection[str]) -> None:
        """Delete the rows with these ids, and take the ids out of what others say of their stories."""
        with self._clear_errors(), self._engine.begin() as connection:
            if connection.dialect.name == "sqlite":
                # Else their bytes stay in the file until others are written over them.
                connection.exec_driver_sql("PRAGMA secure_delete = ON")
            for some in _batches(sorted(ids)):
                columns, ours = self._table.c, self._table.c.pipeline == self._pipeline
                connection.execute(sa.delete(self._table).where(ours, columns.id.in_(some)))
                connection.execute(sa.update(self._table).where(ours, columns.story.in_(some)).values(story=""))

    def erase_before(self, read: datetime) -> int:
        """Delete the rows that were read before; how many."""
        ours = (self._table.c.pipeline == self._pipeline, self._table.c.read < read.astimezone(UTC))
        with self._clear_errors(), self._engine.begin() as connection:
            return int(connection.execute(sa.delete(self._table).where(*ours)).rowcount)

    def _row(self, row: dict[str, Any]) -> dict[str, Any]:
        lists = {name: json.dumps(row[name], ensure_ascii=False) for name in LISTS}
        return {**row, **lists, "pipeline": self._pipeline}

    def _address(self) -> str:
        name = self._settings.url_env
        if address := os.environ.get(name, "").strip():
            return address
        raise SpecError(
            f"The variable {name}, which monitor.sql.url_env names, is not set.",
            remedy="Set it to the database's address, such as postgresql+psycopg://user@host/database.",
        )

    @contextmanager
    def _clear_errors(self) -> Iterator[None]:
        try:
            yield
        # ValueError: of an address whose port is no number; ModuleNotFoundError: of a driver.
        except (sa.exc.SQLAlchemyError, ModuleNotFoundError, ValueError) as error:
            # Without its cause: SQLAlchemy's message carries statements and parameters.
            raise StoreError(
                f"The table {self._settings.table} in the database that {self._settings.url_env} names can't be used "
                f"({type(error).__name__}). Live texts are stored in the home all the same.",
                remedy="Look whether the database is up, may be written, and its driver is installed; the next look "
                "adds what is missing.",
            ) from None


def follow(settings: TextTableSpec, pipeline: str, store: StreamStore, keep_days: float, now: datetime) -> int:
    """Bring the table up to date: add what is new, delete what is old; how many rows were added."""
    table = TextTable(settings, pipeline)
    try:
        added = table.follow(store)
        table.erase_before(now - timedelta(days=keep_days))
    finally:
        table.close()
    return added


def _batches(some: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (some[start : start + BATCH_ROWS] for start in range(0, len(some), BATCH_ROWS))
