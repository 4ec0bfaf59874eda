"""The steps that speak to MLflow's registry: the only ones retried, because a server may be restarting."""

from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from perennial import progress
from perennial.artifacts import Champion, Decision, Evidence, Outcome, RegisteredVersion, Status
from perennial.home import Home
from perennial.registry import aliases, versions
from perennial.registry.versions import FinishedVersion
from perennial.spec import PipelineSpec

RETRIED: dict[str, Any] = {
    "cache_policy": NO_CACHE,
    "persist_result": False,
    "retries": 1,
    "retry_delay_seconds": 2,
}


@task(name="find finished run", **RETRIED)
def find_finished(spec: PipelineSpec, run_key: str, home: Home) -> FinishedVersion | None:
    """The version that an earlier run under the same key came to."""
    with progress.step("look up"):
        return versions.already(home, spec.name, run_key)


@task(name="find champion", **RETRIED)
def find_champion(spec: PipelineSpec, home: Home) -> Champion | None:
    """The version serving now, its package fetched and checked; None: there is none yet."""
    with progress.step("champion"):
        return aliases.champion(spec.name, home)


@task(name="register", **RETRIED)
def register(spec: PipelineSpec, run_key: str, evidence: Evidence, home: Home) -> RegisteredVersion:
    """Log the run and register the package with its evidence."""
    with progress.step("register"):
        return versions.register(spec, run_key, evidence, home)


@task(name="conclude", **RETRIED)
def conclude(version: RegisteredVersion, decision: Decision, home: Home) -> Status:
    """Move the alias `champion` on PROMOTE, and only if the champion is still the one judged against."""
    with progress.step("conclude"):
        status = _OUTCOMES[decision.outcome]
        if status is Status.PROMOTED and aliases.promote(home, version):
            return status
        if status is Status.PROMOTED:
            progress.note("The champion changed while this run was judged against the one before; held.")
            status = Status.HELD
        versions.finish(home, version, status)
        return status


_OUTCOMES = {Outcome.PROMOTE: Status.PROMOTED, Outcome.HOLD: Status.HELD, Outcome.REJECT: Status.REJECTED}
