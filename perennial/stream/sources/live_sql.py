"""A query as a live stream: :watermark is the newest time read, and moves once all of a reading is stored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from perennial.core.errors import SpecError
from perennial.ingest import row_times
from perennial.ingest.canonical_rows import newest
from perennial.ingest.sources import sql
from perennial.ingest.sources.base import require_columns
from perennial.rows.batch import Batch
from perennial.rows.moments import EPOCH
from perennial.settings.data import SqlSource
from perennial.stream.sources.live_rows import RowColumns, RowLimits
from perennial.stream.sources.reader import SourceChunk

_A_MOMENT = timedelta(microseconds=1)


class LiveSql:
    """A query whose result grows."""

    def __init__(self, source: SqlSource, columns: RowColumns, limits: RowLimits) -> None:
        """Raises SpecError for :watermark without a time column."""
        self._source = source
        self._limits = limits
        self._moves = sql.uses_watermark(source)
        if self._moves and columns.time is None:
            raise SpecError(
                "monitor.source.query uses :watermark, the newest time already read, but monitor.columns.time is not "
                "set.",
                remedy="Name the time column under monitor.columns, or take :watermark out of the query.",
            )
        needed = (*columns.needed, columns.time) if self._moves and columns.time else columns.needed
        self._columns = replace(columns, needed=tuple(dict.fromkeys(needed)))

    def chunks(self, at: Any) -> Iterator[SourceChunk]:
        """The query's rows from :watermark on. A query need not be in order of time, so that the watermark moves with
        the last chunk alone.

        Raises SourceError as the query does, and where a column is gone.
        """
        before = datetime.fromisoformat(at["watermark"]) if at else None
        latest = datetime.now(UTC) + self._limits.tolerance
        top = before
        for batch in sql.rows(self._source, (), self._floor(before), self._columns.time_format):
            require_columns("The result of data.source.query", list(batch.columns), self._columns.needed)
            top = self._newest(batch, latest, top)
            yield SourceChunk(batch, at)
        if top is not None and top != before:
            yield SourceChunk(None, {"watermark": top.isoformat()})

    def committed(self, at: Any) -> None:
        """The database is told nothing."""

    def close(self) -> None:
        """Connections end with each reading."""

    def _floor(self, before: datetime | None) -> datetime | None:
        # A moment earlier, so that > takes in rows of the same instant as the newest, as >= does.
        return max(before - self._source.lookback - _A_MOMENT, EPOCH) if before else None

    def _newest(self, batch: Batch, latest: datetime, before: datetime | None) -> datetime | None:
        if not self._moves or self._columns.time is None:
            return before
        try:
            read = row_times.row_times(batch.columns[self._columns.time], latest, self._columns.time_format)
        except row_times.NoTimesError:
            return before
        return newest(before, read.times)
