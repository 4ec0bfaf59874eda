"""Versions of a model: registered with their evidence, found again, and fetched."""

import hashlib
from collections.abc import Mapping
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
from perennial.registry import agreement, aliases, database, packages, run_log, tags, tracking
from perennial.registry.judged.judgings import Judging, judgings
from perennial.registry.judged.version_status import VersionStatus, version_statuses
from perennial.registry.ledger import Ledger
from perennial.registry.lost import lost_registry
from perennial.settings.pipeline import PipelineSpec
from perennial.signing import keys

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
    judging: Judging | None = None
    """What the ledger has of the newest judging; None: nothing."""
    superseded_by: str | None = None
    """The challenger that took its place."""

    @property
    def evidence_folder(self) -> str:
        """Where the evidence of its newest judging is among the artifacts of its run; "": at their top."""
        return self.judging.evidence_folder if self.judging else ""


class StoredEvidence(Record):
    """What EVIDENCE holds."""

    spec: PipelineSpec
    evidence: Evidence


def candidate(client: "MlflowClient", home: Home, model: str, version: str) -> Candidate:
    """What is known of `version`: by the ledger where it knows the model, else by tags.

    Where tags say something else, that is noted. Raises RegistryError when there is no such version.
    """
    model_version, statuses = _version(client, model, version), ledger_statuses(home, model)
    for problem in contradictions(model_version, statuses):
        progress.note(problem)
    return candidate_of(model_version, statuses)


def newest(client: "MlflowClient", model: str) -> str:
    """The number of the version registered last. Raises RegistryError when there is none."""
    numbers = [int(version.version) for version in client.search_model_versions(f"name = '{model}'")]
    if not numbers:
        raise RegistryError(f"{model} has no versions yet.", remedy=f"Run `perennial run {model}` first.")
    return str(max(numbers))


def made_by(client: "MlflowClient", home: Home, run_id: str) -> Candidate:
    """The version that an MLflow run made. Raises RegistryError when it made none."""
    versions_made = client.search_model_versions(f"run_id = '{run_id}'")
    if not versions_made:
        raise RegistryError(f"No version was made by the MLflow run {run_id}.", remedy="Name a model and a version.")
    newest_made = max(versions_made, key=lambda version: int(version.version))
    return candidate_of(newest_made, ledger_statuses(home, newest_made.name))


def ledger_statuses(home: Home, model: str) -> dict[str, VersionStatus]:
    """What the ledger has of the versions of `model`, by number; nothing where there is no ledger, which none is made
    for."""
    if not database.is_there(home):
        return {}
    ledger = Ledger.open(home)
    return version_statuses(ledger.entries(model), judgings(ledger, model))


def candidate_of(version: "ModelVersion", statuses: Mapping[str, VersionStatus]) -> Candidate:
    """What `statuses` say of a version; its tags, where they know nothing of the model."""
    tagged = _tagged(version)
    if not statuses:
        return tagged
    return _by_ledger(tagged, statuses.get(str(version.version), VersionStatus(str(version.version))))


def _tagged(version: "ModelVersion") -> Candidate:
    return Candidate(
        registered=registered_version(version),
        run_key=version.tags.get(tags.RUN_KEY, ""),
        status=version.tags.get(tags.STATUS),
        decision=version.tags.get(tags.DECISION),
        decision_digest=version.tags.get(tags.DECISION_DIGEST),
    )


def _by_ledger(tagged: Candidate, status: VersionStatus) -> Candidate:
    if status.judging and status.judging.run_id != tagged.registered.run_id:
        # A model that was made anew counts from 1 again: what the ledger has of that number was another version.
        status = VersionStatus(status.version)
    judging = status.judging
    changes: dict[str, object] = {
        "status": status.status,
        # What older ledgers don't have is only believed once the evidence has been compared.
        "decision": judging.outcome.value if judging else tagged.decision,
        "decision_digest": status.decision_digest,
        "judging": judging,
        "superseded_by": status.superseded_by,
    }
    if judging:
        against = {"champion_version": judging.champion_version}
        changes["registered"] = tagged.registered.model_copy(update=against)
    return tagged.model_copy(update=changes)


def contradictions(version: "ModelVersion", statuses: Mapping[str, VersionStatus]) -> list[str]:
    """What a version's tags say and the ledger does not, in sentences."""
    tagged, by_ledger = _tagged(version), candidate_of(version, statuses)
    pairs = {
        tags.STATUS: (tagged.status, by_ledger.status),
        tags.DECISION: (tagged.decision, by_ledger.decision),
        tags.DECISION_DIGEST: (tagged.decision_digest, by_ledger.decision_digest),
    }
    # An older Perennial left a challenger's tag when another took its place.
    differing = {
        name: (said, right)
        for name, (said, right) in pairs.items()
        if said != right and right is not None and (said, right) != (tags.PARKED, tags.SUPERSEDED)
    }
    registered = by_ledger.registered
    return [
        f"The tag {name} of version {registered.version} of {registered.model} says {said or 'nothing'}, the ledger "
        f"{right}: the ledger counts, the tag is ignored."
        for name, (said, right) in differing.items()
    ]


def as_first_judged(home: Home, candidate: Candidate) -> Candidate:
    """`candidate` by the first judging of it that the ledger has, on the rows of its run; itself, if it has none."""
    return candidate if candidate.judging is None else as_judged(home, candidate, 1)


def as_judged(home: Home, candidate: Candidate, number: int) -> Candidate:
    """`candidate` by the judging of it that was `number` in the order of time, from 1.

    Raises RegistryError when there was none.
    """
    registered = candidate.registered
    made = judgings(Ledger.open(home), registered.model) if database.is_there(home) else []
    ours = [one for one in made if (one.version, one.run_id) == (registered.version, registered.run_id)]
    if not 1 <= number <= len(ours):
        raise RegistryError(
            f"The ledger has no judging {number} of version {registered.version} of {registered.model}; it has "
            f"{len(ours)}.",
            remedy="They are numbered from 1, the oldest, on." if ours else "Leave --judging out.",
        )
    judging = ours[number - 1]
    changes = {"judging": judging, "decision": judging.outcome.value, "decision_digest": judging.decision_digest}
    return candidate.model_copy(update=changes)


class MissingEvidenceError(RegistryError):
    """What a version was judged by is not where it was left; that it was changed is another error."""


def evidence_of(client: "MlflowClient", home: Home, candidate: Candidate) -> StoredEvidence:
    """What the decision on a version rested on. Raises RegistryError when it is not there or can't be read."""
    from pydantic import ValidationError

    with TemporaryDirectory(prefix="perennial-") as scratch:
        content = judged_artifact(home, candidate, EVIDENCE, Path(scratch)).read_bytes()
    _check_content(candidate, content)
    unreadable = _no_evidence(candidate, "this Perennial can't read it")
    try:
        stored = StoredEvidence.model_validate_json(content)
    except ValidationError as error:
        raise unreadable from error
    if stored.spec.kind not in kinds.names():
        raise unreadable
    return stored


def _check_content(candidate: Candidate, content: bytes) -> None:
    judging = candidate.judging
    actual = hashlib.sha256(content).hexdigest()
    if judging and actual not in (judging.evidence_digest, *judging.evidence_after):
        raise _no_evidence(
            candidate,
            f"{EVIDENCE} was changed since it was registered: its sha256 is {actual[:12]}…, the ledger has "
            f"{judging.evidence_digest[:12]}…",
        )


def judged_artifact(home: Home, candidate: Candidate, name: str, folder: Path) -> Path:
    """`artifact`, of those that each judging of the version has of its own; the newest judging's."""
    return artifact(home, candidate, f"{candidate.evidence_folder}/{name}".lstrip("/"), folder)


def artifact(home: Home, candidate: Candidate, name: str, folder: Path) -> Path:
    """The file or folder `name` of the run that made a version, downloaded into `folder`.

    Raises MissingEvidenceError when it can't be had.
    """
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException

    uri = f"runs:/{candidate.registered.run_id}/{name}"
    try:
        return Path(download_artifacts(artifact_uri=uri, dst_path=str(folder), tracking_uri=tracking.uri(home)))
    except (MlflowException, OSError) as error:
        missing = _no_evidence(candidate, tracking.reason(error))
        raise MissingEvidenceError(missing.problem, remedy=missing.remedy) from error


def _no_evidence(candidate: Candidate, why: str) -> RegistryError:
    run = candidate.registered
    return RegistryError(
        f"The evidence for version {run.version} of {run.model} can't be had from MLflow: {why}. {tracking.UNTOUCHED}",
        remedy="If MLflow was away for a moment, run the same command again; if the evidence is gone, "
        f"`perennial run {run.model}` judges a candidate anew.",
    )


def package(home: Home, model: str, version: str | None = None, *, can_name: bool = True) -> Champion:
    """The package of `version` of `model` (None: of the champion), whole and verified in the store.

    `can_name`: whether who asks could name a version with --version, where there is no champion.

    Raises RegistryError when there is no such version, no champion yet, or the package is not what was registered.
    """
    with tracking.session(home) as client:
        return packages.fetch(client, home, find_version(client, home, model, version, can_name=can_name))


def find_version(
    client: "MlflowClient", home: Home, model: str, version: str | None = None, *, can_name: bool = True
) -> "ModelVersion":
    """`version` of `model` (None: its champion); `can_name` as of `package`.

    Raises RegistryError when there is none, DisagreementError when there is none though the ledger has one; a champion
    that the ledger knows as another one is given, and that is noted.
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
                remedy=f"`perennial rollback {model} --to N --reason …` lets one serve again"
                f"{', or name it with --version' * can_name}.",
            )
        raise RegistryError(
            f"{model} has no champion yet: no version of it was promoted.",
            remedy=f"Run `perennial run {model}` first{', or name a version with --version' * can_name}.",
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
    Raises RegistryError where there is none and MLflow could not take one, and KeyFileError where it could not be
    signed: before anything is trained.
    """
    keys.signer_from_environment()
    lost_registry.check(home)
    with tracking.session(home, makes=True) as client:
        statuses = ledger_statuses(home, model)
        for version in _by_run_key(client, model, run_key):
            status = statuses.get(str(version.version), VersionStatus(str(version.version))).status
            serves = _serves(client, version)
            finished = FinishedVersion(registered=registered_version(version), status=status or "", serves=serves)
            if status == tags.PROMOTED or (status == tags.BY_HAND and serves):
                return finished
            if status in tags.FINISHED and _judged_against(client, home, version, statuses):
                return finished
        run_log.check_experiment(client, home, model)
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


def _judged_against(
    client: "MlflowClient", home: Home, version: "ModelVersion", statuses: Mapping[str, VersionStatus]
) -> bool:
    """Whether the champion that `version` was judged beside is the one there is now."""
    champion = aliases.version_of_champion(client, home, version.name)
    serving = str(champion.version) if champion else tags.NO_CHAMPION
    against = version.tags.get(tags.CHAMPION_AT_DECISION)
    if against != tags.UNJUDGED and (judging := statuses[str(version.version)].judging):
        against = judging.champion_version or tags.NO_CHAMPION
    return bool(against == serving)


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
