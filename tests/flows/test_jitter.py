"""A tick's run starts within the jitter, always at the same moment, and `--list` says when."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from flows.jitter import start_of

ZONES = st.sampled_from(("UTC", "Europe/Berlin", "Asia/Kathmandu", "America/St_Johns")).map(ZoneInfo)
TICKS = st.datetimes(datetime(2020, 1, 1), datetime(2060, 1, 1), timezones=ZONES)
WITHIN = st.integers(0, 6 * 3600)
NIGHT = datetime(2026, 3, 1, 3, tzinfo=UTC)


@given(st.text(min_size=1), TICKS, WITHIN, ZONES)
def test_a_start_is_within_the_jitter_and_the_same_from_wherever_it_is_asked(
    pipeline: str, tick: datetime, within: int, elsewhere: ZoneInfo
) -> None:
    start = start_of(pipeline, tick, within)
    assert 0 <= start.timestamp() - tick.timestamp() <= within
    assert start_of(pipeline, tick.astimezone(elsewhere), within).timestamp() == start.timestamp()


def test_another_process_gets_the_same() -> None:
    asks = "print(start_of('sentiment', datetime.fromisoformat(sys.argv[1]), 600))"
    program = f"import sys; from datetime import datetime; from flows.jitter import start_of; {asks}"
    said = subprocess.run([sys.executable, "-c", program, str(NIGHT)], capture_output=True, text=True, check=True)
    assert datetime.fromisoformat(said.stdout.strip()) == start_of("sentiment", NIGHT, 600)


def test_pipelines_of_one_cron_and_the_nights_of_one_pipeline_are_spread() -> None:
    pipelines = [start_of(f"p{number}", NIGHT, 600) - NIGHT for number in range(60)]
    nights = [NIGHT + timedelta(days=number) for number in range(60)]
    for waits in (pipelines, [start_of("sentiment", night, 600) - night for night in nights]):
        minutes = {wait // timedelta(minutes=1) for wait in waits}
        assert len(set(waits)) == 60
        assert len(minutes) >= 8, "of the ten minutes that there are"


def test_the_list_says_when(make_place) -> None:
    made = make_place(name="spread", schedule={"cron": "0 3 * * *", "timezone": "Asia/Tokyo", "jitter_seconds": 600})
    (one,) = made.command("schedule", "--list", "--json").json["schedules"]
    starts = [datetime.fromisoformat(start) for start in one["next"]]
    ticks = [start.replace(minute=0, second=0, microsecond=0) for start in starts]
    assert [tick.hour for tick in ticks] == [3, 3, 3]
    assert starts == [start_of("spread", tick, 600) for tick in ticks]
