"""Registering a version: its run logged in MLflow with all that was found, its package as a model."""

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from perennial.core import progress
from perennial.core.home import Home
from perennial.evaluation.report import run_report
from perennial.evaluation.stored_answers import CONTEXT, PREDICTIONS
from perennial.records.run import Evidence, RegisteredVersion
from perennial.registry import model_card, pyfunc, run_log, signatures, tags, tracking
from perennial.registry.judged.judgings import note_judging
from perennial.registry.ledger import Ledger
from perennial.registry.lost import lost_registry
from perennial.registry.versions import EVIDENCE, WEIGHTS, StoredEvidence, ledger_statuses, made_of, registered_version
from perennial.settings.pipeline import PipelineSpec
from perennial.signing import keys

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel, Run
    from mlflow.entities.model_registry import ModelVersion
    from securesystemslib.signer import CryptoSigner


STEPS = 4


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
    signer: "CryptoSigner | None"

    @property
    def marks(self) -> Mapping[str, str]:
        tags_of_run = {**run_log.tags_of(self.spec, self.evidence), tags.APPROVAL: self.spec.registry.approval}
        return tags_of_run | ({tags.ORIGIN: self.brought.origin} if self.brought else {})

    @cached_property
    def content(self) -> str:
        """Of evidence.json."""
        return StoredEvidence(spec=self.spec, evidence=self.evidence).model_dump_json(indent=1)

    @property
    def evidence_digest(self) -> str:
        """sha256 of evidence.json."""
        return hashlib.sha256(self.content.encode()).hexdigest()

    @property
    def description(self) -> str:
        return self.brought.description if self.brought else model_card.model_card_of(self.spec, self.evidence)

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


def register(
    spec: PipelineSpec, run_key: str, evidence: Evidence, home: Home, brought: Brought | None = None
) -> RegisteredVersion:
    """Log the pipeline run under `run_key` in MLflow, and its package as a new version of the model `spec.name`.

    A version that a killed run left behind is finished, not made twice. What it was judged by is added to what it was
    judged by before, in MLflow and in the ledger. No alias moves. `brought`: it was made in another registry. Where a
    signing key is given, the version is signed. Raises RegistryError when MLflow or the ledger can't be reached or the
    package is not whole, KeyFileError when the signing key is no good.
    """
    filing = _Filing(spec, run_key, evidence, brought, keys.signer_from_environment())
    lost_registry.check(home)
    with tracking.session(home, makes=True) as client:
        statuses = ledger_statuses(home, spec.name)
        for version in made_of(client, spec.name, run_key, evidence.package.digest):
            status = statuses.get(str(version.version))
            if status is None or status.status != tags.PROMOTED:
                return _taken_up(client, home, version, filing)
        run = run_log.open_run(client, home, spec.name, run_key)
        try:
            return _registered(client, home, run, filing)
        except Exception:
            with suppress(Exception):
                client.set_terminated(run.info.run_id, "FAILED")
            raise


def _registered(client: "MlflowClient", home: Home, run: "Run", filing: _Filing) -> RegisteredVersion:
    progress.advance(0, STEPS, unit="steps", detail="logging the run in MLflow")
    folder = _log(client, home, run.info.run_id, filing)
    progress.advance(1, STEPS, unit="steps", detail="wrapping the package as an MLflow model")
    model = _logged_model(client, home, filing.spec, run, filing.evidence)
    progress.advance(3, STEPS, unit="steps", detail="registering the version")
    version = _new_version(client, home, run, model, filing, folder)
    _note_judging(home, version, filing, folder)
    _sign(client, version, filing, folder)
    client.set_terminated(run.info.run_id)
    progress.advance(STEPS, STEPS, unit="steps", detail=f"version {version.version}")
    return registered_version(version)


def _log(client: "MlflowClient", home: Home, run_id: str, filing: _Filing) -> str:
    """Log all of it; gives the folder of the run's artifacts that holds what the judging rests on."""
    folder = _judging_folder(client, run_id, filing)
    run_log.write_run(client, home, run_id, filing.spec, filing.evidence, filing.report(home), folder)
    # Made by the run's own step already, unless it was judged again since.
    page = run_report.make_report(filing.spec, filing.evidence, home)
    client.log_artifact(run_id, str(home.store.root / page.path), folder or None)
    if answers := filing.answers(home):
        for name in (PREDICTIONS, CONTEXT):
            client.log_artifact(run_id, str(answers / name), run_log.within(folder, run_log.ANSWERS))
    if weights := filing.weights(client, home, run_id):
        client.log_artifact(run_id, str(weights), run_log.WEIGHTS)
    client.log_text(run_id, filing.content, run_log.within(folder, EVIDENCE))
    return folder


def _judging_folder(client: "MlflowClient", run_id: str, filing: _Filing) -> str:
    # The evidence is what is written last: where it is, a judging is whole, and nothing may be put in its place.
    kept = {file.path for file in client.list_artifacts(run_id)}
    return f"{run_log.JUDGINGS}/{filing.evidence_digest[:16]}" if EVIDENCE in kept else ""


def _note_judging(home: Home, version: "ModelVersion", filing: _Filing, folder: str) -> None:
    evidence = filing.evidence
    note_judging(
        Ledger.open(home),
        {
            "model": version.name,
            "version": str(version.version),
            "run_id": version.run_id,
            "package_digest": evidence.package.digest,
            "decision_digest": evidence.decision.digest,
            "outcome": evidence.decision.outcome.value,
            "champion_version": evidence.decision.champion_version,
            "evidence_digest": filing.evidence_digest,
            "evidence_folder": folder,
            "overrides": evidence.overrides,
        },
    )


def _sign(client: "MlflowClient", version: "ModelVersion", filing: _Filing, folder: str) -> None:
    if filing.signer:
        path = run_log.within(folder, EVIDENCE)
        signatures.sign_version(client, version, filing.signer, filing.evidence, path, filing.evidence_digest)
    elif tags.SIGNATURE in version.tags:
        progress.note(
            f"Version {version.version} of {version.name} was judged again, and is still signed as it was judged "
            f"before: {keys.VARIABLE} names no key here. `perennial sign {version.name} {version.version}` signs it "
            "anew."
        )


def _logged_model(
    client: "MlflowClient", home: Home, spec: PipelineSpec, run: "Run", evidence: Evidence
) -> "LoggedModel":
    from mlflow.entities import LoggedModelOutput

    run_id, marks = run.info.run_id, {tags.PACKAGE_DIGEST: evidence.package.digest}
    sent = _sent_before(client, run_id, evidence.package.digest)
    if sent:
        return sent
    logged = client.create_logged_model(run.info.experiment_id, name=spec.name, source_run_id=run_id, tags=marks)
    client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
    with TemporaryDirectory(prefix="perennial-") as scratch:
        folder = Path(scratch) / "model"
        pyfunc.save_pyfunc(folder, home.store.root / evidence.package.path, evidence.package.digest, logged)
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
    client: "MlflowClient", home: Home, run: "Run", model: "LoggedModel", filing: _Filing, folder: str
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
        description=model_card.linked(filing.description, run.info.experiment_id, run.info.run_id, folder),
    )
    link = json.dumps([{"name": name, "version": version.version}])
    client.set_logged_model_tags(model.model_id, {MLFLOW_MODEL_VERSIONS: link})
    return version


def _taken_up(client: "MlflowClient", home: Home, version: "ModelVersion", filing: _Filing) -> RegisteredVersion:
    # The package is the same; the decision may be another one, against another champion.
    folder = _log(client, home, version.run_id, filing)
    experiment = client.get_run(version.run_id).info.experiment_id
    card = model_card.linked(filing.description, experiment, version.run_id, folder)
    client.update_model_version(version.name, version.version, card)
    for name, value in filing.marks.items():
        client.set_model_version_tag(version.name, version.version, name, value)
    _note_judging(home, version, filing, folder)
    _sign(client, version, filing, folder)
    client.set_terminated(version.run_id)
    return registered_version(client.get_model_version(version.name, version.version))
