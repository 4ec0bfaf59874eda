"""What is tried again, and when: steps that speak to a server, after a wait that grows; never a training.

A person who waits for a run is told after one more try. A run that a schedule or an event started waits for more than a
minute: nobody does, and a database that restarts is back by then.
"""

from typing import Any

from prefect import Task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import FlowRunContext

from perennial.core.errors import BusyError, RegistryError, UnreachableError

WAITS = (2, 5, 10, 20, 40)
"""Seconds before each further try."""
STEP: dict[str, Any] = {"cache_policy": NO_CACHE, "persist_result": False}
"""A step that is not tried again: what it needs is here, and what it made is kept."""


def step(condition: Any) -> dict[str, Any]:
    """A step that is tried again where `condition` says so."""
    return {**STEP, "retries": len(WAITS), "retry_delay_seconds": list(WAITS), "retry_condition_fn": condition}


def source_may_answer(task: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
    """Whether the source could not be reached, and is to be asked again. One that answers wrongly is not."""
    return isinstance(state.data, UnreachableError) and _is_patient(run)


def registry_may_answer(task: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
    """Whether MLflow or the ledger is to be asked again: whatever failed once more, and if they did, for longer."""
    waited_enough = isinstance(state.data, BusyError) or not isinstance(state.data, RegistryError)
    return run.run_count <= 1 or (not waited_enough and _is_patient(run))


def _is_patient(run: TaskRun) -> bool:
    inside = FlowRunContext.get()
    trigger = (inside.parameters or {}).get("trigger") if inside else None
    return run.run_count <= 1 or (trigger is not None and trigger.kind != "hand")
