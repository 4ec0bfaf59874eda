"""What training starts from when that is the champion: found by its lineage, in this store or in MLflow."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from perennial.core import digest, progress
from perennial.core.errors import RegistryError
from perennial.core.home import Home
from perennial.core.record import Record
from perennial.records.package import Champion
from perennial.records.training import Start, StartingPoint, TrainedModel
from perennial.registry import run_log, tracking, versions
from perennial.registry.versions import Candidate, StoredEvidence
from perennial.rows.splits import fingerprint
from perennial.settings.pipeline import PipelineSpec
from perennial.training import base_model, finetuning

if TYPE_CHECKING:
    from mlflow import MlflowClient

STEP = "starting-weights"


class StoredWeights(Record):
    """Weights that were downloaded into the store."""

    digest: str
    """sha256 of model.safetensors."""


def find_starting_point(spec: PipelineSpec, champion: Champion | None, home: Home) -> StartingPoint | None:
    """The model that `spec.training.start_from` means, its weights whole in the store; None: the base model.

    Of a champion that was distilled that is its teacher, which has all the layers.

    Where it means the champion and that can't be, the answer says why, and the run starts from the base. Raises
    RegistryError when MLflow can't be reached.
    """
    if spec.training.start_from == "base":
        return None
    if champion is None:
        return _from_base("there is no champion yet")
    with tracking.session(home) as client:
        candidate = versions.candidate(client, home, spec.name, champion.version)
        start = _of_version(client, home, candidate, spec)
    if start.start.problem:
        progress.note(f"Training starts from the base model, not from the champion: {start.start.problem}.")
    return start


def restore_starting_point(home: Home, spec: PipelineSpec, start: Start | None, scratch: Home) -> StartingPoint | None:
    """What an earlier training of `spec` started from, with its weights copied to the store of `scratch`.

    Raises RegistryError when they can't be had any more.
    """
    if start is None or start.version is None:
        return StartingPoint(start=start) if start else None
    with tracking.session(home) as client:
        start_again = _of_version(client, home, versions.candidate(client, home, spec.name, start.version), spec)
    if start_again.start.path is None or start_again.start.digest != start.digest:
        why = start_again.start.problem or "its weights there are others"
        raise RegistryError(
            f"Training started from the weights of version {start.version} of {spec.name}, which can't be had any "
            f"more: {why}.",
            remedy="Bring them back from a backup, or run this on the machine that made it.",
        )
    target = scratch.store.root / start_again.start.path
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(home.store.root / start_again.start.path, target)
    return start_again


def _of_version(client: "MlflowClient", home: Home, candidate: Candidate, spec: PipelineSpec) -> StartingPoint:
    kept = {each.path for each in client.list_artifacts(candidate.registered.run_id)}
    if versions.EVIDENCE not in kept:
        return _from_base(f"the evidence of version {candidate.registered.version} is not in MLflow any more")
    stored = versions.evidence_of(client, home, candidate)
    if problem := _unfit(spec, stored):
        return _from_base(f"version {candidate.registered.version} {problem}")
    trained = stored.evidence.trained.fine_tuned
    weights = _in_store(home, trained) or (_downloaded(home, candidate, trained) if run_log.WEIGHTS in kept else None)
    if weights is None:
        return _from_base(
            f"the weights of version {candidate.registered.version} are neither in this store nor in MLflow; it was "
            "trained on another machine, or before training.start_from was champion"
        )
    return StartingPoint(
        start=Start(version=candidate.registered.version, digest=trained.digest, path=weights),
        labels=stored.spec.data.labels,
        parts=tuple(part.source.sha256 for part in stored.evidence.validated.parts),
        decoding=trained.decoding,
    )


def _from_base(problem: str) -> StartingPoint:
    return StartingPoint(start=Start(problem=problem))


def _unfit(spec: PipelineSpec, stored: StoredEvidence) -> str | None:
    """Why another training can't go on from this one."""
    from perennial.training import model

    trained, base = stored.evidence.trained, base_model.find_base_model(spec)
    if stored.spec.kind != spec.kind:
        return f"is of kind {stored.spec.kind}"
    if trained.base_revision != base.revision:
        return f"was made from another base model, {trained.base} of revision {trained.base_revision[:12]}…"
    if trained.pooling != model.pooling(spec, base):
        return f"has another head ({trained.pooling})"
    if fingerprint(stored.spec.data) != fingerprint(spec.data):
        return "splits rows otherwise: it may have learned from what are test rows now"
    return None


def _in_store(home: Home, trained: TrainedModel) -> str | None:
    kept = home.store.get(finetuning.STEP, Path(trained.path).name, TrainedModel)
    return f"{trained.path}/{versions.WEIGHTS}" if kept and kept.digest == trained.digest else None


def _downloaded(home: Home, candidate: Candidate, trained: TrainedModel) -> str | None:
    """Where the weights from MLflow lie in the store; None: what is there is not what was trained."""
    if home.store.get(STEP, trained.digest, StoredWeights) is None:
        with TemporaryDirectory(prefix="perennial-") as scratch:
            progress.note(f"Downloading the weights of version {candidate.registered.version}.")
            file = versions.artifact(home, candidate, f"{run_log.WEIGHTS}/{versions.WEIGHTS}", Path(scratch))
            if digest.of_file(file) != trained.digest:
                return None
            home.store.get_or_make(STEP, trained.digest, StoredWeights, lambda folder: _stored(file, folder, trained))
    return f"{STEP}/{trained.digest}/{versions.WEIGHTS}"


def _stored(file: Path, folder: Path, trained: TrainedModel) -> StoredWeights:
    shutil.copyfile(file, folder / versions.WEIGHTS)
    return StoredWeights(digest=trained.digest)
