"""One look at a pipeline's stored texts: what is new is counted, and each whole bucket is looked at once."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from perennial.core import digest
from perennial.core.errors import SpecError, listing
from perennial.core.home import Home
from perennial.core.record import Record
from perennial.monitoring.alarms.alarm import Alarm
from perennial.monitoring.alarms.alarm_database import keep_note, note_value, reading, writing
from perennial.monitoring.alarms.joining import EventKeeper
from perennial.monitoring.alarms.kept_counts import COUNTED_UNTIL, Added, KeptCounts
from perennial.monitoring.alarms.surge_texts import SurgeTexts
from perennial.monitoring.surges.bucket_width import settled_width
from perennial.monitoring.surges.events import Surge, expected_false_alarms, learning_sentence, surges_of
from perennial.monitoring.surges.replay import Grid, WatchSettings, learning_until, watch_on
from perennial.monitoring.surges.state import WatchState
from perennial.monitoring.trends.calendar import Calendar
from perennial.monitoring.trends.counting import Trends
from perennial.settings.monitor import MonitorSpec
from perennial.settings.pipeline import PipelineSpec

if TYPE_CHECKING:
    import pyarrow as pa

LONGEST_BACKLOG = timedelta(days=400)
"""How far back a first look goes; what is older is learned from only."""
PACE_DAYS = 28
"""Of how many days the width of buckets is chosen."""
SHOWN_DAYS = 7
"""Of the trends that a look gives."""
AHEAD = timedelta(hours=1)
"""By how much the clock of who publishes may be ahead of that of who reads."""
STATE, WIDTH, WATCHES, SPENT, LEARNING = "watch", "width", "watches", "expected false alarms", "learning"


class AlarmLook(Record):
    """What one look came to."""

    trends: Trends
    """Of the last seven days, of the series with most texts."""
    alarms_new: tuple[Alarm, ...] = ()
    alarms_changed: tuple[Alarm, ...] = ()
    """Alarms of earlier looks that go on, grew worse, or are over."""
    buckets: int = 0
    """Whole buckets that were looked at."""
    watched_buckets: int = 0
    """Of those, in how many something was known of what is usual, so that surges were looked for."""
    expected_false_alarms: float = 0.0
    """How many of the alarms in them are likely to be chance."""
    texts: int = 0
    """Texts that were counted."""
    sentences: tuple[str, ...] = ()
    """What a person should know: what is still being learned, what came late, what was left out."""


def look_for_surges(spec: PipelineSpec, home: Home, tables: Iterable[pa.Table], now: datetime) -> AlarmLook:
    """Count the stored texts in `tables` that were not counted before, and look at all buckets that ended since.

    `tables`: of the schema of stored texts, in the order in which they were read, all since `texts_needed_since` or
    more. What is kept under `home.state(spec.name)` changes when all is done or not at all, so who is killed looks
    again, and gets the same alarms. Nobody is told of anything yet: `perennial.monitoring.alarms.telling` does that.
    Raises SpecError if what is watched can't be, BusyError if another process looks, StoreError if nothing can be kept.
    """
    monitor = _monitor(spec)
    with writing(home, spec.name) as connection:
        return _Look(connection, monitor, now).at(tables)


def texts_needed_since(home: Home, pipeline: str) -> datetime | None:
    """From which time of reading on the next look needs stored texts; None: all of them.

    Those of the buckets to come, and of surges that go on, whose sources and headlines are told.
    """
    with reading(home, pipeline) as connection:
        value = note_value(connection, STATE) if connection else None
        until = WatchState.model_validate_json(value).until if value else None
        if connection is None or until is None:
            return None
        mark = note_value(connection, COUNTED_UNTIL)
        counted = json.loads(mark)["read"] / 1e6 if mark else until.timestamp()
        query = "SELECT surge FROM surges WHERE alarm IN (SELECT alarm FROM surges WHERE is_open)"
        opened = [Surge.model_validate_json(text).opened for (text,) in connection.execute(query)]
        return min([until, datetime.fromtimestamp(counted, UTC), *opened]) - AHEAD


def _monitor(spec: PipelineSpec) -> MonitorSpec:
    monitor = spec.live_stream()
    labels = [str(one) for one in spec.data.labels or ()]
    if labels and monitor.alarms.label not in labels:
        raise SpecError(
            f"monitor.alarms.label of {spec.name!r} is {monitor.alarms.label!r}; its model answers "
            f"{listing(map(repr, labels))}, so there would never be an alarm.",
            remedy="Name the label of bad news.",
        )
    return monitor


class _Look:
    def __init__(self, connection: sqlite3.Connection, monitor: MonitorSpec, now: datetime) -> None:
        self._connection, self._monitor, self._now = connection, monitor, now
        self._spec = monitor.alarms
        self._counts = KeptCounts(connection, monitor.trends.by, monitor.trends.most_series)
        self._texts = SurgeTexts(connection, self._spec.label)
        self._events = EventKeeper(connection, self._spec, self._texts)
        self._settings = WatchSettings(false_alarms_per_month=self._spec.false_alarms_per_month)
        value = note_value(connection, STATE)
        self._state = WatchState.model_validate_json(value) if value else WatchState()
        self._buckets, self._watched, self._spent = 0, 0, 0.0

    def at(self, tables: Iterable[pa.Table]) -> AlarmLook:
        added = [self._count(table) for table in tables]
        self._texts.by_time()
        self._settle_what_is_watched()
        grid: Grid | None = None
        for begin, end in self._steps():
            grid = self._watch(begin, end) or grid
        if grid:
            keep_note(self._connection, LEARNING, json.dumps(list(self._learning(grid))))
        kept = [one.key for one in self._state.series]
        left_out = self._counts.forget_small(kept)
        keep_note(self._connection, STATE, self._state.model_dump_json())
        spent = float(note_value(self._connection, SPENT) or 0) + self._spent
        keep_note(self._connection, SPENT, str(spent))
        return AlarmLook(
            trends=self._trends(),
            alarms_new=tuple(self._events.changes.new.values()),
            alarms_changed=tuple(self._events.changes.changed.values()),
            buckets=self._buckets,
            watched_buckets=self._watched,
            expected_false_alarms=self._spent,
            texts=sum(one.texts for one in added),
            sentences=tuple(self._sentences(added, left_out)),
        )

    def _count(self, table: pa.Table) -> Added:
        self._texts.add(table)
        return self._counts.add(table.filter(self._counts.new_rows(table)), self._state.until, self._now)

    def _settle_what_is_watched(self) -> None:
        """Where something else is watched now, what was is over, and the watch begins anew where it was."""
        trends = self._monitor.trends
        watches = digest.of_values(label=self._spec.label, count=self._spec.count, zone=trends.timezone)
        if note_value(self._connection, WATCHES) not in (None, watches):
            over = self._state.until or self._now
            ended = [one.model_copy(update={"state": "cleared", "cleared": over}) for one in self._events.open_surges()]
            self._events.keep(ended, self._calendar(60))
            self._state = WatchState(until=self._state.until)
            self._connection.execute("DELETE FROM notes WHERE name = ?", (WIDTH,))
        keep_note(self._connection, WATCHES, watches)

    def _calendar(self, minutes: int) -> Calendar:
        trends = self._monitor.trends
        return Calendar(minutes, trends.timezone, frozenset(trends.holidays))

    def _steps(self) -> Iterator[tuple[datetime, datetime]]:
        """The days, or parts of them by the calendar's clock, from where the last look came to until now."""
        last = self._now - timedelta(minutes=self._spec.wait_minutes)
        days, first = self._calendar(24 * 60), self._counts.first()
        if first is None:
            return
        begin = max(self._state.until or days.start(first), days.start(last - LONGEST_BACKLOG))
        while begin < last:
            end = min(days.end(days.start(begin)), last)
            yield begin, end
            begin = end

    def _watch(self, begin: datetime, end: datetime) -> Grid | None:
        """Look at the whole buckets from `begin` to `end`, both of one day; None: none has ended."""
        calendar, days = self._calendar(self._width(end)), self._calendar(24 * 60)
        last = calendar.start(end - timedelta(seconds=1))
        if calendar.end(last) > end:
            last = calendar.start(last - timedelta(seconds=1))
        if last < begin:
            return None
        oldest = days.start(begin - timedelta(days=self._settings.history_days))
        oldest = max(oldest, days.start(self._counts.first() or oldest))
        going_on = self._events.open_surges()
        keys = self._counts.largest(self._spec.most_watched, [one.key for one in going_on])
        starts = calendar.between(oldest, last)
        grid = self._counts.grid(calendar, keys, self._spec.label, self._spec.count, starts)
        state, watched = watch_on(grid, self._settings, self._state, begin)
        others = [one for one in self._state.series if one.key not in set(keys) and one.spans]
        self._state = WatchState(until=state.until, series=(*state.series, *others))
        self._events.keep(surges_of(grid, watched, self._spec.label, going_on), calendar)
        self._buckets += len(watched.starts)
        self._watched += int((~watched.learning).any(axis=0).sum())
        self._spent += expected_false_alarms(watched)
        return grid

    def _width(self, end: datetime) -> int:
        """Of a bucket, in minutes; it changes only with the day."""
        asked, kept = self._monitor.trends.bucket, note_value(self._connection, WIDTH)
        before, until = int(kept) if kept else None, self._state.until
        begins_a_day = until is None or self._calendar(24 * 60).start(until) == until
        if before is not None and not begins_a_day:
            return before
        width = settled_width(before, self._pace(until or end)) if asked == "auto" else asked
        keep_note(self._connection, WIDTH, str(width))
        return width

    def _pace(self, last: datetime) -> float:
        first = max(self._counts.first() or last, last - timedelta(days=PACE_DAYS))
        return self._counts.a_day(self._spec.label, self._spec.count, first, last)

    def _trends(self) -> Trends:
        if self._counts.first() is None:
            return Trends(series=())
        calendar = self._calendar(int(note_value(self._connection, WIDTH) or 24 * 60))
        first = self._now - timedelta(days=SHOWN_DAYS)
        return self._counts.trends(calendar, first, self._now, self._monitor.trends.most_series)

    def _sentences(self, added: list[Added], left_out: int) -> Iterator[str]:
        if self._state.until:
            yield from json.loads(note_value(self._connection, LEARNING) or "[]")
        else:
            what = "no bucket of time has ended yet" if self._counts.first() else "there is no text yet"
            yield f"all texts: {what}, so nothing is known of what is usual; there is no alarm before."
        if late := sum(one.late for one in added):
            since = min(one.late_since for one in added if one.late_since)
            yield (
                f"{late:,} texts came late, for buckets since {since:%Y-%m-%d %H:%M} UTC that were looked at before. "
                "They are counted; alarms that were given stay as they are."
            )
        if without := sum(one.without_time for one in added):
            yield f"{without:,} texts have no time, so no bucket counts them."
        if left_out:
            yield (
                f"{left_out:,} small series are counted no more: there are more than "
                f"{self._monitor.trends.most_series:,} larger ones (monitor.trends.most_series)."
            )

    def _learning(self, grid: Grid) -> Iterator[str]:
        until = learning_until(grid, self._settings)
        waiting = [(key, one) for key, one in zip(grid.keys, until, strict=True) if one]
        for key, one in waiting[:1]:
            yield learning_sentence(key, one)
        if len(waiting) > 1:
            yield f"{len(waiting) - 1:,} more series are learning what is usual; there is no alarm of theirs before."
