"""What is signed, and the envelope around it: an in-toto statement in a DSSE envelope, as supply-chain tools read them.

https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md and
https://github.com/secure-systems-lab/dsse/blob/master/protocol.md
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from perennial.core.errors import SignatureError
from perennial.core.record import Record
from perennial.signing.keys import TrustedKey, shown

if TYPE_CHECKING:
    from securesystemslib.dsse import Envelope
    from securesystemslib.signer import CryptoSigner

PAYLOAD = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "urn:perennial:registered-version:v1"
PACKAGE = "package.json"
"""The subject that stands for the package: package.json names the sha256 of every other file of it."""


class Statement(Record):
    """What was registered as one version, and on which evidence it was decided about."""

    model: str
    version: str
    run_id: str
    """MLflow's run, which a version of that number in a model made anew does not have."""
    package_digest: str
    """sha256 of package.json."""
    evidence_digest: str
    """sha256 of evidence.json …"""
    evidence_path: str
    """… which lies there among the artifacts of the run."""
    decision_digest: str
    outcome: str
    """PROMOTE, HOLD or REJECT."""
    data_digest: str
    """Of the snapshot of rows that it was made from."""
    signed: str
    """When, ISO 8601 in UTC."""


@dataclass(frozen=True)
class SignedStatement:
    """A statement whose signature was believed."""

    statement: Statement
    signer: TrustedKey


def sign(statement: Statement, signer: "CryptoSigner") -> str:
    """The envelope around `statement`, signed, as JSON on one line."""
    from securesystemslib.dsse import Envelope

    envelope = Envelope(_payload(statement), PAYLOAD, {})
    envelope.sign(signer)
    return json.dumps(envelope.to_dict(), separators=(",", ":"))


def verify(envelope: str, trusted: Sequence[TrustedKey], what: str) -> SignedStatement:
    """What `envelope` states, once one of the `trusted` keys is known to have signed it; `what`: it, for people.

    Raises SignatureError when nothing signed it, it is damaged, or somebody else signed it.
    """
    from securesystemslib.exceptions import VerificationError

    if not envelope:
        raise SignatureError(
            f"{what} is not signed, and {_trust(trusted)}.",
            remedy="Sign it where the private key is: `perennial sign MODEL VERSION`, with PERENNIAL_SIGNING_KEY set.",
        )
    read = _read(envelope, what)
    try:
        accepted = read.verify([one.key for one in trusted], 1)
    except VerificationError as error:
        raise _strange(read, trusted, what) from error
    # Only what was signed is looked into.
    statement = _statement(read.payload, read.payload_type, what)
    return SignedStatement(statement, next(one for one in trusted if one.key.keyid in accepted))


def unverified(envelope: str, what: str) -> tuple[Statement, tuple[str, ...]]:
    """What `envelope` states and the ids of the keys that it names, neither of which is to be believed. Raises
    SignatureError when it is damaged."""
    read = _read(envelope, what)
    return _statement(read.payload, read.payload_type, what), tuple(read.signatures)


def _payload(statement: Statement) -> bytes:
    predicate = statement.model_dump(mode="json", exclude={"package_digest", "evidence_digest", "evidence_path"})
    content = {
        "_type": STATEMENT,
        "subject": [
            {"name": PACKAGE, "digest": {"sha256": statement.package_digest}},
            {"name": statement.evidence_path, "digest": {"sha256": statement.evidence_digest}},
        ],
        "predicateType": PREDICATE,
        "predicate": predicate,
    }
    return json.dumps(content, separators=(",", ":")).encode()


def _statement(payload: bytes, payload_type: str, what: str) -> Statement:
    try:
        content: Any = json.loads(payload)
        package, evidence = content["subject"]
        form = (payload_type, content["_type"], content["predicateType"], package["name"])
        if form != (PAYLOAD, STATEMENT, PREDICATE, PACKAGE):
            raise _unread(what)
        return Statement(
            **content["predicate"],
            package_digest=package["digest"]["sha256"],
            evidence_digest=evidence["digest"]["sha256"],
            evidence_path=evidence["name"],
        )
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        raise _unread(what) from error


def _unread(what: str) -> SignatureError:
    return SignatureError(
        f"What was signed of {what} is no statement about a registered version that this Perennial reads.",
        remedy="Sign it again with `perennial sign MODEL VERSION`, or upgrade this Perennial.",
    )


def _read(envelope: str, what: str) -> "Envelope":
    from securesystemslib.dsse import Envelope

    try:
        return Envelope.from_dict(json.loads(envelope))
    except Exception as error:  # the library raises whatever a damaged envelope makes it stumble over
        raise SignatureError(
            f"The signature of {what} is damaged: it is no DSSE envelope.",
            remedy="Sign it again with `perennial sign MODEL VERSION`.",
        ) from error


def _strange(envelope: "Envelope", trusted: Sequence[TrustedKey], what: str) -> SignatureError:
    by_id = {one.key.keyid: one for one in trusted}
    named = [by_id[key_id] for key_id in envelope.signatures if key_id in by_id]
    if named:
        return SignatureError(
            f"The signature of {what} names the key {named[0]} and is not that key's: the statement was changed after "
            "it was signed, or somebody else made it.",
            remedy="Find out who may write to the registry; then sign the right version with `perennial sign`.",
        )
    signers = ", ".join(shown(key_id) for key_id in envelope.signatures) or "nobody"
    return SignatureError(
        f"{what} is signed by a stranger ({signers}), and {_trust(trusted)}.",
        remedy="If that key is yours, name its public half with --trusted-key; else find out who may write to the "
        "registry.",
    )


def _trust(trusted: Sequence[TrustedKey]) -> str:
    names = ", ".join(map(str, trusted))
    return f"only what {names} signed is trusted here"
