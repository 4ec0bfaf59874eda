"""The steps of the chain as plain functions, each under the name that a person who waits reads.

A run wraps them in Prefect tasks (`tasks/`), `perennial reproduce` calls them as they are.
"""

from perennial.core import progress
from perennial.core.home import Home
from perennial.evaluation import gates, package_evaluation
from perennial.export import linear_cascade, onnx_package, sample
from perennial.ingest import snapshots
from perennial.records.data import EncodedData, Snapshot, ValidatedData
from perennial.records.decision import Decision
from perennial.records.evaluation import Evaluation
from perennial.records.package import Anchor, Champion, OnnxPackage
from perennial.records.training import StartingPoint, TrainedModel
from perennial.settings.export import CascadeSpec, StudentSpec
from perennial.settings.pipeline import PipelineSpec
from perennial.training import finetuning
from perennial.training.distillation import student_training
from perennial.training.encoding import row_encoding
from perennial.validation import snapshot_validation


def validate(spec: PipelineSpec, snapshot: Snapshot, home: Home) -> ValidatedData:
    """Check the rows; set bad ones aside or stop. The next run goes on from what passed.

    Where the snapshot was not read into this home, as when a version is made again, nothing waits to be gone on from.
    """
    with progress.step("validate"):
        data = snapshot_validation.validate(spec, snapshot, home)
        snapshots.accept(spec, snapshot, home)
        return data


def encode(spec: PipelineSpec, data: ValidatedData, home: Home) -> EncodedData:
    """Tokenize what is not tokenized yet."""
    with progress.step("encode"):
        return row_encoding.encode(spec, data, home)


def finetune(
    spec: PipelineSpec, data: EncodedData, validated: ValidatedData, home: Home, start: StartingPoint | None
) -> TrainedModel:
    """Fine-tune the base model or the champion, or resume where a killed run stopped."""
    with progress.step("finetune"):
        return finetuning.finetune(spec, data, validated, home, start)


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


def export(spec: PipelineSpec, model: TrainedModel, data: ValidatedData, home: Home) -> OnnxPackage:
    """Make the package that is judged and served."""
    with progress.step("export"):
        inputs, targets = sample.validation_sample(spec, data, home.store)
        return onnx_package.export(spec, model, inputs, targets, home, data_digest=data.digest)


def cascade(
    spec: PipelineSpec, wanted: CascadeSpec, package: OnnxPackage, encoded: EncodedData, data: ValidatedData, home: Home
) -> OnnxPackage:
    """Put a linear model before the transformer in its package."""
    with progress.step("cascade"):
        inputs, targets = sample.validation_sample(spec, data, home.store)
        return linear_cascade.put_before(spec, wanted, package, encoded, inputs, targets, home)


def evaluate(
    spec: PipelineSpec,
    package: OnnxPackage,
    data: ValidatedData,
    champion: Champion | None,
    anchor: Anchor | None,
    home: Home,
) -> Evaluation:
    """Judge the package beside the champion, the anchor and the baselines."""
    with progress.step("evaluate"):
        return package_evaluation.evaluate(spec, package, data, champion, home, anchor)


def decide(spec: PipelineSpec, evaluation: Evaluation) -> Decision:
    """Apply the gates."""
    with progress.step("decide"):
        return gates.decide(spec, evaluation)
