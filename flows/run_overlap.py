"""Many triggers, one run: which of a pipeline's flow runs gives way to which, and what is made up for.

Prefect keeps a run for each tick that was missed, and an automation makes one for each event. Prefect's own limit on a
deployment's runs is not used: a worker that is killed keeps its slot, and what is over the limit is cancelled or
queued, not told why it need not be.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

from httpx import HTTPError
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterParentFlowRunId,
    FlowRunFilterStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
    FlowRunFilterTags,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import PrefectException
from prefect.states import Completed, Crashed

from perennial.core import progress
from perennial.core.errors import OverlapError
from perennial.records.run import Trigger

OVERLAPPED = "overlapped"
"""Tag of a run that came while another one was at work."""
SKIPPED = "Skipped"
AT_WORK = (StateType.RUNNING, StateType.PENDING)


def give_way(client: SyncPrefectClient, run: FlowRun) -> None:
    """Raises OverlapError when `run`, which nobody asked for, is needless: a newer one is there, or it is paused."""
    if run.deployment_id is None or not _gives_way(run):
        return
    deployment = client.read_deployment(run.deployment_id)
    if deployment.paused:
        raise OverlapError(
            f"{deployment.name} is paused.",
            remedy=f"Let it go on with `perennial schedule --resume {deployment.name}`.",
        )
    later = _newer(client, run)
    if later:
        raise OverlapError(superseded(later))


def _newer(client: SyncPrefectClient, run: FlowRun) -> FlowRun | None:
    """The newest run of the same pipeline that is due, or was since; None: there is none."""
    if run.deployment_id is None or run.expected_start_time is None:
        return None
    due = FlowRunFilterExpectedStartTime(after_=run.expected_start_time, before_=datetime.now(UTC))
    states = (StateType.SCHEDULED, *AT_WORK, StateType.COMPLETED)
    runs = _runs(client, run.deployment_id, expected_start_time=due, state=_in(*states))
    return _newest([other for other in runs if other.id != run.id and _is_later(other, run)])


class Dropped(NamedTuple):
    """A run that was ended before it started, and why."""

    run: FlowRun
    why: str


def drop_older(client: SyncPrefectClient, deployment: UUID) -> list[Dropped]:
    """End all waiting runs of a deployment but the newest as skipped; gives them, newest first."""
    due = FlowRunFilterExpectedStartTime(before_=datetime.now(UTC))
    waiting = _runs(client, deployment, expected_start_time=due, state=_in(StateType.SCHEDULED))
    newest = _newest(waiting)
    why = superseded(newest)
    older = [Dropped(run, why) for run in waiting if _gives_way(run) and newest is not None and run.id != newest.id]
    for run, _ in older:
        client.set_flow_run_state(run.id, Completed(name=SKIPPED, message=why))
    return older


def trigger_of(run: FlowRun) -> Trigger:
    """What started a run that gives way."""
    # Not checked yet: whoever speaks to Prefect's API may have written anything.
    kind: Literal["data", "schedule"] = "data" if run.parameters.get("kind") == "data" else "schedule"
    return Trigger(kind=kind, detail=str(run.parameters.get("detail", "")))


def superseded(by: FlowRun | None) -> str:
    """Why a run that gave way to `by` was skipped."""
    when = f" of {by.expected_start_time:%Y-%m-%d %H:%M:%S}Z" if by and by.expected_start_time else ""
    return f"Superseded: the run{when} looks at all that is new."


@contextmanager
def settled(client: SyncPrefectClient, run: FlowRun) -> Iterator[None]:
    """A block that is `run`. If another run is at work, it is told; else `run` looks at its end who told it."""
    overlapped = False
    try:
        yield
    except OverlapError:
        overlapped = True
        with _lenient("that this run gave way could not be told"):
            client.update_flow_run(run.id, tags=[*run.tags, OVERLAPPED])
        raise
    finally:
        if not overlapped:
            with _lenient("whether new data came meanwhile could not be asked"):
                make_up(client, run)


def make_up(client: SyncPrefectClient, run: FlowRun) -> FlowRun | None:
    """Start one more run if new data came while `run`, which is about to end, was at work and may have missed it."""
    if run.deployment_id is None or run.start_time is None:
        return None
    since = FlowRunFilterStartTime(after_=run.start_time)
    tagged = FlowRunFilterTags(all_=[OVERLAPPED])
    missed = [
        other
        for other in _runs(client, run.deployment_id, start_time=since, tags=tagged)
        if other.parameters.get("kind") == "data"
    ]
    if not missed:
        return None
    detail = f"{missed[0].parameters.get('detail') or 'new data'}, while a run was at work"
    return client.create_flow_run_from_deployment(
        run.deployment_id, parameters={"kind": "data", "detail": detail}, idempotency_key=f"{run.id} again"
    )


def bury(client: SyncPrefectClient, run: FlowRun) -> None:
    """Mark the flow runs of the same pipeline as crashed that still seem to be at work, for nobody else is.

    To be called while the lease on runs is held, after one that lapsed.
    """
    if run.deployment_id is None:
        return
    with _lenient("which runs were killed is not shown"):
        _bury(client, run, run.deployment_id)


def _bury(client: SyncPrefectClient, run: FlowRun, deployment: UUID) -> None:
    dead = [other for other in _runs(client, deployment, state=_in(*AT_WORK)) if _began_before(other, run)]
    if dead:
        inside = FlowRunFilterParentFlowRunId(any_=[other.id for other in dead])
        only = FlowRunFilter(parent_flow_run_id=inside, state=_in(*AT_WORK))
        dead += client.read_flow_runs(flow_run_filter=only)
    for other in dead:
        client.set_flow_run_state(other.id, Crashed(message="Its process was killed; a later run goes on."), force=True)


@contextmanager
def _lenient(what: str) -> Iterator[None]:
    """What the run came to stands, whether Prefect's server hears of this or not."""
    try:
        yield
    except (PrefectException, HTTPError) as error:
        progress.note(f"Prefect's server does not answer ({type(error).__name__}); {what}.")


def _is_later(other: FlowRun, run: FlowRun) -> bool:
    mine, its = run.expected_start_time, other.expected_start_time
    return mine is not None and its is not None and its > mine


def _began_before(other: FlowRun, run: FlowRun) -> bool:
    # A run that is only now starting has not asked for the lease yet.
    mine, its = run.start_time, other.start_time
    return other.id != run.id and mine is not None and its is not None and its < mine


def _gives_way(run: FlowRun) -> bool:
    # One that somebody asked for, or the model's health, is not stood for by one that may find too little new.
    return run.parameters.get("kind", "hand") not in ("hand", "drift")


def _newest(runs: Sequence[FlowRun]) -> FlowRun | None:
    return max(
        (run for run in runs if _gives_way(run)), key=lambda run: (run.expected_start_time, run.id), default=None
    )


def _in(*types: StateType) -> FlowRunFilterState:
    return FlowRunFilterState(type=FlowRunFilterStateType(any_=list(types)))


def _runs(client: SyncPrefectClient, deployment: UUID, **filters: Any) -> list[FlowRun]:
    ours = FlowRunFilter(deployment_id=FlowRunFilterDeploymentId(any_=[deployment]), **filters)
    deployments = DeploymentFilter(id=DeploymentFilterId(any_=[deployment]))
    return list(
        client.read_flow_runs(
            flow_run_filter=ours, deployment_filter=deployments, sort=FlowRunSort.EXPECTED_START_TIME_DESC, limit=200
        )
    )
