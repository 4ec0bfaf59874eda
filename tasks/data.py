"""The steps from a source to token ids. Only the source itself is asked again when it does not answer."""

from prefect import task

from perennial.core import progress
from perennial.core.home import Home
from perennial.ingest import snapshots
from perennial.records.data import EncodedData, Snapshot, ValidatedData
from perennial.records.run import Trigger
from perennial.runs import enough_new
from perennial.settings.pipeline import PipelineSpec
from perennial.training.encoding import row_encoding
from perennial.validation import snapshot_validation
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


@task(name="validate", **STEP)
def validate(spec: PipelineSpec, snapshot: Snapshot, home: Home) -> ValidatedData:
    """Check the rows; set bad ones aside or stop."""
    with progress.step("validate"):
        data = snapshot_validation.validate(spec, snapshot, home)
        snapshots.accept(spec, snapshot, home)
        return data


@task(name="encode", **STEP)
def encode(spec: PipelineSpec, data: ValidatedData, home: Home) -> EncodedData:
    """Tokenize what is not tokenized yet."""
    with progress.step("encode"):
        return row_encoding.encode(spec, data, home)
