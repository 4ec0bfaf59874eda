"""schedule: what a cron and a time zone may be, and what can be watched."""

import asyncio
import re
import sys
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from perennial.core import cron_expression
from perennial.settings.pipeline import PipelineSpec
from perennial.settings.schedule import ScheduleSpec

START = datetime(2027, 1, 1, tzinfo=UTC)
GOOD = (
    "0 3 * * *",
    "*/15 * * * *",
    "30 2-4 1,15 * mon-fri",
    "0 0 1 JAN sun",
    "5/10 * * * 7",
    "@daily",
    "0 3 * * 1-5/2",
    "0 3 29 2 *",
    "0 3 31 1,2,4 *",
    "0 3 29-31 2 fri-7",
    "*/59 */23 */30 */11 */6",
)
BAD = {
    "0 3 * *": "4 fields; it needs five",
    "0 3 * * * *": "6 fields; it needs five: minute, hour, day of month, month, day of week; there is none for seconds",
    "0 3 * * * * *": "7 fields",
    "60 3 * * *": "cron's minute is '60'; it takes 0 to 59",
    "0 24 * * *": "hour is '24'",
    "0 3 0 * *": "day of month is '0'",
    "0 3 * 13 *": "month is '13'",
    "0 3 * * 8": "day of week is '8'",
    "0 3 * * funday": "day of week is 'funday'",
    "0 5-3 * * *": "hour is '5-3'",
    "*/0 * * * *": "minute is '*/0'",
    "0 3 , * *": "day of month is ','",
    "@sometimes": "1 fields; it needs five",
    "0 0 30 2 *": "cron '0 0 30 2 *' never comes: there is no 30 Feb",
    "0 0 31 4 *": "never comes: there is no 31 Apr",
    "0 0 30,31 feb *": "never comes: there is no 30 Feb nor any other of these",
    "0 0 31 4,6,9,11 *": "never comes: there is no 31 Apr nor any other of these",
    "0 0 31 2 1": "never comes: there is no 31 Feb; for the days of the week alone, write * for the day of month",
    "*/90 * * * *": "cron's minute is '*/90'; a step of 90 goes beyond 0 to 59, so that only 0 were left",
    "0 */24 * * *": "hour is '*/24'; a step of 24 goes beyond 0 to 23",
    "30/40 * * * *": "minute is '30/40'; a step of 40 goes beyond 30 to 59, so that only 30 were left. Write 30",
    "0 0 1-5/9 * *": "day of month is '1-5/9'; a step of 9 goes beyond 1 to 5",
    "0 0 * * */7": "day of week is '*/7'; a step of 7 goes beyond 0 to 6",
    "0 5-5 * * *": "hour is '5-5'",
}
NUMBERS = st.sampled_from(("*", "*/2", "29", "30", "31", "29-31", "30,31", "28-30", "31/2", "30/1"))
MONTHS = st.sampled_from(("*", "2", "feb,apr", "4,6", "2-4", "*/2", "2/2", "11/1"))
WEEKDAYS = st.sampled_from(("*", "1", "mon-fri", "*/2", "0-6", "5-7"))


def ticks(cron: str, count: int, start: datetime, timezone: str = "UTC") -> list[datetime]:
    """The next ticks as Prefect's scheduler reckons them."""
    from prefect.server.schemas.schedules import CronSchedule

    moments = asyncio.run(CronSchedule(cron=cron, timezone=timezone).get_dates(n=count, start=start))
    return [tick.astimezone(ZoneInfo(timezone)) for tick in moments]


@pytest.mark.parametrize("cron", GOOD)
def test_what_cron_can_say(cron: str) -> None:
    assert ScheduleSpec(cron=cron).cron == cron


@pytest.mark.parametrize("cron", BAD)
def test_what_cron_can_not_say_is_told(cron: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(BAD[cron])):
        ScheduleSpec(cron=cron)


@given(st.tuples(*(st.integers(low, high) for low, high in ((0, 59), (0, 23), (1, 28), (1, 12), (0, 6)))))
def test_what_is_taken_is_what_prefect_takes(numbers: tuple[int, ...]) -> None:
    from prefect.client.schemas.schedules import CronSchedule

    cron = " ".join(str(number) for number in numbers)
    assert CronSchedule(cron=ScheduleSpec(cron=cron).cron).cron == cron


@given(NUMBERS, MONTHS, WEEKDAYS)
def test_what_is_taken_comes_and_prefect_fails_on_what_never_does(day: str, month: str, weekday: str) -> None:
    cron = f"0 0 {day} {month} {weekday}"
    try:
        cron_expression.check_cron(cron)
    except ValueError as error:
        if "never comes" in str(error):
            with pytest.raises(ValueError, match="failed to find next date"):
                ticks(cron, 1, START)
        return
    tick = ticks(cron, 1, START)[0]
    within = (tick.date() - START.date()).days + 1
    assert cron_expression.comes_within(cron, within, START.date())
    assert not cron_expression.comes_within(cron, within - 1, START.date())


def test_the_days_of_a_shorthand() -> None:
    assert cron_expression.comes_within("@yearly", 2, date(2026, 12, 31))
    assert not cron_expression.comes_within("@yearly", 90, date(2027, 1, 2))
    assert cron_expression.comes_within("@weekly", 7, date(2027, 1, 2))


@pytest.mark.parametrize("cron", GOOD)
def test_prefect_takes_it_too(cron: str) -> None:
    from prefect.client.schemas.schedules import CronSchedule

    CronSchedule(cron=ScheduleSpec(cron=cron).cron)


def test_a_time_zone_has_a_name() -> None:
    assert ScheduleSpec(cron="0 3 * * *", timezone="Europe/Berlin").timezone == "Europe/Berlin"
    with pytest.raises(ValidationError, match="'CEST' is no time zone; they are named like UTC, Europe/Berlin"):
        ScheduleSpec(cron="0 3 * * *", timezone="CEST")


def test_only_files_can_be_watched() -> None:
    settings = {
        "name": "tiny",
        "kind": "text-classification",
        "data": {"source": {"type": "sql", "url_env": "URL", "query": "SELECT 1"}, "labels": ["a", "b"]},
        "gates": [{"metric": "accuracy", "min": 0.5}],
        "schedule": {"cron": "0 3 * * *", "watch": True},
    }
    with pytest.raises(ValidationError, match=r"schedule.watch looks for files, and data.source is of type sql"):
        PipelineSpec.model_validate(settings)


def day_of(zone: str, day: date, cron: str) -> list[str]:
    """The ticks of a day, by the clocks there."""
    start = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone))
    return [f"{tick:%H:%M%z}" for tick in ticks(cron, 100, start, zone) if tick.date() == day]


# Clocks skip the hour from two to three, and have the hour from two (New York: from one) on twice.
FORWARD = {
    "Europe/Berlin": (date(2027, 3, 28), "+0100", "+0200"),
    "America/New_York": (date(2027, 3, 14), "-0500", "-0400"),
}
BACK = {
    "Europe/Berlin": (date(2027, 10, 31), 2, "+0200", "+0100"),
    "America/New_York": (date(2027, 11, 7), 1, "-0400", "-0500"),
}


@pytest.mark.parametrize("zone", FORWARD)
def test_when_clocks_go_forward_what_falls_into_the_hour_they_skip_comes_beside_it(zone: str) -> None:
    day, before, after = FORWARD[zone]
    # Prefect reckons by another library from Python 3.13 on.
    skipped = f"01:30{before}" if sys.version_info < (3, 13) else f"03:30{after}"
    assert day_of(zone, day, "30 2 * * *") == [skipped]
    assert day_of(zone, day, "0 3 * * *") == [f"03:00{after}"]
    hours = [f"{hour:02}:00{before if hour < 2 else after}" for hour in range(24) if hour != 2]
    assert day_of(zone, day, "0 * * * *") == hours
    quarters = [f"{hour[:2]}:{minute:02}{hour[5:]}" for hour in hours for minute in (0, 15, 30, 45)]
    assert day_of(zone, day, "*/15 * * * *") == quarters


@pytest.mark.parametrize("zone", BACK)
def test_when_clocks_go_back_the_hour_that_comes_twice_counts_once(zone: str) -> None:
    day, twice, before, after = BACK[zone]
    assert day_of(zone, day, f"30 {twice} * * *") == [f"{twice:02}:30{before}"]
    hours = [f"{hour:02}:00{before if hour <= twice else after}" for hour in range(24)]
    assert day_of(zone, day, "0 * * * *") == hours
    quarters = [f"{hour[:2]}:{minute:02}{hour[5:]}" for hour in hours for minute in (0, 15, 30, 45)]
    assert day_of(zone, day, "*/15 * * * *") == quarters
    # One hour of the clock, two that pass.
    first, second = (
        tick
        for tick in ticks("0 * * * *", 30, datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)), zone)
        if tick.date() == day and tick.hour in (twice, twice + 1)
    )
    assert second.astimezone(UTC) - first.astimezone(UTC) == timedelta(hours=2)


@pytest.mark.parametrize("zone", FORWARD)
def test_whatever_clocks_do_a_daily_cron_comes_once_a_day(zone: str) -> None:
    moments = ticks("30 2 * * *", 365, START, zone)
    assert len({tick.date() for tick in moments}) == len(moments) == 365
