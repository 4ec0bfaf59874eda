"""A pipeline as a Prefect deployment: its cron, its event and its parameters."""

from datetime import timedelta
from pathlib import Path

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.responses import DeploymentResponse
from prefect.deployments.runner import RunnerDeployment
from prefect.events import DeploymentEventTrigger
from prefect.exceptions import ObjectNotFound
from prefect.schedules import Cron
from prefect.types.entrypoint import EntrypointType

from flows.scheduled import scheduled
from perennial.settings.pipeline import PipelineSpec
from perennial.settings.schedule import ScheduleSpec

TAG = "perennial"
DATA_LANDED = "perennial.data-landed"
"""The event that starts a run."""
RETRAINING = scheduled.name
"""The flow of a pipeline's deployment; its live stream, if it has one, has a deployment of another flow."""
PAUSED = "paused"
OFF = "switched off"
"""On Prefect's page, the schedule alone."""


def resource(pipeline: str) -> str:
    """The id of the resource that the event is about."""
    return f"perennial.pipeline.{pipeline}"


def deployment_of(spec: PipelineSpec, schedule: ScheduleSpec, pipeline: str) -> RunnerDeployment:
    """The deployment of `spec`, called like the model; runs find the pipeline as `pipeline`, a name or a path."""
    return RunnerDeployment.from_flow(
        scheduled,
        name=spec.name,
        paused=is_paused(spec.name, RETRAINING),
        description=f"Keeps {spec.name} current: {schedule.cron} ({schedule.timezone}), and when new data lands.",
        tags=[TAG],
        parameters={"pipeline": pipeline},
        # The name keeps Prefect from making the schedule, and its runs, anew at each start.
        schedule=Cron(schedule.cron, timezone=schedule.timezone, parameters={"kind": "schedule"}, slug="cron"),
        triggers=[_landed(spec.name, schedule)],
        entrypoint_type=EntrypointType.MODULE_PATH,
    )


def _landed(pipeline: str, schedule: ScheduleSpec) -> DeploymentEventTrigger:
    # The first event of some starts the run, after a while in which the others are part of it.
    pause = timedelta(seconds=schedule.settle_seconds)
    return DeploymentEventTrigger(
        name=f"{pipeline}: data landed",
        expect={DATA_LANDED},
        match={"prefect.resource.id": resource(pipeline)},
        threshold=1,
        within=pause,
        schedule_after=pause,
        parameters={"kind": "data", "detail": "{{ event.payload.get('detail', 'an event said that data landed') }}"},
    )


def find_deployment(client: SyncPrefectClient, name: str, flow: str = RETRAINING) -> DeploymentResponse | None:
    """The deployment of a pipeline, of the flow; None: it was never served by that Prefect server."""
    try:
        return client.read_deployment_by_name(f"{flow}/{name}")
    except ObjectNotFound:
        return None


def state_of(deployment: DeploymentResponse | None) -> str:
    """How a deployment stands: served, PAUSED, OFF, or not served."""
    if deployment is None:
        return "not served"
    if deployment.paused:
        return PAUSED
    return "served" if any(schedule.active for schedule in deployment.schedules) else OFF


def is_paused(name: str, flow: str) -> bool:
    """Whether a person paused the deployment of a pipeline."""
    # Who serves it anew, as after a reboot, did not ask for it to go on.
    with get_client(sync_client=True) as client:
        before = find_deployment(client, name, flow)
    return before is not None and before.paused


def argument(path: Path, spec: PipelineSpec) -> str:
    """How runs, in this working folder, name the pipeline whose file is `path`: short where that is right."""
    folder = path.resolve().parent
    return spec.name if folder == (Path("pipelines") / spec.name).resolve() else str(folder)
