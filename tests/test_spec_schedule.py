"""schedule: what a cron and a time zone may be, and what can be watched."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from perennial.spec import PipelineSpec
from perennial.spec_schedule import ScheduleSpec

GOOD = (
    "0 3 * * *",
    "*/15 * * * *",
    "30 2-4 1,15 * mon-fri",
    "0 0 1 JAN sun",
    "5/10 * * * 7",
    "@daily",
    "0 3 * * 1-5/2",
)
BAD = {
    "0 3 * *": "4 fields; it needs five",
    "0 3 * * * *": "6 fields",
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
}


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
