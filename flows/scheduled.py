"""What a schedule, new data or a person at Prefect's page starts: a run of a pipeline, or why none is needed."""

import time
from typing import Any, Literal

from prefect import flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.context import FlowRunContext
from prefect.logging import get_run_logger
from prefect.states import Completed, Failed

from flows import environment, jitter, run_overlap
from flows.console import Logged
from perennial.core import progress, telemetry
from perennial.core.errors import OverlapError, PerennialError
from perennial.core.home import Home
from perennial.core.store import NO_SPACE
from perennial.pipeline_file import loader
from perennial.records.run import RunResult, Trigger
from perennial.settings.pipeline import PipelineSpec


@flow(name="scheduled", flow_run_name="{pipeline}: {kind}", persist_result=False)
def scheduled(
    pipeline: str, kind: Literal["hand", "schedule", "data", "drift"] = "hand", detail: str = ""
) -> State[Any]:
    """Retrain `pipeline` (a name or a path) unless that is needless; the state's name and message say how it ended.

    `kind`: what started it; by hand, and by drift (the model is unwell on live texts), it is never skipped for want of
    new data. `detail`: the same in words. Ends as Promoted, Held, Rejected, Observed, Skipped or Failed.
    """
    telemetry.off()
    environment.share_cores()
    with progress.heard_by(Logged(get_run_logger())):
        try:
            return _ended(_run(pipeline, Trigger(kind=kind, detail=detail), this_flow_run()))
        except OverlapError as overlap:
            return Completed(name=run_overlap.SKIPPED, message=overlap.problem)
        except PerennialError as error:
            return Failed(message=f"{error.problem} {error.remedy}".strip())
        except OSError as error:
            if error.errno not in NO_SPACE:
                raise
            return Failed(message=f"The disk is full ({error.filename or 'no file named'}). Free some space.")


def _run(pipeline: str, asked: Trigger, this: FlowRun) -> RunResult:
    from flows.run_record import needless, recorded

    spec = loader.read_pipeline(loader.find_pipeline(pipeline))
    home = Home.from_environment()
    if asked.kind == "schedule":
        time.sleep(_seconds_to_wait(spec, this))
    with get_client(sync_client=True) as client:
        try:
            run_overlap.give_way(client, this)
        except OverlapError as overlap:
            needless(spec, home, asked, overlap.problem)
            raise
        trigger = _with_drift(spec, home, asked)
        return recorded(spec, home, trigger, lambda: _alone(pipeline, spec, home, trigger, client, this))


def _alone(
    pipeline: str, spec: PipelineSpec, home: Home, trigger: Trigger, client: SyncPrefectClient, this: FlowRun
) -> RunResult:
    from flows.retrain import retrain
    from perennial.runs import one_run

    with run_overlap.settled(client, this), one_run.one_anywhere(spec.name, home) as held:
        if held.lapsed:
            run_overlap.bury(client, this)
        return retrain(pipeline, trigger=trigger)


def _with_drift(spec: PipelineSpec, home: Home, trigger: Trigger) -> Trigger:
    """What the schedule started because of drift, which is reason enough without any new row."""
    if trigger.kind != "schedule" or spec.triggers is None:
        return trigger
    from perennial.monitoring import drift

    finding = drift.examine_drift(spec, home)
    for words in finding.learned:
        progress.note(f"Slow drift, or an earlier shift, that starts no run: {words}.")
    return Trigger(kind="drift", detail=finding.reason) if finding.retrain else trigger


def _seconds_to_wait(spec: PipelineSpec, this: FlowRun) -> float:
    """Seconds from now to the start of this run; 0: it is due."""
    if spec.schedule is None or this.expected_start_time is None:
        return 0.0
    start = jitter.start_of(spec.name, this.expected_start_time, spec.schedule.jitter_seconds)
    return max(0.0, start.timestamp() - time.time())


def this_flow_run() -> FlowRun:
    """The flow run that is at work here."""
    context = FlowRunContext.get()
    assert context is not None and context.flow_run is not None, "this is a flow"  # noqa: PT018, S101
    return context.flow_run


def _ended(result: RunResult) -> State[Any]:
    made = f" Version {result.version}." if result.evidence else ""
    return Completed(name=result.status.value.capitalize(), message=" ".join(result.reasons) + made)
