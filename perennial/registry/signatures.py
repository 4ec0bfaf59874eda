"""The signature of a version, in a tag of it: made at registration, and compared with what the registry holds.

Whoever may write to MLflow can change packages, tags and evidence together, so that all of it agrees. Nobody can sign
it so without the key, and a server that knows only the public half of it needs to trust neither MLflow nor its storage.
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from pydantic import ValidationError

from perennial.core.errors import RegistryError, SignatureError
from perennial.core.home import Home
from perennial.records.decision import Outcome
from perennial.records.run import Evidence
from perennial.registry import tags, versions
from perennial.registry.versions import StoredEvidence
from perennial.signing.keys import TrustedKey
from perennial.signing.statement import SignedStatement, Statement, sign, unverified, verify

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion
    from securesystemslib.signer import CryptoSigner

MEND = (
    "Find out who may write to the registry; the version that serves goes on. `perennial history MODEL` says what is "
)
MEND += "known of the right one, and `perennial sign MODEL VERSION` signs it once it is there again."


def sign_version(
    client: "MlflowClient",
    version: "ModelVersion",
    signer: "CryptoSigner",
    evidence: Evidence,
    evidence_path: str,
    evidence_digest: str,
) -> None:
    """Sign what a version was registered with. `evidence_path`: of its evidence.json among the run's artifacts;
    `evidence_digest`: sha256 of that file."""
    statement = Statement(
        model=version.name,
        version=str(version.version),
        run_id=version.run_id,
        package_digest=evidence.package.digest,
        evidence_digest=evidence_digest,
        evidence_path=evidence_path,
        decision_digest=evidence.decision.digest,
        outcome=evidence.decision.outcome.value,
        data_digest=evidence.snapshot.digest,
        signed=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
    )
    _keep(client, version, statement, signer)


def check_version(
    client: "MlflowClient", home: Home, version: "ModelVersion", trusted: Sequence[TrustedKey], *, passed: bool
) -> SignedStatement:
    """What a trusted key signed about `version`, once the registry has been found to hold just that.

    `passed`: it must have been signed with the decision PROMOTE. The package's own bytes are compared by whoever loads
    it, with the digest in the version's tag, which is compared here. Raises SignatureError.
    """
    what = f"Version {version.version} of {version.name}"
    signed = verify(version.tags.get(tags.SIGNATURE, ""), trusted, what)
    _check_about(version, signed.statement, what)
    _check_evidence(client, home, version, signed.statement, what)
    if passed and signed.statement.outcome != Outcome.PROMOTE.value:
        raise SignatureError(
            f"{what} is signed, with the decision {signed.statement.outcome}: it did not pass its gates, and somebody "
            "moved the alias to it.",
            remedy="Serve it with --version if that is meant; where it was judged again, sign it anew with "
            f"`perennial sign {version.name} {version.version}`.",
        )
    return signed


def check_package(
    envelope: str, trusted: Sequence[TrustedKey], model: str, version: str, package_digest: str
) -> SignedStatement:
    """The same of a package that is here already, where the registry can't be asked. Raises SignatureError."""
    what = f"Version {version} of {model}, which served last,"
    signed = verify(envelope, trusted, what)
    stated = (signed.statement.model, signed.statement.version, signed.statement.package_digest)
    if stated != (model, version, package_digest):
        raise _other(what, signed.statement)
    return signed


def evidence_replaced(
    client: "MlflowClient", run_id: str, before: str, after: str, signer: "CryptoSigner | None"
) -> list[str]:
    """Sign anew what this key signed of the run's versions, as its evidence.json of sha256 `before` is `after` now.

    Gives the versions whose signature was of `before` and is not of this key, in words: those have to be signed again.
    """
    left: list[str] = []
    for version in client.search_model_versions(f"run_id = '{run_id}'"):
        what = f"version {version.version} of {version.name}"
        envelope = version.tags.get(tags.SIGNATURE, "")
        if not envelope or unverified(envelope, what)[0].evidence_digest != before:
            continue
        try:
            own = [TrustedKey("this key", signer.public_key)] if signer else []
            signed = verify(envelope, own, what) if signer else None
        except SignatureError:
            signed = None
        if signed and signer:
            statement = signed.statement.model_copy(update={"evidence_digest": after})
            _keep(client, version, statement, signer)
        else:
            left.append(what)
    return left


def _keep(client: "MlflowClient", version: "ModelVersion", statement: Statement, signer: "CryptoSigner") -> None:
    envelope = sign(statement, signer)
    client.set_model_version_tag(version.name, version.version, tags.SIGNATURE, envelope)


def _check_about(version: "ModelVersion", stated: Statement, what: str) -> None:
    if (stated.model, stated.version, stated.run_id) != (version.name, str(version.version), version.run_id):
        raise _other(what, stated)
    tagged = version.tags.get(tags.PACKAGE_DIGEST, "")
    if stated.package_digest != tagged:
        raise SignatureError(
            f"{what} is registered with the package {_short(tagged)}, and signed was {_short(stated.package_digest)}: "
            "the package's digest was changed after it was signed.",
            remedy=MEND,
        )


def _other(what: str, stated: Statement) -> SignatureError:
    return SignatureError(
        f"{what} carries the signed statement of another one, version {stated.version} of {stated.model} with the "
        f"package {_short(stated.package_digest)}: a signature was copied.",
        remedy=MEND,
    )


def _check_evidence(client: "MlflowClient", home: Home, version: "ModelVersion", stated: Statement, what: str) -> None:
    candidate = versions.candidate_of(version, {})
    try:
        with TemporaryDirectory(prefix="perennial-") as scratch:
            content = versions.artifact(home, candidate, stated.evidence_path, Path(scratch)).read_bytes()
    except RegistryError as error:
        raise SignatureError(
            f"The evidence that {what} was signed with can't be compared. {error.problem}", remedy=MEND
        ) from error
    actual = hashlib.sha256(content).hexdigest()
    if actual != stated.evidence_digest:
        raise SignatureError(
            f"The evidence of {what} was changed after it was signed: its sha256 is {_short(actual)}, signed was "
            f"{_short(stated.evidence_digest)}.",
            remedy=MEND,
        )
    _check_agreement(content, stated, what)


def _check_agreement(content: bytes, stated: Statement, what: str) -> None:
    try:
        evidence = StoredEvidence.model_validate_json(content).evidence
    except ValidationError:
        # Of another Perennial: that these bytes were signed is all that can be said here, and it is.
        return
    actual = (evidence.package.digest, evidence.decision.digest, evidence.snapshot.digest)
    if actual != (stated.package_digest, stated.decision_digest, stated.data_digest):
        raise SignatureError(
            f"What was signed of {what} names another package, decision or data than its evidence does.", remedy=MEND
        )


def _short(digest: str) -> str:
    return f"{digest[:12]}…" if digest else "none"
