"""Retraining: from what is new in the source to a decision in the registry."""

from collections.abc import Sequence

from prefect import flow

from flows import results
from perennial.core import progress
from perennial.core.home import Home
from perennial.pipeline_file import loader
from perennial.pipeline_file.set_aside import read_overrides
from perennial.records.run import RunResult, Status, Trigger
from perennial.runs import enough_new, run_key
from perennial.runs.candidate import build_candidate
from perennial.runs.lock import one_at_a_time
from tasks.candidate import STEPS
from tasks.data import ingest, too_few
from tasks.model import report
from tasks.registry import conclude, find_disagreement, find_finished, register


@flow(name="retrain", flow_run_name="retrain {pipeline}", persist_result=False, validate_parameters=False)
def retrain(
    pipeline: str,
    overrides: Sequence[str] = (),
    reread: bool = False,
    trigger: Trigger = Trigger(),  # noqa: B008 - frozen
    reason: str = "",
) -> RunResult:
    """One retraining run of `pipeline` (a name or a path), with `overrides` as `--set` takes them.

    `reread`: read the source from its beginning into a new snapshot. `trigger`: why; a run that nobody asked for is
    skipped when too little is new. `reason`: why `overrides` change gates, approval or splits. Raises PerennialError.
    """
    spec = loader.read_pipeline(loader.find_pipeline(pipeline), overrides)
    loader.note_doubts(loader.find_pipeline(pipeline), spec)
    set_aside = read_overrides(loader.find_pipeline(pipeline), overrides, reason)
    home = Home.from_environment()
    with one_at_a_time(spec.name, home), progress.timed() as seconds:
        snapshot = ingest(spec, home, reread=reread)
        disagreement = find_disagreement(spec, home)
        if disagreement is not None:
            return results.not_begun(Status.HELD, spec.name, disagreement, snapshot, trigger, seconds)
        key = run_key.run_key_of(spec, snapshot)
        finished = find_finished(spec, key, home)
        if finished is not None:
            enough_new.note_trained(spec, snapshot, home)
            return results.skipped(finished, snapshot, trigger, seconds)
        needless = too_few(spec, snapshot, trigger, home)
        if needless is not None:
            return results.not_begun(Status.SKIPPED, spec.name, needless, snapshot, trigger, seconds)
        evidence = build_candidate(spec, snapshot, home, STEPS, seconds, trigger)
        evidence = evidence.model_copy(update={"overrides": set_aside})
        page = report(spec, evidence, home)
        version = register(spec, key, evidence, home)
        conclusion = conclude(spec, version, evidence.decision, home)
        if evidence.evaluation.rival_problem is None:
            enough_new.note_trained(spec, snapshot, home)
        return results.concluded(conclusion, version, evidence, page, seconds)
