"""What the schedule of a live stream starts: a look at it, or why none is needed."""

from typing import Any, Literal

from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.states import Completed, Failed

from flows import environment, run_overlap
from flows.console import Logged
from flows.scheduled import this_flow_run
from perennial.core import progress, telemetry
from perennial.core.errors import OverlapError, PerennialError
from perennial.records.monitor_run import MonitorRun


@flow(name="monitored", flow_run_name="monitor {pipeline}: {kind}", persist_result=False)
def monitored(pipeline: str, kind: Literal["hand", "schedule"] = "hand") -> State[Any]:
    """Look at the live texts of `pipeline` (a name or a path); the state's message says what came in.

    Ends as Completed, Incomplete (the source could not be read to its end), Skipped or Failed.
    """
    telemetry.off()
    environment.share_cores()
    with progress.heard_by(Logged(get_run_logger())):
        try:
            return _ended(_look(pipeline))
        except OverlapError as overlap:
            return Completed(name=run_overlap.SKIPPED, message=overlap.problem)
        except PerennialError as error:
            return Failed(message=str(error))


def _look(pipeline: str) -> MonitorRun:
    from flows.live.monitor import monitor

    with get_client(sync_client=True) as client:
        run_overlap.give_way(client, this_flow_run())
    return monitor(pipeline)


def _ended(run: MonitorRun) -> State[Any]:
    came = f"{run.stored:,} new texts, answered by version {run.model}."
    if run.troubles:
        return Failed(name="Incomplete", message=" ".join([came, *run.troubles]))
    return Completed(message=came)
