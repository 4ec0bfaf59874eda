"""What `perennial keys signing new`, `sign` and `verify` do and answer."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flows.commands import serve
from perennial.core import progress
from perennial.core.errors import KeyFileError
from perennial.core.home import Home
from perennial.promotion.safeguards import version_signing
from perennial.signing import keys
from perennial.signing.keys import KeyPair, TrustedKey
from perennial.signing.statement import SignedStatement


def sign(model: str, version: str) -> str:
    """Sign a registered version; the key's id."""
    with progress.step("sign"):
        return version_signing.sign_registered(Home.from_environment(), model, version)


def verify(model: str, version: str | None, named: Sequence[Path]) -> SignedStatement:
    """Who signed a version (None: the champion), by the trusted keys that are named here or in the pipeline."""
    trusted = keys.trusted_keys(serve.trusted_files(model, serve.settings_of(model, ())[0], named))
    if not trusted and (signer := keys.signer_from_environment()):
        trusted = (TrustedKey(f"the key of {keys.VARIABLE}", signer.public_key),)
    if not trusted:
        raise KeyFileError(
            "There is no key by which a signature could be told: no --trusted-key, no serving.trusted_keys.",
            remedy="Name the public key: --trusted-key FILE.pub.",
        )
    with progress.step("verify"):
        return version_signing.verified(Home.from_environment(), model, version, trusted)


def pair_as_json(pair: KeyPair) -> dict[str, Any]:
    """A new pair for machines."""
    return {"private": str(pair.private), "public": str(pair.public), "id": pair.key_id}


def pair_in_words(pair: KeyPair) -> str:
    """For people."""
    return (
        f"{pair.private} is the private key, which only you may read: set {keys.VARIABLE} to its path where versions "
        f"are registered, and nowhere else. {pair.public} is the public one ({keys.shown(pair.key_id)}): `perennial "
        f"serve MODEL --trusted-key {pair.public}` serves only what the other signed. Back the private key up: without "
        "it every version has to be signed anew, with another."
    )


def verified_as_json(signed: SignedStatement) -> dict[str, Any]:
    """What was signed, for machines."""
    signer = {"file": signed.signer.name, "id": signed.signer.key.keyid}
    return {"status": "signed", **signed.statement.model_dump(mode="json"), "signer": signer}


def verified_in_words(signed: SignedStatement) -> str:
    """For people."""
    stated = signed.statement
    return (
        f"Version {stated.version} of {stated.model} was signed by {signed.signer} on {stated.signed}: decision "
        f"{stated.outcome} ({stated.decision_digest[:12]}…), package {stated.package_digest[:12]}…, evidence "
        f"{stated.evidence_digest[:12]}…, data {stated.data_digest[:12]}…. What the registry holds is just that."
    )
