"""Versions of a model: registered with their evidence, found again, and fetched."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from perennial import progress
from perennial.artifacts import (
    Champion,
    Evidence,
    Record,
    RegisteredVersion,
)
from perennial.errors import RegistryError, listing
from perennial.evaluation.answers import CONTEST, PREDICTIONS
from perennial.evaluation.report import make as reporting
from perennial.home import Home
from perennial.registry import agreement, aliases, model_card, packages, pyfunc, run_log, tags, tracking
from perennial.spec import PipelineSpec

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel, Run
    from mlflow.entities.model_registry import ModelVersion

STEPS = 4
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


@dataclass(frozen=True)
class Brought:
    """What a version has from the registry that it was made in."""

    origin: str
    """Which version it was there, and where."""
    description: str
    report: Path
    """Folder with its validation report."""
    answers: Path | None = None
    """Folder with what the models answered; None: it was not kept."""


@dataclass(frozen=True)
class _Filing:
    """What is registered as one version."""

    spec: PipelineSpec
    run_key: str
    evidence: Evidence
    brought: Brought | None

    @property
    def marks(self) -> Mapping[str, str]:
        known = {**run_log.tags_of(self.spec, self.evidence), tags.APPROVAL: self.spec.registry.approval}
        return known | ({tags.ORIGIN: self.brought.origin} if self.brought else {})

    @property
    def description(self) -> str:
        return self.brought.description if self.brought else model_card.of(self.spec, self.evidence)

    def report(self, home: Home) -> Path:
        return self.brought.report if self.brought else home.store.root / self.evidence.validated.report_path

    def answers(self, home: Home) -> Path | None:
        """Folder with what the decision can be made from again; None: nobody has it."""
        here = (home.store.root / self.evidence.evaluation.predictions_path).parent
        return here if (here / PREDICTIONS).is_file() else self.brought.answers if self.brought else None

    def weights(self, client: "MlflowClient", home: Home, run_id: str) -> Path | None:
        """What the next training starts from, wherever it runs; None: it does not, or the run has it already."""
        here = home.store.root / self.evidence.trained.fine_tuned.path / WEIGHTS
        if self.spec.training.start_from == "base" or not here.is_file():
            return None
        return None if any(file.path == run_log.WEIGHTS for file in client.list_artifacts(run_id)) else here


def candidate(client: "MlflowClient", model: str, version: str) -> Candidate:
    """What is known of `version`. Raises RegistryError when there is no such version."""
    return known(_version(client, model, version))


def newest(client: "MlflowClient", model: str) -> str:
    """The number of the version registered last. Raises RegistryError when there is none."""
    found = [int(version.version) for version in client.search_model_versions(f"name = '{model}'")]
    if not found:
        raise RegistryError(f"{model} has no versions yet.", remedy=f"Run `perennial run {model}` first.")
    return str(max(found))


def made_by(client: "MlflowClient", run_id: str) -> Candidate:
    """The version that an MLflow run made. Raises RegistryError when it made none."""
    found = client.search_model_versions(f"run_id = '{run_id}'")
    if not found:
        raise RegistryError(f"No version was made by the MLflow run {run_id}.", remedy="Name a model and a version.")
    return known(max(found, key=lambda version: int(version.version)))


def known(found: "ModelVersion") -> Candidate:
    """What a version's tags say."""
    return Candidate(
        registered=_record(found),
        run_key=found.tags.get(tags.RUN_KEY, ""),
        status=found.tags.get(tags.STATUS),
        decision=found.tags.get(tags.DECISION),
        decision_digest=found.tags.get(tags.DECISION_DIGEST),
        needs_approval=found.tags.get(tags.APPROVAL) == "required",
    )


def evidence_of(client: "MlflowClient", home: Home, known: Candidate) -> StoredEvidence:
    """What the decision on a version rested on. Raises RegistryError when it is not there or can't be read."""
    from pydantic import ValidationError

    with TemporaryDirectory(prefix="perennial-") as scratch:
        content = artifact(home, known, EVIDENCE, Path(scratch)).read_bytes()
    try:
        return StoredEvidence.model_validate_json(content)
    except ValidationError as error:
        raise _no_evidence(known, "this Perennial can't read it") from error


def artifact(home: Home, known: Candidate, name: str, folder: Path) -> Path:
    """The file or folder `name` of the run that made a version, downloaded into `folder`.

    Raises RegistryError when it can't be had.
    """
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException

    uri = f"runs:/{known.registered.run_id}/{name}"
    try:
        return Path(download_artifacts(artifact_uri=uri, dst_path=str(folder), tracking_uri=tracking.uri(home)))
    except (MlflowException, OSError) as error:
        raise _no_evidence(known, tracking.reason(error)) from error


def _no_evidence(known: Candidate, why: str) -> RegistryError:
    run = known.registered
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
        return packages.fetch(client, home, find(client, home, model, version))


def find(client: "MlflowClient", home: Home, model: str, version: str | None = None) -> "ModelVersion":
    """`version` of `model` (None: its champion). Raises RegistryError when there is none, DisagreementError when there
    is none though the ledger has one; a champion that the ledger knows as another one is given, and that is noted.
    """
    if version is not None:
        return _version(client, model, version)
    found = aliases.version_of_champion(client, home, model)
    disagreement = agreement.examine(client, home, model)
    if found is None:
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
    return found


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
                return FinishedVersion(registered=_record(version), status=status, serves=_serves(client, version))
            if _serves(client, version):
                if status == tags.BY_HAND:
                    return FinishedVersion(registered=_record(version), status=status, serves=True)
                # Killed between moving the alias and saying so.
                client.set_model_version_tag(model, version.version, tags.STATUS, tags.PROMOTED)
                return FinishedVersion(registered=_record(version), status=tags.PROMOTED, serves=True)
    return None


def _serves(client: "MlflowClient", version: "ModelVersion") -> bool:
    # What a search finds does not name aliases.
    return bool(aliases.CHAMPION in client.get_model_version(version.name, version.version).aliases)


def register(
    spec: PipelineSpec, run_key: str, evidence: Evidence, home: Home, brought: Brought | None = None
) -> RegisteredVersion:
    """Log the pipeline run under `run_key` in MLflow, and its package as a new version of the model `spec.name`.

    A version that a killed run left behind is finished, not made twice. No alias moves. `brought`: it was made in
    another registry. Raises RegistryError when MLflow can't be reached or the package is not whole.
    """
    filing = _Filing(spec, run_key, evidence, brought)
    with tracking.session(home) as client:
        for version in made_of(client, spec.name, run_key, evidence.package.digest):
            if version.tags.get(tags.STATUS) != tags.PROMOTED:
                return _taken_up(client, home, version, filing)
        run = run_log.open_run(client, home, spec.name, run_key)
        try:
            return _registered(client, home, run, filing)
        except Exception:
            with suppress(Exception):
                client.set_terminated(run.info.run_id, "FAILED")
            raise


def made_of(client: "MlflowClient", model: str, run_key: str, package_digest: str) -> "list[ModelVersion]":
    """The versions of `model` that hold this package of the pipeline run under `run_key`, the latest first."""
    found = _by_run_key(client, model, run_key)
    return [version for version in found if version.tags.get(tags.PACKAGE_DIGEST) == package_digest]


def finish(home: Home, registered: RegisteredVersion, status: str) -> None:
    """Note on the version that its pipeline run ended as `status`: held or rejected."""
    with tracking.session(home) as client:
        client.set_model_version_tag(registered.model, registered.version, tags.STATUS, status)


def _registered(client: "MlflowClient", home: Home, run: "Run", filing: _Filing) -> RegisteredVersion:
    progress.advance(0, STEPS, unit="steps", detail="logging the run in MLflow")
    _log(client, home, run.info.run_id, filing)
    progress.advance(1, STEPS, unit="steps", detail="wrapping the package as an MLflow model")
    model = _logged_model(client, home, filing.spec, run, filing.evidence)
    progress.advance(3, STEPS, unit="steps", detail="registering the version")
    version = _new_version(client, home, run, model, filing)
    client.set_terminated(run.info.run_id)
    progress.advance(STEPS, STEPS, unit="steps", detail=f"version {version.version}")
    return _record(version)


def _log(client: "MlflowClient", home: Home, run_id: str, filing: _Filing) -> None:
    run_log.write(client, home, run_id, filing.spec, filing.evidence, filing.report(home))
    # Made by the run's own step already, unless it was judged again since.
    page = reporting.make(filing.spec, filing.evidence, home)
    client.log_artifact(run_id, str(home.store.root / page.path))
    if answers := filing.answers(home):
        for name in (PREDICTIONS, CONTEST):
            client.log_artifact(run_id, str(answers / name), run_log.ANSWERS)
    if weights := filing.weights(client, home, run_id):
        client.log_artifact(run_id, str(weights), run_log.WEIGHTS)
    stored = StoredEvidence(spec=filing.spec, evidence=filing.evidence)
    client.log_text(run_id, stored.model_dump_json(indent=1), EVIDENCE)


def _logged_model(
    client: "MlflowClient", home: Home, spec: PipelineSpec, run: "Run", evidence: Evidence
) -> "LoggedModel":
    from mlflow.entities import LoggedModelOutput

    run_id, marks = run.info.run_id, {tags.PACKAGE_DIGEST: evidence.package.digest}
    found = _sent_before(client, run_id, evidence.package.digest)
    if found:
        return found
    logged = client.create_logged_model(run.info.experiment_id, name=spec.name, source_run_id=run_id, tags=marks)
    client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
    with TemporaryDirectory(prefix="perennial-") as scratch:
        folder = Path(scratch) / "model"
        pyfunc.save(folder, home.store.root / evidence.package.path, evidence.package.digest, logged)
        progress.advance(2, STEPS, unit="steps", detail="sending the model to MLflow")
        client.log_model_artifacts(logged.model_id, str(folder))
    return client.finalize_logged_model(logged.model_id, "READY")


def _sent_before(client: "MlflowClient", run_id: str, package_digest: str) -> "LoggedModel | None":
    outputs = client.get_run(run_id).outputs
    for output in outputs.model_outputs if outputs else []:
        logged = client.get_logged_model(output.model_id)
        if str(logged.status) == "READY" and logged.tags.get(tags.PACKAGE_DIGEST) == package_digest:
            return logged
    return None


def _new_version(
    client: "MlflowClient", home: Home, run: "Run", model: "LoggedModel", filing: _Filing
) -> "ModelVersion":
    from mlflow.exceptions import MlflowException
    from mlflow.utils.mlflow_tags import MLFLOW_MODEL_VERSIONS

    name = filing.spec.name
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    # A registry in a database would look up a models:/ address wherever MLflow's global settings point to.
    in_database = tracking.is_database(tracking.registry_uri(home))
    version = client.create_model_version(
        name,
        source=model.artifact_location if in_database else f"models:/{model.model_id}",
        run_id=model.source_run_id,
        model_id=model.model_id,
        tags={**filing.marks, tags.RUN_KEY: filing.run_key, tags.STATUS: tags.REGISTERED},
        description=model_card.linked(filing.description, run.info.experiment_id, run.info.run_id),
    )
    link = json.dumps([{"name": name, "version": version.version}])
    client.set_logged_model_tags(model.model_id, {MLFLOW_MODEL_VERSIONS: link})
    return version


def _taken_up(client: "MlflowClient", home: Home, version: "ModelVersion", filing: _Filing) -> RegisteredVersion:
    # The package is the same; the decision may be another one, against another champion.
    _log(client, home, version.run_id, filing)
    experiment = client.get_run(version.run_id).info.experiment_id
    card = model_card.linked(filing.description, experiment, version.run_id)
    client.update_model_version(version.name, version.version, card)
    for name, value in filing.marks.items():
        client.set_model_version_tag(version.name, version.version, name, value)
    client.set_terminated(version.run_id)
    return _record(client.get_model_version(version.name, version.version))


def _by_run_key(client: "MlflowClient", model: str, run_key: str) -> "list[ModelVersion]":
    found = client.search_model_versions(f"name = '{model}' and tags.`{tags.RUN_KEY}` = '{run_key}'")
    # What was removed is no outcome to rest on: the run is made again.
    there = [version for version in found if tags.REMOVED not in version.tags]
    return sorted(there, key=lambda version: int(version.version), reverse=True)


def _version(client: "MlflowClient", model: str, version: str) -> "ModelVersion":
    known = {str(found.version): found for found in client.search_model_versions(f"name = '{model}'")}
    if version in known:
        return known[version]
    newest_first = sorted(known, key=int, reverse=True)
    raise RegistryError(
        f"There is no version {version} of {model}; "
        + (f"there are: {listing(newest_first, 10)}." if known else "it has no versions yet."),
        remedy="Name one of these with --version." if known else f"Run `perennial run {model}` first.",
    )


def _judged_against(client: "MlflowClient", home: Home, version: "ModelVersion") -> bool:
    """Whether the champion that `version` was judged beside is the one there is now."""
    champion = aliases.version_of_champion(client, home, version.name)
    serving = str(champion.version) if champion else tags.NO_CHAMPION
    return bool(version.tags.get(tags.CHAMPION_AT_DECISION) == serving)


def _record(version: "ModelVersion") -> RegisteredVersion:
    against: Any = version.tags.get(tags.CHAMPION_AT_DECISION)
    return RegisteredVersion(
        model=version.name,
        version=str(version.version),
        run_id=version.run_id,
        package_digest=version.tags.get(tags.PACKAGE_DIGEST, ""),
        champion_version=None if against == tags.NO_CHAMPION else against,
    )
