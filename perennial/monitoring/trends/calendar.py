"""Buckets of time by the clock of a place: aligned to its midnight, and right on the days that have 23 or 25 hours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from perennial.core.errors import PerennialError

DAY = 24 * 60
WIDTHS = (15, 30, 60, 120, 180, 240, 360, 720, DAY)
"""Minutes; each divides a day."""
GRAIN = 15 * 60
"""Seconds. All zones are whole quarters of an hour from UTC, so that times of one quarter share a bucket."""


@dataclass(frozen=True)
class Calendar:
    """Which bucket a time is in, and what sort of time it is there."""

    minutes: int
    """How wide a bucket is: one of WIDTHS. One of more than an hour is shorter or longer where clocks change in it."""
    zone: str = "UTC"
    """IANA's name of the place by whose clock days begin."""
    holidays: frozenset[date] = frozenset()
    """Days that are like Sundays, or have their own level once some were seen."""

    def __post_init__(self) -> None:
        """Raise PerennialError if there is no such width or zone."""
        if self.minutes not in WIDTHS:
            wanted = ", ".join(map(str, WIDTHS))
            raise PerennialError(
                f"Buckets of {self.minutes} minutes were asked for; they can be {wanted} minutes wide."
            )
        try:
            ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise PerennialError(
                f"There is no time zone {self.zone!r}; IANA's names are known, as Europe/London.",
                remedy="Write the zone so, or UTC.",
            ) from None

    @cached_property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.zone)

    @property
    def slots(self) -> int:
        """How many buckets a day has, but those on which clocks change."""
        return DAY // self.minutes

    def local(self, time: datetime) -> datetime:
        """`time` by the calendar's clock."""
        return time.astimezone(self._zone)

    def start(self, time: datetime) -> datetime:
        """When the bucket of `time` (aware) began, in UTC."""
        local = self.local(time)
        minute = (local.hour * 60 + local.minute) // self.minutes * self.minutes
        # The hour that clocks repeat is two buckets where buckets are so narrow, and part of one where they are not.
        fold = local.fold if self.minutes <= 60 else 0
        floor = local.replace(hour=minute // 60, minute=minute % 60, second=0, microsecond=0, fold=fold)
        return floor.astimezone(UTC)

    def end(self, start: datetime) -> datetime:
        """When the bucket that began at `start` ends, in UTC."""
        if self.minutes <= 60:
            return start + timedelta(minutes=self.minutes)
        local = self.local(start)
        # Added to the wall's clock, not to time: that is what makes a day of 23 hours.
        following = (local.replace(tzinfo=None) + timedelta(minutes=self.minutes)).replace(tzinfo=self._zone)
        return following.astimezone(UTC)

    def between(self, first: datetime, last: datetime) -> tuple[datetime, ...]:
        """The starts of all buckets from that of `first` to that of `last`, in UTC."""
        return tuple(self._from(self.start(first), self.start(last)))

    def _from(self, start: datetime, last: datetime) -> Iterator[datetime]:
        while start <= last:
            yield start
            start = self.end(start)

    def starts(self, times: np.ndarray) -> np.ndarray:
        """The start of each time's bucket; both datetime64 in UTC."""
        seconds = times.astype("datetime64[s]").astype(np.int64)
        quarters, where = np.unique(seconds // GRAIN, return_inverse=True)
        begins = [self.start(datetime.fromtimestamp(int(one) * GRAIN, UTC)) for one in quarters]
        return in_utc(begins)[where]

    def is_free(self, day: date) -> bool:
        """Whether a day is a holiday."""
        return day in self.holidays

    def kinds_of(self, starts: Sequence[datetime]) -> CalendarTimes:
        """Slot of the day, weekday and whether it is a holiday, of each bucket."""
        local = [self.local(start) for start in starts]
        slots = np.array([(one.hour * 60 + one.minute) // self.minutes for one in local], int)
        holiday = np.array([self.is_free(one.date()) for one in local], bool)
        weekday = np.array([one.weekday() for one in local], int)
        return CalendarTimes(slots, np.where(holiday, 6, weekday), holiday)


@dataclass(frozen=True)
class CalendarTimes:
    """What sort of time each of `n` buckets is."""

    slot: np.ndarray
    """(n,) of the day, from 0."""
    weekday: np.ndarray
    """(n,) from Monday, 0; a holiday counts as Sunday."""
    holiday: np.ndarray
    """(n,) bool."""


def in_utc(times: Iterable[datetime]) -> np.ndarray:
    """Aware times as datetime64 of seconds in UTC."""
    return np.array([int(one.timestamp()) for one in times], np.int64).astype("datetime64[s]")
