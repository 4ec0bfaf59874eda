"""History replayed day by day through the same look as the live stream has: when alarms would have sounded.

Beside it stand what needs no thought: never an alarm, always one, one every so often. Who knows when something did
happen (`PlantedSurge`) is told how much of it each notices, and how late.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from perennial.core import progress
from perennial.core.errors import SourceError
from perennial.core.home import Home
from perennial.core.record import Record
from perennial.monitoring.alarms.alarm import Alarm
from perennial.monitoring.alarms.alarm_table import alarms_of
from perennial.monitoring.alarms.looking import look_for_surges, texts_needed_since
from perennial.monitoring.surges.watching import DAYS_A_MONTH
from perennial.monitoring.trends.calendar import DAY, Calendar
from perennial.settings.monitor import MonitorSpec
from perennial.settings.pipeline import PipelineSpec

if TYPE_CHECKING:
    import pyarrow as pa

Span = tuple[datetime, datetime]


class PlantedSurge(Record):
    """Something bad of which one knows when it was."""

    name: str
    start: datetime
    end: datetime


class ReplayRow(Record):
    """What one way to sound alarms would have come to."""

    name: str
    alarms: int
    a_month: float
    noticed: int | None = None
    """Planted surges with an alarm; None: nobody said what was planted."""
    false_alarms: int | None = None
    """Alarms in no planted surge."""
    median_hours: float | None = None
    """From when a planted surge began to its first alarm, of those that were noticed."""


class Replay(Record):
    """A replayed stretch of history."""

    first: datetime
    last: datetime
    texts: int
    """In that stretch; earlier ones were learned from only."""
    months: float
    """In which surges were looked for."""
    bucket_minutes: tuple[int, ...]
    """How wide buckets were."""
    planted: tuple[PlantedSurge, ...] = ()
    rows: tuple[ReplayRow, ...]
    """The trivial ways first; the last is the pipeline's own settings."""
    expected_false_alarms: float
    alarms: tuple[Alarm, ...]
    sentences: tuple[str, ...] = ()


def replay_alarms(
    spec: PipelineSpec,
    texts: pa.Table,
    since: datetime | None = None,
    until: datetime | None = None,
    planted: Sequence[PlantedSurge] = (),
) -> Replay:
    """Replay `texts` (of stored texts' schema, in any order) as if each had been read when it was published.

    Those before `since` are learned from, and alarms of their time are left out; None: from the first on. Those from
    `until` on are left out. Days are replayed as if somebody looked once a bucket. Nothing is kept. Raises SourceError
    if nothing is left to replay.
    """
    monitor = _without_waiting(spec)
    texts = _in_order(texts, until)
    begin, end = _span(texts, since, until)
    calendar = Calendar(DAY, monitor.trends.timezone, frozenset(monitor.trends.holidays))
    with tempfile.TemporaryDirectory(prefix="perennial-replay-") as folder:
        watch = _Replaying(spec.model_copy(update={"monitor": monitor}), Home(Path(folder)), texts, calendar)
        watch.run()
        alarms = [one for one in alarms_of(watch.home, spec.name) if one.surge.until > begin]
    looked = [one for one in watch.buckets if one[1] > begin]
    chosen = tuple(one for one in planted if one.start < end and one.end > begin)
    times = texts.column("time").to_numpy()
    return Replay(
        first=begin,
        last=end,
        texts=int((times >= _utc(begin)).sum()),
        months=_months(looked),
        bucket_minutes=tuple(sorted({round((to - start) / timedelta(minutes=1)) for start, to in looked})),
        planted=chosen,
        rows=tuple(_rows(looked, alarms, chosen, monitor.alarms.false_alarms_per_month)),
        expected_false_alarms=watch.expected,
        alarms=tuple(alarms),
        sentences=watch.sentences,
    )


def _without_waiting(spec: PipelineSpec) -> MonitorSpec:
    monitor = spec.live_stream()
    return monitor.model_copy(update={"alarms": monitor.alarms.model_copy(update={"wait_minutes": 0.0})})


def _in_order(texts: pa.Table, until: datetime | None) -> pa.Table:
    import pyarrow.compute as pc

    if until:
        texts = texts.filter(pc.less(texts.column("time"), until))
    texts = texts.sort_by("time")
    return texts.set_column(texts.column_names.index("read"), texts.schema.field("read"), texts.column("time"))


def _span(texts: pa.Table, since: datetime | None, until: datetime | None) -> Span:
    if not texts.num_rows or (since and until and since >= until):
        raise SourceError(
            "There is no text to replay" + (f" before {until:%Y-%m-%d %H:%M} UTC." if until else "."),
            remedy="Give a later --to, or a file with texts of that time.",
        )
    first, last = texts.column("time")[0].as_py(), texts.column("time")[-1].as_py()
    begin, end = max(since or first, first), until or last + timedelta(seconds=1)
    if begin >= end:
        raise SourceError(
            f"There is no text to replay: the last one is of {last:%Y-%m-%d %H:%M} UTC, and alarms are wanted from "
            f"{begin:%Y-%m-%d %H:%M} UTC on.",
            remedy="Give an earlier --from.",
        )
    return begin, end


class _Replaying:
    """One look a day: a look goes through whole buckets one after the other, so more of them would see no more."""

    def __init__(self, spec: PipelineSpec, home: Home, texts: pa.Table, days: Calendar) -> None:
        self._spec, self.home, self._texts, self._days = spec, home, texts, days
        self._times = texts.column("time").to_numpy()
        self.buckets: list[Span] = []
        """That were looked at by one series at least."""
        self.expected = 0.0
        self.sentences: tuple[str, ...] = ()

    def run(self) -> None:
        day = self._days.start(self._texts.column("time")[0].as_py())
        last = self._texts.column("time")[-1].as_py()
        while day <= last:
            evening = self._days.end(day)
            self._look(day, evening)
            progress.advance(float(np.searchsorted(self._times, _utc(evening))), len(self._times), unit="texts")
            day = evening

    def _look(self, day: datetime, evening: datetime) -> None:
        first = texts_needed_since(self.home, self._spec.name) or day
        rows = np.searchsorted(self._times, [_utc(first), _utc(evening)])
        table = self._texts.slice(int(rows[0]), int(rows[1] - rows[0]))
        look = look_for_surges(self._spec, self.home, [table], evening)
        self.expected += look.expected_false_alarms
        if look.watched_buckets:
            width = (evening - day) / look.buckets
            self.buckets += [(evening - width * (one + 1), evening - width * one) for one in range(look.buckets)][::-1]
        else:
            self.sentences = look.sentences


def _months(buckets: Sequence[Span]) -> float:
    return sum((to - start) / timedelta(days=1) for start, to in buckets) / DAYS_A_MONTH


def _rows(
    buckets: Sequence[Span], alarms: Sequence[Alarm], planted: Sequence[PlantedSurge], a_month: float
) -> Iterator[ReplayRow]:
    every = timedelta(days=DAYS_A_MONTH / a_month)
    months = _months(buckets)
    yield _row("never", [], months, planted)
    yield _row("always", buckets, months, planted)
    yield _row(f"every {every / timedelta(days=1):.3g} days", list(_every(buckets, every)), months, planted)
    sounded = [(one.surge.opened, one.noticed or one.surge.until, one.surge.until) for one in alarms]
    yield _row(f"Perennial, {a_month:g} a month", [(start, to) for start, to, _ in sounded], months, planted)


def _every(buckets: Sequence[Span], every: timedelta) -> Iterator[Span]:
    """The first bucket to end after each so many days; the first after half of that."""
    turn = buckets[0][0] + every / 2 if buckets else datetime.max.replace(tzinfo=UTC)
    for start, to in buckets:
        if to >= turn:
            yield start, to
            turn += every


def _row(name: str, rings: Sequence[Span], months: float, planted: Sequence[PlantedSurge]) -> ReplayRow:
    row = ReplayRow(name=name, alarms=len(rings), a_month=len(rings) / months if months else 0.0)
    if not planted:
        return row
    first = [min((to for start, to in rings if start < one.end and to > one.start), default=None) for one in planted]
    delays = [(to - one.start) / timedelta(hours=1) for one, to in zip(planted, first, strict=True) if to]
    false = sum(not any(start < one.end and to > one.start for one in planted) for start, to in rings)
    return row.model_copy(
        update={"noticed": len(delays), "false_alarms": false, "median_hours": median(delays) if delays else None}
    )


def _utc(time: datetime) -> np.datetime64:
    return np.datetime64(time.astimezone(UTC).replace(tzinfo=None), "us")
