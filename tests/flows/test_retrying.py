"""Steps that speak to a server are tried again; what it answers wrongly, and all others, are not."""

from typing import Any

import pytest
from prefect import flow
from prefect.settings import PREFECT_API_URL, temporary_settings

import tasks.data
import tasks.model
import tasks.registry
from perennial.core.errors import BusyError, PerennialError, RegistryError, SourceError, TrainingError, UnreachableError
from perennial.records.run import Trigger
from tasks import retrying

HAND, SCHEDULE = Trigger(), Trigger(kind="schedule")


def tries(step: Any, error: PerennialError, trigger: Trigger) -> int:
    """How often `step` is tried that always fails with `error`, in a run that was started by `trigger`."""
    made = 0

    def fail() -> None:
        nonlocal made
        made += 1
        raise error

    failing = step.with_options(name=step.name, retry_delay_seconds=0)
    failing.fn = fail

    @flow(name="trying", validate_parameters=False)
    def trying(trigger: Trigger) -> None:
        failing()

    with pytest.raises(type(error)):
        trying(trigger)
    return made


@pytest.fixture(autouse=True)
def _against(prefect_api: str) -> Any:
    with temporary_settings({PREFECT_API_URL: prefect_api}):
        yield


@pytest.mark.parametrize(
    ("step", "error", "by_hand", "by_schedule"),
    [
        (tasks.data.ingest, UnreachableError("away"), 2, 6),
        (tasks.data.ingest, SourceError("malformed"), 1, 1),
        (tasks.registry.find_finished, RegistryError("away"), 2, 6),
        (tasks.registry.conclude, BusyError("another one promotes"), 2, 2),
        (tasks.model.finetune, TrainingError("diverged"), 1, 1),
        (tasks.data.validate, UnreachableError("away"), 1, 1),
    ],
)
def test_only_what_may_answer_is_asked_again(step: Any, error: PerennialError, by_hand: int, by_schedule: int) -> None:
    assert tries(step, error, HAND) == by_hand
    assert tries(step, error, SCHEDULE) == by_schedule


def test_the_waits_grow_and_outlast_a_restart() -> None:
    assert list(retrying.WAITS) == sorted(set(retrying.WAITS))
    assert sum(retrying.WAITS) > 60
