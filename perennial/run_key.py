"""The key of a whole run: what makes a candidate, and what judges it."""

from collections.abc import Mapping

from pydantic.main import IncEx

from perennial import digest, libraries
from perennial.artifacts import Snapshot
from perennial.data import corrections
from perennial.evaluation import evaluate
from perennial.export import onnx_package
from perennial.spec import PipelineSpec
from perennial.training import base_model, finetune

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
    "report": True,
    "data": {"source", "corrections"},
    "training": {"checkpoint_seconds"},
}
"""Settings that change neither the candidate nor the decision; the rows themselves are in the snapshot's digest, and
what corrections say is in the key."""


def of(spec: PipelineSpec, snapshot: Snapshot) -> str:
    """The key under which a run of `spec` on `snapshot` is registered; a run with the same key has nothing to do."""
    return digest.of_values(
        spec=spec.model_dump(mode="json", exclude=NOT_LEARNED),
        snapshot=snapshot.digest,
        corrections=corrections.read(spec),
        base=base_model.find(spec).revision,
        recipes=[finetune.RECIPE, onnx_package.RECIPE, evaluate.RECIPE],
        versions=libraries.versions(LIBRARIES),
    )
