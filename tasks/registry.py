"""The steps that speak to MLflow's registry; asked again, because a server may be restarting."""

from prefect import task

from perennial.core import progress
from perennial.core.home import Home
from perennial.promotion import reconciliation, registration
from perennial.promotion.challenge import of_runs
from perennial.promotion.conclusion import Conclusion
from perennial.records.data import ValidatedData
from perennial.records.decision import Decision
from perennial.records.evaluation import Evaluation
from perennial.records.package import Anchor, Champion, OnnxPackage
from perennial.records.run import Evidence, RegisteredVersion
from perennial.records.training import StartingPoint
from perennial.registry import aliases, ledger_location, versions
from perennial.registry.versions import FinishedVersion
from perennial.runs import anchor, look_budget, power, starting_point
from perennial.settings.pipeline import PipelineSpec
from tasks.retrying import registry_may_answer, step

RETRIED = step(registry_may_answer)


@task(name="ask the ledger", **RETRIED)
def find_disagreement(spec: PipelineSpec, home: Home) -> str | None:
    """How ledger and registry disagree about the champion, and the ways out; what a killed promotion left is mended
    first.
    """
    with progress.step("ledger"):
        for doubt in ledger_location.doubts(home):
            progress.note(str(doubt))
        disagreement = reconciliation.disagreement(home, spec.name)
        return str(disagreement) if disagreement else None


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


@task(name="find anchor", **RETRIED)
def find_anchor(spec: PipelineSpec, champion: Champion | None, home: Home) -> Anchor | None:
    """The best champion of some time, its package fetched and checked; None: no gate asks for it."""
    with progress.step("anchor"):
        return anchor.find_anchor(spec, champion, home)


@task(name="say power", **RETRIED)
def say_power(spec: PipelineSpec, data: ValidatedData, champion: Champion | None, home: Home) -> None:
    """Tell which gates these rows may be too few for."""
    with progress.step("power"):
        power.say_power(spec, data, champion, home)


@task(name="find start", **RETRIED)
def find_start(spec: PipelineSpec, champion: Champion | None, home: Home) -> StartingPoint | None:
    """What training starts from by training.start_from; None: the base model."""
    if spec.training.start_from == "base":
        return None
    with progress.step("start"):
        return starting_point.find_starting_point(spec, champion, home)


@task(name="count look", **RETRIED)
def count_look(
    spec: PipelineSpec,
    evaluation: Evaluation,
    package: OnnxPackage,
    data: ValidatedData,
    champion: Champion | None,
    anchor: Anchor | None,
    home: Home,
) -> Evaluation:
    """Write down that the candidate was compared on these test rows, and what that may err with."""
    with progress.step("count look"):
        return look_budget.with_look(spec, evaluation, package, data, champion, anchor, home)


@task(name="register", **RETRIED)
def register(spec: PipelineSpec, run_key: str, evidence: Evidence, home: Home) -> RegisteredVersion:
    """Log the run and register the package with its evidence."""
    with progress.step("register"):
        return registration.register(spec, run_key, evidence, home)


@task(name="conclude", **RETRIED)
def conclude(spec: PipelineSpec, version: RegisteredVersion, decision: Decision, home: Home) -> Conclusion:
    """Promote, park, hold, reject or only observe; `champion` moves only if it is still the one judged against."""
    with progress.step("conclude"):
        return of_runs.conclude_run(
            home,
            version,
            decision,
            spec.rollout,
            needs_approval=spec.registry.approval == "required",
            observing=spec.registry.mode == "observe",
        )
