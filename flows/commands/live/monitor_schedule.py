"""The live streams that `perennial schedule` has looked at: which, how often, and how that stands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perennial.settings.monitor import MonitorSpec
from perennial.settings.pipeline import PipelineSpec

if TYPE_CHECKING:
    from prefect.deployments.runner import RunnerDeployment


@dataclass(frozen=True)
class Monitored:
    """A pipeline with a live stream."""

    path: Path
    """Of its pipeline.yaml."""
    spec: PipelineSpec
    monitor: MonitorSpec


@dataclass(frozen=True)
class ListedMonitor:
    """What is known of how a live stream is looked at."""

    of: Monitored
    state: str
    """served, paused, switched off, or not served."""


def with_monitor(specs: Mapping[Path, PipelineSpec]) -> list[Monitored]:
    """Those of the pipelines that have a live stream."""
    return [Monitored(path, spec, spec.monitor) for path, spec in specs.items() if spec.monitor]


def list_monitors(monitored: Sequence[Monitored]) -> list[ListedMonitor]:
    """How each is looked at, by the Prefect server in use."""
    from prefect.client.orchestration import get_client

    from flows import deployments
    from flows.live.deployment import MONITORING

    with get_client(sync_client=True) as client:
        served = [deployments.find_deployment(client, one.spec.name, MONITORING) for one in monitored]
    return [
        ListedMonitor(one, deployments.state_of(deployment)) for one, deployment in zip(monitored, served, strict=True)
    ]


def deployments_of(monitored: Sequence[Monitored]) -> "list[RunnerDeployment]":
    """What Prefect is to serve of them."""
    from flows import deployments
    from flows.live.deployment import monitor_deployment_of

    return [monitor_deployment_of(one.spec, one.monitor, deployments.argument(one.path, one.spec)) for one in monitored]


def monitors_as_json(rows: Sequence[ListedMonitor]) -> list[dict[str, Any]]:
    """The live streams, JSON-ready."""
    return [
        {"pipeline": one.of.spec.name, "every_minutes": one.of.monitor.every_minutes, "state": one.state}
        for one in rows
    ]


def in_words(one: ListedMonitor) -> str:
    """How often a live stream is looked at, and how that stands."""
    return f"{one.of.spec.name}: live texts are looked at every {one.of.monitor.every_minutes:g} min ({one.state})"
