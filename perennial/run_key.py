"""The key of a whole run: what makes a candidate, and what judges it."""

import importlib.metadata
from collections.abc import Iterator, Mapping
from contextlib import suppress

from pydantic.main import IncEx

from perennial import digest
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
        versions=dict(_versions()),
    )


def _versions() -> Iterator[tuple[str, str]]:
    for name in LIBRARIES:
        # One of onnxruntime and onnxruntime-gpu is never there.
        with suppress(importlib.metadata.PackageNotFoundError):
            yield name, importlib.metadata.version(name)
