"""The key of a whole run: what makes a candidate, and what judges it."""

from collections.abc import Mapping

from pydantic.main import IncEx

from perennial.core import digest, libraries
from perennial.evaluation import package_evaluation, serving_cost
from perennial.export import linear_cascade, onnx_package
from perennial.metrics import gate_metrics
from perennial.records.data import Snapshot
from perennial.settings.pipeline import PipelineSpec
from perennial.training import base_model, finetuning
from perennial.training.distillation import student_training
from perennial.validation import corrections

LIBRARIES = (
    "perennial",
    "torch",
    "transformers",
    "tokenizers",
    "onnx",
    "onnxruntime",
    "onnxruntime-gpu",
    "scikit-learn",
)
NOT_LEARNED: Mapping[str, IncEx | bool] = {
    "schedule": True,
    "notify": True,
    "triggers": True,
    "monitor": True,
    "report": True,
    "serving": True,
    "rollout": True,
    "data": {"source", "corrections", "future_tolerance", "missing_labels"},
    "training": {"checkpoint_seconds"},
    "registry": {"approval_days"},
}
"""Settings that change neither the candidate nor the decision; the rows themselves are in the snapshot's digest, and
what corrections say is in the key."""


def run_key_of(spec: PipelineSpec, snapshot: Snapshot) -> str:
    """The key under which a run of `spec` on `snapshot` is registered; a run with the same key has nothing to do.

    It names no champion, also where training starts from it: else a candidate that was promoted would be a reason to
    train from it again, on the same rows, and so for ever. The trained model's own key names it.
    """
    gated = any(gate.metric == gate_metrics.BATCH_FLIPS for gate in spec.gates)
    return digest.of_values(
        **(serving_cost.of_server(spec.serving) if gated else {}),
        spec=spec.model_dump(mode="json", exclude=NOT_LEARNED),
        snapshot=snapshot.digest,
        corrections=corrections.read_corrections(spec),
        base=base_model.find_base_model(spec).revision,
        recipes=[
            *(step.RECIPE for step in (finetuning, student_training, onnx_package, linear_cascade)),
            package_evaluation.RUN_RECIPE,
        ],
        versions=libraries.versions(LIBRARIES),
    )
