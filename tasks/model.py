"""The steps from token ids to a judged package. None is tried again: a training that failed would fail again."""

from prefect import task

from perennial.core import progress
from perennial.core.home import Home
from perennial.evaluation import gates, package_evaluation
from perennial.evaluation.report import run_report
from perennial.export import linear_cascade, onnx_package, sample
from perennial.records.data import EncodedData, ValidatedData
from perennial.records.decision import Decision
from perennial.records.evaluation import Evaluation
from perennial.records.package import Champion, OnnxPackage
from perennial.records.run import Evidence, Report
from perennial.records.training import StartingPoint, TrainedModel
from perennial.settings.export import CascadeSpec, StudentSpec
from perennial.settings.pipeline import PipelineSpec
from perennial.training import finetuning
from perennial.training.distillation import student_training
from tasks.retrying import STEP


@task(name="finetune", **STEP)
def finetune(
    spec: PipelineSpec, data: EncodedData, validated: ValidatedData, home: Home, start: StartingPoint | None
) -> TrainedModel:
    """Fine-tune the base model or the champion, or resume where a killed run stopped."""
    with progress.step("finetune"):
        return finetuning.finetune(spec, data, validated, home, start)


@task(name="distill", **STEP)
def distill(
    spec: PipelineSpec,
    student: StudentSpec,
    teacher: TrainedModel,
    data: EncodedData,
    validated: ValidatedData,
    home: Home,
    start: StartingPoint | None,
) -> TrainedModel:
    """Teach a smaller model what the fine-tuned one knows, or resume where a killed run stopped."""
    with progress.step("distill"):
        return student_training.distill(spec, student, teacher, data, validated, home, start)


@task(name="export", **STEP)
def export(spec: PipelineSpec, model: TrainedModel, data: ValidatedData, home: Home) -> OnnxPackage:
    """Make the package that is judged and served."""
    with progress.step("export"):
        inputs, targets = sample.validation_sample(spec, data, home.store)
        return onnx_package.export(spec, model, inputs, targets, home, data_digest=data.digest)


@task(name="cascade", **STEP)
def cascade(
    spec: PipelineSpec, wanted: CascadeSpec, package: OnnxPackage, encoded: EncodedData, data: ValidatedData, home: Home
) -> OnnxPackage:
    """Put a linear model before the transformer in its package."""
    with progress.step("cascade"):
        inputs, targets = sample.validation_sample(spec, data, home.store)
        return linear_cascade.put_before(spec, wanted, package, encoded, inputs, targets, home)


@task(name="evaluate", **STEP)
def evaluate(
    spec: PipelineSpec, package: OnnxPackage, data: ValidatedData, champion: Champion | None, home: Home
) -> Evaluation:
    """Judge the package beside the champion and the baselines."""
    with progress.step("evaluate"):
        return package_evaluation.evaluate(spec, package, data, champion, home)


@task(name="decide", **STEP)
def decide(spec: PipelineSpec, evaluation: Evaluation) -> Decision:
    """Apply the gates."""
    with progress.step("decide"):
        return gates.decide(spec, evaluation)


@task(name="report", **STEP)
def report(spec: PipelineSpec, evidence: Evidence, home: Home) -> Report:
    """Make the page about the run."""
    with progress.step("report"):
        return run_report.make_report(spec, evidence, home)
