"""What is taken from one registry to another: a version's package, checked, and all that its decision rested on."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from perennial.core import progress
from perennial.core.errors import RegistryError
from perennial.core.home import Home
from perennial.core.masking import mask_secrets
from perennial.promotion.registration import Brought
from perennial.promotion.safeguards import evidence_check
from perennial.records.decision import Outcome
from perennial.registry import packages, run_log, tags, tracking, versions
from perennial.registry.versions import Candidate, StoredEvidence

if TYPE_CHECKING:
    from mlflow import MlflowClient


@dataclass(frozen=True)
class TransferBundle:
    """A version on its way; its package is whole and in this store, where the evidence says."""

    run_key: str
    stored: StoredEvidence
    rival_digest: str | None
    """Package of the champion that it was judged against; None: there was none, or its package is not known."""
    brought: Brought


@contextmanager
def packed(home: Home, model: str, version: str) -> Iterator[TransferBundle]:
    """What is to be taken of `version` of `model` out of the registry in use, for the block.

    The package is downloaded whatever this store has of it. Raises RegistryError when a digest does not match, when
    the version did not pass its gates, or awaits a person's approval.
    """
    with TemporaryDirectory(prefix="perennial-") as scratch:
        with tracking.session(home) as client:
            candidate = versions.candidate(client, home, model, version)
            _check_passed(candidate)
            bundle = _packed(client, home, candidate, Path(scratch))
        yield bundle


def origin(home: Home, model: str, version: str) -> str:
    """Which version it is, and where, without passwords."""
    return f"version {version} of {model} at {tracking.plain_address(tracking.registry_uri(home))}"


def _packed(client: "MlflowClient", home: Home, candidate: Candidate, scratch: Path) -> TransferBundle:
    model, version = candidate.registered.model, candidate.registered.version
    model_version = client.get_model_version(model, version)
    stored = _stored(client, home, candidate)
    progress.note(f"Taking version {version} of {model} from {mask_secrets(tracking.registry_uri(home))}.")
    mine = packages.fetch_anew(client, home, model_version)
    package = stored.evidence.package.model_copy(update={"path": mine.path})
    evidence = stored.evidence.model_copy(update={"package": package})
    report = versions.judged_artifact(home, candidate, run_log.REPORT, scratch)
    folder = candidate.evidence_folder
    kept = {each.path for each in client.list_artifacts(candidate.registered.run_id, folder or None)}
    has_answers = run_log.within(folder, run_log.ANSWERS) in kept
    answers = versions.judged_artifact(home, candidate, run_log.ANSWERS, scratch) if has_answers else None
    return TransferBundle(
        run_key=candidate.run_key,
        stored=stored.model_copy(update={"evidence": evidence}),
        rival_digest=_rival_digest(client, stored, model),
        brought=Brought(origin(home, model, version), str(model_version.description or ""), report, answers),
    )


def _stored(client: "MlflowClient", home: Home, candidate: Candidate) -> StoredEvidence:
    """The evidence, compared with the ledger of the registry it comes from; with tags, where that is not at hand."""
    model, version = candidate.registered.model, candidate.registered.version
    if versions.ledger_statuses(home, model):
        return evidence_check.believed(client, home, candidate)
    progress.note(
        f"The ledger at hand knows nothing of {model} where it comes from, so the decision on version {version} is "
        "believed by its tags."
    )
    stored = versions.evidence_of(client, home, candidate)
    _check_digests(candidate, stored)
    return stored


def _check_passed(candidate: Candidate) -> None:
    model, version = candidate.registered.model, candidate.registered.version
    if candidate.status == tags.PARKED:
        raise RegistryError(
            f"Version {version} of {model} awaits a person's approval.",
            remedy=f"Give it with `perennial approve {model} {version}` first.",
        )
    if candidate.status == tags.SUPERSEDED:
        raise RegistryError(
            f"Version {version} of {model} awaited approval until version {candidate.superseded_by} took its place: "
            "nobody approved it.",
            remedy=f"`perennial approve {model}` lets the newer one serve first.",
        )
    if candidate.status == tags.REJECTED or candidate.decision != Outcome.PROMOTE.value:
        why = "was rejected" if candidate.status == tags.REJECTED else f"came to {candidate.decision or 'no decision'}"
        raise RegistryError(
            f"Version {version} of {model} {why}: only a version that passed its gates can be promoted.",
            remedy=f"`perennial run {model}` trains and judges a new one.",
        )


def _check_digests(candidate: Candidate, stored: StoredEvidence) -> None:
    model, version = candidate.registered.model, candidate.registered.version
    pairs = {
        "package": (candidate.registered.package_digest, stored.evidence.package.digest),
        "decision": (candidate.decision_digest, stored.evidence.decision.digest),
    }
    for what, (tagged, actual) in pairs.items():
        if tagged != actual:
            raise RegistryError(
                f"The evidence for version {version} of {model} is about another {what} than its tags: "
                f"{actual[:12]}…, but {(tagged or 'nothing')[:12]}… was registered. {tracking.UNTOUCHED}",
                remedy=f"Restore MLflow's artifacts from a backup, or run `perennial run {model}`.",
            )


def _rival_digest(client: "MlflowClient", stored: StoredEvidence, model: str) -> str | None:
    against = stored.evidence.decision.champion_version
    if against is None:
        return None
    versions_found = client.search_model_versions(f"name = '{model}'")
    digests = {str(version.version): version.tags.get(tags.PACKAGE_DIGEST) for version in versions_found}
    # A version that was deleted since leaves no digest: then it counts as another one.
    return digests.get(against)
