"""The looks at a pipeline's live stream as a Prefect deployment."""

from datetime import UTC, datetime, timedelta

from prefect.deployments.runner import RunnerDeployment
from prefect.schedules import Interval
from prefect.types.entrypoint import EntrypointType

from flows import deployments
from flows.live.monitored import monitored
from perennial.settings.monitor import MonitorSpec
from perennial.settings.pipeline import PipelineSpec

MONITORING = monitored.name
"""The flow of the deployment."""
FIRST_LOOK = datetime(2026, 1, 1, tzinfo=UTC)
"""From which on looks are counted, so that they come at the same minutes after each start."""


def monitor_deployment_of(spec: PipelineSpec, monitor: MonitorSpec, pipeline: str) -> RunnerDeployment:
    """The deployment that looks at the live texts of `spec`; runs find the pipeline as `pipeline`, a name or a path."""
    every = timedelta(minutes=monitor.every_minutes)
    return RunnerDeployment.from_flow(
        monitored,
        name=spec.name,
        paused=deployments.is_paused(spec.name, MONITORING),
        description=f"Reads and watches the live texts of {spec.name} every {monitor.every_minutes:g} minutes.",
        tags=[deployments.TAG],
        parameters={"pipeline": pipeline},
        schedule=Interval(every, anchor_date=FIRST_LOOK, parameters={"kind": "schedule"}, slug="every"),
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
