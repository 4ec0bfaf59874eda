"""Asking for a retraining because the model is unwell on live texts: of the process that serves the schedule."""

from datetime import UTC, datetime, timedelta

from httpx import HTTPError
from prefect.client.orchestration import get_client
from prefect.exceptions import PrefectException

from flows import deployments
from perennial.core import progress
from perennial.core.home import Home
from perennial.runs import log
from perennial.scheduling import prefect_api
from perennial.settings.drift import WindowsSpec
from perennial.settings.pipeline import PipelineSpec


def ask_for_retraining(spec: PipelineSpec, home: Home, reason: str) -> str:
    """Start a run with the trigger `drift`, unless one was started lately; says in a sentence what came of it.

    The run is one of the deployment that `perennial schedule` serves; where nobody does, it is said what to do.
    Raises RegistryError where the log of runs can't be read.
    """
    last = log.last_run(home, spec.name, "drift")
    cooldown = timedelta(hours=(spec.triggers or WindowsSpec()).cooldown_hours)
    if last is not None and datetime.now(UTC) - last.started < cooldown:
        return (
            f"A retraining was started by drift at {last.started:%Y-%m-%d %H:%M}Z already, and none is for "
            f"{cooldown.total_seconds() / 3600:g} h."
        )
    # Until that run is in the log, asking again is the same request.
    before = last.started.isoformat() if last else "first"
    if prefect_api.in_use(home) and _started(spec.name, reason, f"{spec.name} drift after {before}"):
        return f"A retraining was asked for: {reason}."
    return (
        f"A retraining is due: {reason}. Nobody serves its schedule, so run `perennial run {spec.name}`; "
        f"`perennial schedule {spec.name}` starts such runs by itself."
    )


def _started(name: str, reason: str, key: str) -> bool:
    try:
        with get_client(sync_client=True) as client:
            deployment = deployments.find_deployment(client, name)
            if deployment is None or deployment.paused:
                return False
            parameters = {"kind": "drift", "detail": reason}
            client.create_flow_run_from_deployment(deployment.id, parameters=parameters, idempotency_key=key)
    except (PrefectException, HTTPError) as error:
        progress.note(f"Prefect's server does not answer ({type(error).__name__}); it was not asked for a retraining.")
        return False
    return True
