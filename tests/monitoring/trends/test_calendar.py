"""Buckets by a place's clock: midnight is midnight there, and no hour is lost or counted twice when clocks change."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perennial.core.errors import PerennialError
from perennial.monitoring.trends.calendar import WIDTHS, Calendar, in_utc

ZONES = ("UTC", "Europe/London", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/Santiago")
MARCH, OCTOBER = datetime(2024, 3, 31, tzinfo=UTC), datetime(2024, 10, 27, tzinfo=UTC)


@given(
    st.sampled_from(WIDTHS),
    st.sampled_from(ZONES),
    st.datetimes(datetime(2023, 1, 1), datetime(2026, 1, 1), timezones=st.just(UTC)),
)
def test_buckets_follow_each_other_without_gap_and_hold_their_times(minutes: int, zone: str, time: datetime) -> None:
    calendar = Calendar(minutes, zone)
    start = calendar.start(time)
    assert start <= time < calendar.end(start) or minutes <= 60  # Lord Howe's clocks go half an hour back.
    assert calendar.start(start) == start
    starts = calendar.between(time, time + timedelta(days=3))
    assert all(one < other for one, other in pairwise(starts))


def test_a_day_has_23_or_25_hours_when_clocks_change() -> None:
    london = Calendar(1440, "Europe/London")
    lengths = [london.end(london.start(day)) - london.start(day) for day in (MARCH, OCTOBER, MARCH + timedelta(days=2))]
    assert lengths == [timedelta(hours=23), timedelta(hours=25), timedelta(hours=24)]


def test_the_hour_that_clocks_repeat_is_two_buckets() -> None:
    london = Calendar(60, "Europe/London")
    starts = london.between(OCTOBER, OCTOBER + timedelta(hours=3))
    assert len(set(starts)) == 4
    assert london.kinds_of(starts).slot.tolist() == [1, 1, 2, 3]


def test_wide_buckets_end_by_the_clock_when_it_changes() -> None:
    london = Calendar(360, "Europe/London")
    starts = london.between(OCTOBER - timedelta(hours=1), OCTOBER + timedelta(hours=23))
    assert london.kinds_of(starts).slot.tolist() == [0, 1, 2, 3]
    assert london.end(starts[0]) - starts[0] == timedelta(hours=7)


def test_many_times_are_put_into_buckets_as_each_one_is() -> None:
    calendar = Calendar(120, "America/New_York")
    times = [OCTOBER + timedelta(minutes=37 * n) for n in range(400)]
    assert calendar.starts(in_utc(times)).tolist() == in_utc(map(calendar.start, times)).tolist()


def test_a_holiday_counts_as_a_sunday() -> None:
    calendar = Calendar(1440, holidays=frozenset({date(2024, 12, 25)}))
    kinds = calendar.kinds_of(calendar.between(datetime(2024, 12, 24, tzinfo=UTC), datetime(2024, 12, 26, tzinfo=UTC)))
    assert kinds.weekday.tolist() == [1, 6, 3]
    assert kinds.holiday.tolist() == [False, True, False]


@pytest.mark.parametrize(("minutes", "zone", "word"), [(7, "UTC", "7 minutes"), (60, "Mars/Olympus", "Mars/Olympus")])
def test_what_is_no_calendar_is_said(minutes: int, zone: str, word: str) -> None:
    with pytest.raises(PerennialError, match=word):
        Calendar(minutes, zone)
    assert np.all(in_utc([]) == in_utc([]))
