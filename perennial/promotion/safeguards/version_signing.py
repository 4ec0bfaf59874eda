"""Signing a version that is registered already, and looking whether one is signed: `perennial sign` and `verify`."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from perennial.core.errors import KeyFileError
from perennial.core.home import Home
from perennial.promotion.safeguards import evidence_check
from perennial.registry import packages, run_log, signatures, tracking, versions
from perennial.registry.versions import EVIDENCE
from perennial.signing import keys
from perennial.signing.keys import TrustedKey
from perennial.signing.statement import SignedStatement


def sign_registered(home: Home, model: str, version: str) -> str:
    """Sign `version` of `model` by its newest judging, once registry, package and ledger have been compared; the id of
    the key.

    Raises KeyFileError when there is no signing key, RegistryError when the ledger has no decision on the version, or
    what MLflow holds is not what was judged.
    """
    signer = keys.signer_from_environment()
    if signer is None:
        raise KeyFileError(
            f"There is no key to sign with: {keys.VARIABLE} is not set.",
            remedy="Set it to the path of a private key; `perennial keys signing new FILE` makes one.",
        )
    with tracking.session(home) as client:
        candidate = versions.candidate(client, home, model, version)
        stored = evidence_check.believed(client, home, candidate)
        model_version = client.get_model_version(model, version)
        with packages.fetched_anew(client, home, model_version):
            path = run_log.within(candidate.evidence_folder, EVIDENCE)
            with TemporaryDirectory(prefix="perennial-") as scratch:
                content = versions.artifact(home, candidate, path, Path(scratch)).read_bytes()
            digest = hashlib.sha256(content).hexdigest()
            signatures.sign_version(client, model_version, signer, stored.evidence, path, digest)
    return str(signer.public_key.keyid)


def verified(home: Home, model: str, version: str | None, trusted: Sequence[TrustedKey]) -> SignedStatement:
    """Who signed `version` of `model` (None: its champion), and what, once the registry was found to hold just that.

    The package is downloaded anew and compared. Raises RegistryError, SignatureError among them.
    """
    with tracking.session(home) as client:
        wanted = versions.find_version(client, home, model, version)
        signed = signatures.check_version(client, home, wanted, trusted, passed=False)
        with packages.fetched_anew(client, home, wanted):
            return signed
