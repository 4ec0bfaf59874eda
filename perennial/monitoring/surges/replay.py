"""SeriesMemory series that share a calendar from where a watch stopped, or replay history: the same code does both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from perennial.monitoring.surges.baseline import Baseline, Usual, learn_baseline
from perennial.monitoring.surges.state import Memory, WatchState
from perennial.monitoring.surges.watching import buckets_to_clear, level_a_bucket, look
from perennial.monitoring.trends.calendar import Calendar, CalendarTimes
from perennial.monitoring.trends.seasons import season_design
from perennial.monitoring.trends.series import Key, Series

SURE = 20.0
"""So many times less likely than a false alarm is what is not learned from."""


@dataclass(frozen=True)
class WatchSettings:
    """How a watch behaves."""

    false_alarms_per_month: float = 1.0
    """Of all series that are watched together."""
    learning_days: int = 14
    """No alarm before a series has so many days of history: two of each weekday."""
    history_days: int = 84
    """What is usual is learned of so many days at most."""
    longest_days: int = 7
    """A surge that lasts longer is what is usual from then on."""
    least_texts: int = 100
    """Nor before it has so many texts."""


@dataclass(frozen=True)
class Grid:
    """`s` series of `n` buckets, with what is counted of their texts."""

    calendar: Calendar
    keys: tuple[Key, ...]
    starts: tuple[datetime, ...]
    texts: np.ndarray
    """(s, n) int."""
    counted: np.ndarray
    """(s, n) int: those with the label that surges are looked for in."""

    @classmethod
    def of_series(cls, series: Sequence[Series], label: str) -> Grid:
        """The series have the same calendar and the same buckets."""
        if len({(one.calendar, one.starts) for one in series}) != 1:
            raise ValueError("series that are watched together have the same buckets")
        texts = np.array([one.texts for one in series], int)
        counted = np.array([one.counted(label) for one in series], int)
        return cls(series[0].calendar, tuple(one.key for one in series), series[0].starts, texts, counted)


@dataclass(frozen=True)
class Watched:
    """What a watch saw in `n` buckets of `s` series; (s, n) each, of the buckets in `starts`."""

    starts: tuple[datetime, ...]
    learning: np.ndarray
    """bool: nothing was looked for, as too little was known of what is usual."""
    opens: np.ndarray
    goes_on: np.ndarray
    """bool: a surge that began in an earlier bucket is not over."""
    clears: np.ndarray
    became_usual: np.ndarray
    p_value: np.ndarray
    critical: np.ndarray
    spent: np.ndarray
    """Expected false alarms."""
    usual_share: np.ndarray
    usual_count: np.ndarray


def watch_on(
    grid: Grid, settings: WatchSettings, state: WatchState | None = None, since: datetime | None = None
) -> tuple[WatchState, Watched]:
    """Look at every bucket of `grid` that `state` has not, and at none before `since`; its earlier ones are history.

    What is usual is learned anew when a day begins by the calendar's clock, from the days before.
    """
    state = state or WatchState()
    begin = _first_new(grid, state, since)
    memory = Memory(state.of_keys(grid.keys), grid.starts)
    watching = _Watching(grid, settings, memory)
    watched = _nothing(grid, begin)
    for bucket in range(begin, len(grid.starts)):
        watching.look_at(bucket, watched, bucket - begin)
    until = grid.calendar.end(grid.starts[-1]) if begin < len(grid.starts) else state.until
    if until is None:
        return state, watched
    return memory.state(until, until - timedelta(days=settings.history_days)), watched


def learning_until(grid: Grid, settings: WatchSettings) -> list[datetime | None]:
    """When each series can be watched first, as far as can be said now; None: it can be.

    Where texts are too few, what came so far is supposed to go on.
    """
    return [_learning_until(grid, settings, row) for row in range(len(grid.keys))]


def _learning_until(grid: Grid, settings: WatchSettings, row: int) -> datetime | None:
    end = grid.calendar.end(grid.starts[-1])
    came = np.flatnonzero(grid.texts[row])
    first = grid.starts[int(came[0])] if len(came) else end
    by_days = first + timedelta(days=settings.learning_days)
    texts = int(grid.texts[row].sum())
    if texts >= settings.least_texts:
        return by_days if by_days > end else None
    pace = (end - first) / max(1, texts)
    return max(by_days, end + pace * (settings.least_texts - texts))


def _first_new(grid: Grid, state: WatchState, since: datetime | None) -> int:
    wanted = [one for one in (state.until, since) if one]
    return sum(start < max(wanted) for start in grid.starts) if wanted else 0


class _Watching:
    def __init__(self, grid: Grid, settings: WatchSettings, memory: Memory) -> None:
        self._grid, self._settings, self._memory = grid, settings, memory
        self._clear_after = buckets_to_clear(grid.calendar.minutes)
        self._times = grid.calendar.kinds_of(grid.starts)
        seconds = np.array([one.timestamp() for one in grid.starts])
        self._days = seconds / 86400
        offsets = np.array([one.utcoffset() or timedelta() for one in map(grid.calendar.local, grid.starts)])
        self._dates = np.floor((seconds + [one.total_seconds() for one in offsets]) / 86400).astype(int)
        self._before = np.cumsum(grid.texts, axis=1) - grid.texts
        self._baseline: Baseline | None = None
        self._ready = np.zeros(len(grid.keys), bool)
        self._usual: Usual | None = None
        self._learned_for = -1
        self._first = 0

    def look_at(self, bucket: int, watched: Watched, column: int) -> None:
        self._learn(bucket)
        watched.learning[:, column] = ~self._ready
        if self._usual is None:
            return
        grid, memory = self._grid, self._memory
        usual = Usual(*(one[:, bucket - self._first] for one in self._usual))
        level = level_a_bucket(self._settings.false_alarms_per_month, grid.calendar.minutes, int(self._ready.sum()))
        levels = np.where(self._ready, level, 0.0)
        memory.watch, looked = look(
            memory.watch, grid.texts[:, bucket], grid.counted[:, bucket], usual, levels, self._clear_after
        )
        for name in ("opens", "goes_on", "clears", "p_value", "critical", "spent"):
            getattr(watched, name)[:, column] = getattr(looked, name)
        watched.usual_share[:, column], watched.usual_count[:, column] = usual.share, usual.number
        self._remember(bucket, watched, column, level / SURE)

    def _remember(self, bucket: int, watched: Watched, column: int, sure: float) -> None:
        memory, end = self._memory, self._grid.calendar.end(self._grid.starts[bucket])
        memory.close_spans(np.flatnonzero(watched.clears[:, column]), end, is_usual_now=False)
        memory.open_spans(np.flatnonzero(watched.opens[:, column]), self._grid.starts[bucket])
        memory.make_sure(np.flatnonzero(memory.watch.is_open & (watched.p_value[:, column] <= sure)))
        lasting = memory.ages(end) > self._settings.longest_days
        if lasting.any():
            memory.close_spans(np.flatnonzero(lasting), end, is_usual_now=True)
            memory.watch = replace(memory.watch, is_open=memory.watch.is_open & ~lasting)
            watched.became_usual[:, column] = lasting
            self._learned_for = -1

    def _learn(self, bucket: int) -> None:
        """Anew when a day begins, and for the rest of a day where a watch goes on."""
        if self._dates[bucket] == self._learned_for:
            return
        self._learned_for = int(self._dates[bucket])
        morning = int(np.searchsorted(self._dates, self._dates[bucket]))
        oldest = int(np.searchsorted(self._days, self._days[morning] - self._settings.history_days))
        evening = int(np.searchsorted(self._dates, self._dates[bucket], side="right"))
        self._ready = self._is_ready(morning)
        if not self._ready.any():
            self._usual = None
            return
        design = self._design(oldest, evening, morning)
        past = slice(oldest, morning)
        self._baseline = learn_baseline(
            self._grid.counted[:, past].astype(float),
            self._grid.texts[:, past].astype(float),
            design[: morning - oldest],
            self._memory.weights()[:, past],
            self._grid.calendar.slots,
            self._baseline,
        )
        self._first, self._usual = morning, self._baseline.expected(design[morning - oldest :])

    def _is_ready(self, morning: int) -> np.ndarray:
        came = self._grid.texts > 0
        first = np.where(came.any(axis=1), came.argmax(axis=1), len(self._days) - 1)
        old_enough = self._days[morning] - self._days[first] >= self._settings.learning_days - 0.1
        return np.asarray(old_enough & (self._before[:, morning] >= self._settings.least_texts))

    def _design(self, oldest: int, evening: int, morning: int) -> np.ndarray:
        span = slice(oldest, evening)
        times = CalendarTimes(self._times.slot[span], self._times.weekday[span], self._times.holiday[span])
        return season_design(times, self._days[span] - self._days[morning], self._grid.calendar.slots)


def _nothing(grid: Grid, begin: int) -> Watched:
    shape = (len(grid.keys), len(grid.starts) - begin)
    no, none = np.zeros(shape, bool), np.full(shape, np.nan)
    flags = [no.copy() for _ in range(5)]
    numbers = [none.copy(), np.zeros(shape, int), np.zeros(shape), none.copy(), none.copy()]
    return Watched(grid.starts[begin:], *flags, *numbers)
