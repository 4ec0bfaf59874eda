"""What `perennial schedule` takes for the next ticks, also where clocks change, and says of those without runs."""

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from notes import Notes
from scheduling import Api

from flows.tick_watch import FIRST_SECONDS, LATER_SECONDS, TickWatch, next_tick, upcoming
from perennial.core import progress
from perennial.core.home import Home
from perennial.scheduling.prefect_api import ADDRESS, FLOW, LOG
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


def test_ticks_without_runs_are_told_once_until_they_have_some(prefect_api: str, tmp_path: Path) -> None:
    """The server has another schedule than the one that is watched, and plans nothing for months."""
    api, home, notes = Api(prefect_api), Home(tmp_path), Notes()
    home.prefect.mkdir(parents=True)
    (home.prefect / ADDRESS).write_text(prefect_api)
    (home.prefect / LOG).write_text("ERROR: schedule_deployments: no bulk DML\n  a traceback's line\n")
    now = datetime.now(UTC)
    rare = {"cron": f"0 0 1 {(now.month + 5) % 12 + 1} *", "timezone": "UTC"}
    flow = api.post("/flows/", {"name": FLOW})["id"]
    api.post("/deployments/", {"name": "unplanned", "flow_id": flow, "schedules": [{"schedule": rare}]})
    schedule = ScheduleSpec(cron="0 3 * * *", timezone="UTC")
    watch = TickWatch([("unplanned", schedule), ("never-served", schedule)], home, prefect_api)
    with progress.heard_by(notes):
        watch.look(0)
        watch.look(FIRST_SECONDS - 1)
        assert notes.messages == []
        for seconds in (FIRST_SECONDS, FIRST_SECONDS + LATER_SECONDS):
            watch.look(seconds)
        (message,) = notes.messages
        assert message.startswith(
            f"Ticks pass without runs: the next of unplanned, {next_tick(schedule):%a %d %b %H:%M}"
        )
        assert "Its last error: ERROR: schedule_deployments: no bulk DML." in message
        assert message.endswith("Until then `perennial run unplanned` starts one.")
        assert "traceback" not in message

        deployment = api.deployment("unplanned")
        (given,) = deployment["schedules"]
        nightly = {"schedule": {"cron": schedule.cron, "timezone": schedule.timezone}}
        api.patch(f"/deployments/{deployment['id']}/schedules/{given['id']}", nightly)
        deadline = time.monotonic() + 180
        while len(notes.messages) == 1:
            assert time.monotonic() < deadline
            time.sleep(0.2)
            watch.look(FIRST_SECONDS + LATER_SECONDS)
    assert notes.messages[1:] == ["The ticks of unplanned have runs again."]
