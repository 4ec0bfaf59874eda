"""What `perennial schedule` takes for the next ticks, also in the hours in which clocks change."""

from datetime import datetime

import pytest

from flows.tick_watch import upcoming
from perennial.settings.schedule import ScheduleSpec


@pytest.mark.parametrize(
    ("cron", "now", "ticks"),
    [
        ("0 3 * * *", "2027-01-01T02:00:30Z", ["2027-01-02T03:00:00+01:00", "2027-01-03T03:00:00+01:00"]),
        # 01:40, after which 02:30 is no more: that tick came at 01:30.
        ("30 2 * * *", "2027-03-28T00:40:00Z", ["2027-03-29T02:30:00+02:00", "2027-03-30T02:30:00+02:00"]),
        # The hour from two on, the second time.
        ("30 2 * * *", "2027-10-31T01:10:00Z", ["2027-11-01T02:30:00+01:00", "2027-11-02T02:30:00+01:00"]),
        ("* * * * *", "2027-10-31T01:01:30Z", ["2027-10-31T03:00:00+01:00", "2027-10-31T03:01:00+01:00"]),
    ],
)
def test_the_next_ticks_are_ahead(cron: str, now: str, ticks: list[str]) -> None:
    schedule = ScheduleSpec(cron=cron, timezone="Europe/Berlin")
    assert [tick.isoformat() for tick in upcoming(schedule, 2, datetime.fromisoformat(now))] == ticks
