"""Which stretches of time are drawn, and in how wide buckets: as many as a chart can show, however long a stream is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from perennial.monitoring.surges.bucket_width import width_for
from perennial.monitoring.trends.calendar import DAY, WIDTHS, Calendar, in_utc
from perennial.settings.monitor.trends import TrendsSpec

MOST_BUCKETS = 400
"""A chart of more can't be read, and days are the widest buckets."""
LONGEST = timedelta(days=MOST_BUCKETS - 1)
SHORTER = {"30 days": timedelta(days=30), "3 days": timedelta(days=3)}
"""Beside the whole: in its wide buckets a surge of an hour is not seen."""
WORTH_A_RANGE = 1.5
"""Times a shorter range that the whole has to be."""


@dataclass(frozen=True)
class TimeRange:
    """A stretch of time in buckets."""

    name: str
    calendar: Calendar
    starts: tuple[datetime, ...]
    """In UTC."""
    edges: np.ndarray
    """(buckets + 1,) seconds since 1970: where each bucket begins, and the last one ends."""

    @property
    def end(self) -> datetime:
        """Of the last bucket, in UTC."""
        return self.calendar.end(self.starts[-1])

    def buckets(self, seconds: np.ndarray) -> np.ndarray:
        """The number of each time's bucket, -1 outside; `seconds` since 1970."""
        places = np.searchsorted(self.edges, seconds, side="right") - 1
        return np.where(places < len(self.starts), places, -1)


def time_ranges(trends: TrendsSpec, first: datetime, last: datetime, texts: int) -> list[TimeRange]:
    """The whole from `first` to `last` (aware), no longer than LONGEST, then shorter ones up to `last`.

    `texts` between them: where `trends.bucket` is auto, a bucket has ten on average.
    """
    whole = min(last - first, LONGEST)
    name = "all time" if whole == last - first else f"{MOST_BUCKETS} days"
    lengths = {name: whole} | {key: one for key, one in SHORTER.items() if whole > WORTH_A_RANGE * one}
    days = max(whole / timedelta(days=1), 1 / 96)
    narrowest = width_for(texts / days) if trends.bucket == "auto" else trends.bucket
    return [_range(key, trends, last - length, last, narrowest) for key, length in lengths.items()]


def _range(name: str, trends: TrendsSpec, first: datetime, last: datetime, narrowest: int) -> TimeRange:
    minutes = (last - first) / timedelta(minutes=1)
    # One more: neither end is where a bucket begins.
    fitting = [width for width in WIDTHS if width >= narrowest and minutes / width + 1 <= MOST_BUCKETS]
    calendar = Calendar(fitting[0] if fitting else DAY, trends.timezone, frozenset(trends.holidays))
    starts = calendar.between(first, last)
    edges = in_utc([*starts, calendar.end(starts[-1])]).astype(np.int64)
    return TimeRange(name, calendar, starts, edges)
