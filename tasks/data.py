"""The steps from a source to token ids."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from perennial import progress
from perennial.artifacts import EncodedData, Snapshot, ValidatedData
from perennial.data import snapshot as snapshots
from perennial.data import validation
from perennial.home import Home
from perennial.spec import PipelineSpec
from perennial.training import encoding


@task(name="ingest", cache_policy=NO_CACHE, persist_result=False)
def ingest(spec: PipelineSpec, home: Home, *, reread: bool = False) -> Snapshot:
    """Read what is new in the source."""
    with progress.step("ingest"):
        return snapshots.ingest(spec, home, reread=reread)


@task(name="validate", cache_policy=NO_CACHE, persist_result=False)
def validate(spec: PipelineSpec, snapshot: Snapshot, home: Home) -> ValidatedData:
    """Check the rows; set bad ones aside or stop."""
    with progress.step("validate"):
        data = validation.validate(spec, snapshot, home)
        snapshots.accept(spec, snapshot, home)
        return data


@task(name="encode", cache_policy=NO_CACHE, persist_result=False)
def encode(spec: PipelineSpec, data: ValidatedData, home: Home) -> EncodedData:
    """Tokenize what is not tokenized yet."""
    with progress.step("encode"):
        return encoding.encode(spec, data, home)
