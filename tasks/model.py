"""The steps from token ids to a judged package. None is tried again: a training that failed would fail again."""

from prefect import task

from perennial.core import progress
from perennial.core.home import Home
from perennial.evaluation.report import run_report
from perennial.records.run import Evidence, Report
from perennial.runs import candidate_steps
from perennial.settings.pipeline import PipelineSpec
from tasks.retrying import STEP

finetune = task(name="finetune", **STEP)(candidate_steps.finetune)
distill = task(name="distill", **STEP)(candidate_steps.distill)
export = task(name="export", **STEP)(candidate_steps.export)
cascade = task(name="cascade", **STEP)(candidate_steps.cascade)
evaluate = task(name="evaluate", **STEP)(candidate_steps.evaluate)
decide = task(name="decide", **STEP)(candidate_steps.decide)


@task(name="report", **STEP)
def report(spec: PipelineSpec, evidence: Evidence, home: Home) -> Report:
    """Make the page about the run."""
    with progress.step("report"):
        return run_report.make_report(spec, evidence, home)
