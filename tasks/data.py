"""The steps from a source to token ids. Only the source itself is asked again when it does not answer."""

from prefect import task

from perennial.core import progress
from perennial.core.home import Home
from perennial.ingest import snapshots
from perennial.records.data import Snapshot
from perennial.records.run import Trigger
from perennial.runs import candidate_steps, enough_new
from perennial.settings.pipeline import PipelineSpec
from tasks.retrying import STEP, source_may_answer, step


@task(name="ingest", **step(source_may_answer))
def ingest(spec: PipelineSpec, home: Home, *, reread: bool = False) -> Snapshot:
    """Read what is new in the source."""
    with progress.step("ingest"):
        return snapshots.ingest(spec, home, reread=reread)


@task(name="is there anything new", **STEP)
def too_few(spec: PipelineSpec, snapshot: Snapshot, trigger: Trigger, home: Home) -> str | None:
    """Why a run that the schedule or new data started is not worth a training; None: it is."""
    return enough_new.too_few(spec, snapshot, home) if trigger.kind in ("schedule", "data") else None


validate = task(name="validate", **STEP)(candidate_steps.validate)
encode = task(name="encode", **STEP)(candidate_steps.encode)
