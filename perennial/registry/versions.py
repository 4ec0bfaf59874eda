"""Versions of a model: registered with their evidence, found again, and fetched."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from perennial import kinds
from perennial.core import progress
from perennial.core.errors import RegistryError, listing
from perennial.core.home import Home
from perennial.core.record import Record
from perennial.records.package import Champion
from perennial.records.run import Evidence, RegisteredVersion
from perennial.registry import agreement, aliases, packages, tags, tracking
from perennial.settings.pipeline import PipelineSpec

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

WEIGHTS = "model.safetensors"
RUN_ID = r"[0-9a-f]{32}"
"""What the id of an MLflow run looks like."""
EVIDENCE = "evidence.json"
"""All that the decision rests on, beside the run: from it a candidate can be judged again later."""


class FinishedVersion(Record):
    """A version whose pipeline run came to its end."""

    registered: RegisteredVersion
    status: str
    """promoted, held or rejected."""
    serves: bool = False
    """It is champion now."""


class Candidate(Record):
    """A version as a decision about it finds it, hours later and on another machine."""

    registered: RegisteredVersion
    run_key: str
    status: str | None
    decision: str | None
    """PROMOTE, HOLD or REJECT; None: not known."""
    decision_digest: str | None
    needs_approval: bool


class StoredEvidence(Record):
    """What EVIDENCE holds."""

    spec: PipelineSpec
    evidence: Evidence


def candidate(client: "MlflowClient", model: str, version: str) -> Candidate:
    """What is known of `version`. Raises RegistryError when there is no such version."""
    return candidate_of(_version(client, model, version))


def newest(client: "MlflowClient", model: str) -> str:
    """The number of the version registered last. Raises RegistryError when there is none."""
    numbers = [int(version.version) for version in client.search_model_versions(f"name = '{model}'")]
    if not numbers:
        raise RegistryError(f"{model} has no versions yet.", remedy=f"Run `perennial run {model}` first.")
    return str(max(numbers))


def made_by(client: "MlflowClient", run_id: str) -> Candidate:
    """The version that an MLflow run made. Raises RegistryError when it made none."""
    versions_made = client.search_model_versions(f"run_id = '{run_id}'")
    if not versions_made:
        raise RegistryError(f"No version was made by the MLflow run {run_id}.", remedy="Name a model and a version.")
    return candidate_of(max(versions_made, key=lambda version: int(version.version)))


def candidate_of(version: "ModelVersion") -> Candidate:
    """What a version's tags say."""
    return Candidate(
        registered=registered_version(version),
        run_key=version.tags.get(tags.RUN_KEY, ""),
        status=version.tags.get(tags.STATUS),
        decision=version.tags.get(tags.DECISION),
        decision_digest=version.tags.get(tags.DECISION_DIGEST),
        needs_approval=version.tags.get(tags.APPROVAL) == "required",
    )


def evidence_of(client: "MlflowClient", home: Home, candidate: Candidate) -> StoredEvidence:
    """What the decision on a version rested on. Raises RegistryError when it is not there or can't be read."""
    from pydantic import ValidationError

    with TemporaryDirectory(prefix="perennial-") as scratch:
        content = artifact(home, candidate, EVIDENCE, Path(scratch)).read_bytes()
    unreadable = _no_evidence(candidate, "this Perennial can't read it")
    try:
        stored = StoredEvidence.model_validate_json(content)
    except ValidationError as error:
        raise unreadable from error
    if stored.spec.kind not in kinds.names():
        raise unreadable
    return stored


def artifact(home: Home, candidate: Candidate, name: str, folder: Path) -> Path:
    """The file or folder `name` of the run that made a version, downloaded into `folder`.

    Raises RegistryError when it can't be had.
    """
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException

    uri = f"runs:/{candidate.registered.run_id}/{name}"
    try:
        return Path(download_artifacts(artifact_uri=uri, dst_path=str(folder), tracking_uri=tracking.uri(home)))
    except (MlflowException, OSError) as error:
        raise _no_evidence(candidate, tracking.reason(error)) from error


def _no_evidence(candidate: Candidate, why: str) -> RegistryError:
    run = candidate.registered
    return RegistryError(
        f"The evidence for version {run.version} of {run.model} can't be had from MLflow: {why}. {tracking.UNTOUCHED}",
        remedy="If MLflow was away for a moment, run the same command again; if the evidence is gone, "
        f"`perennial run {run.model}` judges a candidate anew.",
    )


def package(home: Home, model: str, version: str | None = None) -> Champion:
    """The package of `version` of `model` (None: of the champion), whole and verified in the store.

    Raises RegistryError when there is no such version, no champion yet, or the package is not what was registered.
    """
    with tracking.session(home) as client:
        return packages.fetch(client, home, find_version(client, home, model, version))


def find_version(client: "MlflowClient", home: Home, model: str, version: str | None = None) -> "ModelVersion":
    """`version` of `model` (None: its champion). Raises RegistryError when there is none, DisagreementError when there
    is none though the ledger has one; a champion that the ledger knows as another one is given, and that is noted.
    """
    if version is not None:
        return _version(client, model, version)
    champion = aliases.version_of_champion(client, home, model)
    disagreement = _disagreement(client, home, model)
    if champion is None:
        if disagreement:
            raise disagreement.error()
        served = [one for one in client.search_model_versions(f"name = '{model}'") if _was_promoted(one)]
        if served:
            raise RegistryError(
                f"{model} has no champion any more: version {listing(_newest_first(served), 5)} was promoted once, and "
                "was taken out of service.",
                remedy=f"`perennial rollback {model} --to N --reason …` lets one serve again, or name it with "
                "--version.",
            )
        raise RegistryError(
            f"{model} has no champion yet: no version of it was promoted.",
            remedy=f"Run `perennial run {model}` first, or name a version with --version.",
        )
    if disagreement:
        progress.note(str(disagreement))
    return champion


def _disagreement(client: "MlflowClient", home: Home, model: str) -> agreement.Disagreement | None:
    # Whoever asks a model goes by the registry; a ledger that is down keeps nobody from being answered.
    try:
        return agreement.examine(client, home, model)
    except RegistryError as error:
        progress.note(f"Whether the ledger agrees is not known: {error.problem}")
    return None


def _was_promoted(version: "ModelVersion") -> bool:
    return bool(version.tags.get(tags.STATUS) == tags.PROMOTED)


def _newest_first(some: "list[ModelVersion]") -> list[str]:
    return sorted((str(version.version) for version in some), key=int, reverse=True)


def already(home: Home, model: str, run_key: str) -> FinishedVersion | None:
    """The version that the pipeline run under `run_key` made, if that run came to its end; else None.

    A candidate that was held or rejected beside a champion that serves no more has to be judged again: None, too.
    """
    with tracking.session(home) as client:
        for version in _by_run_key(client, model, run_key):
            status = version.tags.get(tags.STATUS)
            if status == tags.PROMOTED or (status in tags.FINISHED and _judged_against(client, home, version)):
                return FinishedVersion(
                    registered=registered_version(version), status=status, serves=_serves(client, version)
                )
            if _serves(client, version):
                if status == tags.BY_HAND:
                    return FinishedVersion(registered=registered_version(version), status=status, serves=True)
                # Killed between moving the alias and saying so.
                client.set_model_version_tag(model, version.version, tags.STATUS, tags.PROMOTED)
                return FinishedVersion(registered=registered_version(version), status=tags.PROMOTED, serves=True)
    return None


def _serves(client: "MlflowClient", version: "ModelVersion") -> bool:
    # What a search finds does not name aliases.
    return bool(aliases.CHAMPION in client.get_model_version(version.name, version.version).aliases)


def made_of(client: "MlflowClient", model: str, run_key: str, package_digest: str) -> "list[ModelVersion]":
    """The versions of `model` that hold this package of the pipeline run under `run_key`, the latest first."""
    versions_of_run = _by_run_key(client, model, run_key)
    return [version for version in versions_of_run if version.tags.get(tags.PACKAGE_DIGEST) == package_digest]


def _by_run_key(client: "MlflowClient", model: str, run_key: str) -> "list[ModelVersion]":
    versions_of_run = client.search_model_versions(f"name = '{model}' and tags.`{tags.RUN_KEY}` = '{run_key}'")
    # What was removed is no outcome to rest on: the run is made again.
    there = [version for version in versions_of_run if tags.REMOVED not in version.tags]
    return sorted(there, key=lambda version: int(version.version), reverse=True)


def _version(client: "MlflowClient", model: str, version: str) -> "ModelVersion":
    by_number = {str(each.version): each for each in client.search_model_versions(f"name = '{model}'")}
    if version in by_number:
        return by_number[version]
    newest_first = sorted(by_number, key=int, reverse=True)
    raise RegistryError(
        f"There is no version {version} of {model}; "
        + (f"there are: {listing(newest_first, 10)}." if by_number else "it has no versions yet."),
        remedy="Name one of these with --version." if by_number else f"Run `perennial run {model}` first.",
    )


def _judged_against(client: "MlflowClient", home: Home, version: "ModelVersion") -> bool:
    """Whether the champion that `version` was judged beside is the one there is now."""
    champion = aliases.version_of_champion(client, home, version.name)
    serving = str(champion.version) if champion else tags.NO_CHAMPION
    return bool(version.tags.get(tags.CHAMPION_AT_DECISION) == serving)


def registered_version(version: "ModelVersion") -> RegisteredVersion:
    """The record of a version, from its tags."""
    against: Any = version.tags.get(tags.CHAMPION_AT_DECISION)
    return RegisteredVersion(
        model=version.name,
        version=str(version.version),
        run_id=version.run_id,
        package_digest=version.tags.get(tags.PACKAGE_DIGEST, ""),
        champion_version=None if against == tags.NO_CHAMPION else against,
    )
