"""Retraining: from what is new in the source to a decision in the registry."""

from collections.abc import Sequence

from prefect import flow

from flows import results
from perennial import libraries, progress, run_key, spec_file
from perennial.artifacts import Evidence, RunResult
from perennial.data import news
from perennial.home import Home
from perennial.lock import one_at_a_time
from tasks.data import encode, ingest, validate
from tasks.model import decide, evaluate, export, finetune, report
from tasks.registry import conclude, find_champion, find_finished, register


@flow(name="retrain", flow_run_name="retrain {pipeline}", persist_result=False, validate_parameters=False)
def retrain(pipeline: str, overrides: Sequence[str] = (), reread: bool = False) -> RunResult:
    """One retraining run of `pipeline` (a name or a path), with `overrides` as `--set` takes them.

    `reread`: read the source from its beginning into a new snapshot. Raises PerennialError.
    """
    spec = spec_file.read(spec_file.find(pipeline), overrides)
    home = Home.from_environment()
    with one_at_a_time(spec.name, home), progress.timed() as seconds:
        snapshot = ingest(spec, home, reread=reread)
        key = run_key.of(spec, snapshot)
        finished = find_finished(spec, key, home)
        if finished is not None:
            news.note_trained(spec, snapshot, home)
            return results.skipped(finished, snapshot, seconds)
        validated = validate(spec, snapshot, home)
        encoded = encode(spec, validated, home)
        champion = find_champion(spec, home)
        trained = finetune(spec, encoded, validated, home)
        package = export(spec, trained, validated, home)
        evaluation = evaluate(spec, package, validated, champion, home)
        decision = decide(spec, evaluation)
        evidence = Evidence(
            snapshot=snapshot,
            validated=validated,
            trained=trained,
            package=package,
            evaluation=evaluation,
            decision=decision,
            seconds=seconds,
            libraries=libraries.installed(),
        )
        page = report(spec, evidence, home)
        version = register(spec, key, evidence, home)
        conclusion = conclude(spec, version, decision, home)
        news.note_trained(spec, snapshot, home)
        return results.concluded(conclusion, version, evidence, page, seconds)
