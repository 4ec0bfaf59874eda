"""The detectors that are compared: each says in which buckets it rings, and how sure it is of each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np

from benchmarks.surges import streams
from perennial.monitoring.surges.bucket_width import width_for
from perennial.monitoring.surges.farrington import farrington
from perennial.monitoring.surges.replay import Grid, WatchSettings, watch_on
from perennial.monitoring.surges.watching import CLEAR_AFTER, DAYS_A_MONTH
from perennial.monitoring.trends.calendar import Calendar

NARROWEST = 60
SIGMAS = 3.0
SMOOTHING = 0.2
WINDOW_DAYS = 28


@dataclass(frozen=True)
class Group:
    """Streams with buckets of one width, and from which bucket on they are scored."""

    members: np.ndarray
    """Their places among all streams; (s,)."""
    grid: Grid
    first: int

    @property
    def minutes(self) -> int:
        """Of a bucket."""
        return self.grid.calendar.minutes

    @property
    def a_month(self) -> float:
        """Buckets of a month."""
        return DAYS_A_MONTH * 24 * 60 / self.minutes


@dataclass(frozen=True)
class Rings:
    """What a detector did in the buckets that are scored; (s, n) each."""

    rings: np.ndarray
    """bool: an alarm is given, and not one that goes on."""
    score: np.ndarray | None = None
    """The higher, the likelier a surge; None: it has no threshold that could be moved."""


def groups(drawn: streams.Streams, history_days: int) -> list[Group]:
    """The streams by the width that the library chooses for them by what came before."""
    a_day = drawn.negative[:, : history_days * 24].sum(axis=1) / history_days
    widths = np.array([width_for(one, NARROWEST) for one in a_day])
    return [_group(drawn, np.flatnonzero(widths == width), int(width), history_days) for width in np.unique(widths)]


def _group(drawn: streams.Streams, members: np.ndarray, minutes: int, history_days: int) -> Group:
    hours = minutes // 60
    calendar = Calendar(minutes, holidays=frozenset(streams.HOLIDAYS))
    days = drawn.texts.shape[1] // 24
    starts = calendar.between(streams.FIRST, streams.FIRST + timedelta(days=days, minutes=-1))

    def bucketed(counts: np.ndarray) -> np.ndarray:
        return counts[members].reshape(len(members), -1, hours).sum(axis=2)

    keys = tuple((("stream", str(one)),) for one in members)
    grid = Grid(calendar, keys, starts, bucketed(drawn.texts), bucketed(drawn.negative))
    return Group(members, grid, history_days * 24 // hours)


def perennial(group: Group, false_alarms: float) -> Rings:
    """The library's watch; `false_alarms` a month of each stream: a grid shares one budget, so it gets the sum."""
    settings = WatchSettings(false_alarms_per_month=false_alarms * len(group.members))
    _, watched = watch_on(group.grid, settings)
    return Rings(watched.opens[:, group.first :], -watched.p_value[:, group.first :])


def always(group: Group) -> Rings:
    """Every bucket."""
    return Rings(np.ones((len(group.members), len(group.grid.starts) - group.first), bool))


def never(group: Group) -> Rings:
    """No bucket."""
    return Rings(~always(group).rings)


def every_month(group: Group) -> Rings:
    """Whatever comes, every k buckets: so many that it is one alarm a month."""
    every = always(group).rings
    begin = np.random.default_rng(group.minutes).uniform(0, group.a_month, (len(every), 1))
    turn = np.floor((np.arange(every.shape[1]) + begin) / group.a_month)
    return Rings(np.diff(turn, axis=1, prepend=np.floor((begin - 1) / group.a_month)) > 0)


def three_sigma(group: Group) -> Rings:
    """The share is more than three standard deviations over the mean of the last 28 days."""
    share, mean, deviation = _of_window(group)
    return _ringing((share - mean) / deviation, SIGMAS, group)


def ewma(group: Group) -> Rings:
    """The exponentially weighted moving average chart (Roberts 1959) of the share, limits of three deviations."""
    share, mean, deviation = _of_window(group)
    smooth, level = np.empty_like(share), mean[:, 0]
    for bucket in range(share.shape[1]):
        level = (1 - SMOOTHING) * level + SMOOTHING * share[:, bucket]
        smooth[:, bucket] = level
    return _ringing((smooth - mean) / (deviation * np.sqrt(SMOOTHING / (2 - SMOOTHING))), SIGMAS, group)


def farrington_flexible(group: Group, *, shares: bool, false_alarms: float = 1.0) -> Rings:
    """Of negative texts, or with all texts as the offset; its quantile is the one of so many false alarms a month."""
    grid, columns = group.grid, []
    for bucket in range(group.first, len(grid.starts)):
        one = farrington(grid.counted, bucket, 7 * grid.calendar.slots, grid.texts if shares else None)
        columns.append(-np.log(np.maximum(one.p_value(grid.counted[:, bucket]), 1e-300)))
    return _ringing(np.column_stack(columns), float(-np.log(false_alarms / group.a_month)), group)


def merged(rings: np.ndarray) -> np.ndarray:
    """One alarm where alarms follow each other with fewer than two buckets of silence between them."""
    recent = np.zeros_like(rings)
    for back in range(1, CLEAR_AFTER + 1):
        recent[:, back:] |= rings[:, :-back]
    return rings & ~recent


def at_threshold(rings: Rings, threshold: float) -> Rings:
    """As if it rang from this score on."""
    assert rings.score is not None
    return replace(rings, rings=merged(rings.score > threshold))


def _ringing(score: np.ndarray, threshold: float, group: Group) -> Rings:
    wanted = score.shape[1] - (len(group.grid.starts) - group.first)
    return Rings(merged(score > threshold)[:, wanted:], score[:, wanted:])


def _of_window(group: Group) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shares of the buckets that are scored, and mean and deviation of the days before; one of no text is usual."""
    grid, width = group.grid, WINDOW_DAYS * group.grid.calendar.slots
    has = grid.texts > 0
    share = np.where(has, grid.counted / np.maximum(grid.texts, 1), 0.0)
    sums = [np.cumsum(np.pad(one, ((0, 0), (1, 0))), axis=1) for one in (has, share, share**2)]
    window = np.arange(group.first, len(grid.starts))
    n, total, squares = (one[:, window] - one[:, window - width] for one in sums)
    mean = total / np.maximum(n, 1)
    deviation = np.sqrt(np.maximum(squares / np.maximum(n, 1) - mean**2, 1e-6))
    return np.where(has[:, window], share[:, window], mean), mean, deviation
