"""Key files: the private one that signs, which only its owner may read, and the public ones that a server trusts."""

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perennial.core.errors import KeyFileError

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner, SSlibKey

VARIABLE = "PERENNIAL_SIGNING_KEY"
"""Of the environment: the path of a private key, or the key itself as PEM, for containers that get no files."""
_PEM = "-----BEGIN "
_SHOWN = 16
"""Characters of a key's id that people are shown."""
_NEW = "`perennial keys signing new FILE` makes a pair."


@dataclass(frozen=True)
class TrustedKey:
    """A public key whose signatures are believed."""

    name: str
    """Of its file, for people."""
    key: "SSlibKey"

    def __str__(self) -> str:
        return f"{self.name} ({shown(self.key.keyid)})"


@dataclass(frozen=True)
class KeyPair:
    """Where a new pair lies."""

    private: Path
    public: Path
    key_id: str


def shown(key_id: str) -> str:
    """The beginning of a key's id, which tells it from others."""
    return f"{key_id[:_SHOWN]}…"


def new_pair(path: Path) -> KeyPair:
    """A new Ed25519 pair: the private key at `path`, which only this user may read, the public one at `path`.pub.

    Raises KeyFileError when either is there already, or can't be written.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
    from securesystemslib.signer import CryptoSigner

    key, public = Ed25519PrivateKey.generate(), path.with_name(f"{path.name}.pub")
    signer = CryptoSigner(key)
    taken = [str(one) for one in (path, public) if one.exists()]
    if taken:
        raise KeyFileError(
            f"{' and '.join(taken)} is there already; a key that is in use must not be lost, so nothing was written.",
            remedy="Name another file, or move that one away.",
        )
    _write(path, signer.private_bytes, 0o600)
    _write(public, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), 0o644)
    return KeyPair(path, public, signer.public_key.keyid)


def signer_from_environment() -> "CryptoSigner | None":
    """What VARIABLE says signs; None: it is not set, and nothing is signed.

    Raises KeyFileError when the key can't be read, others may read it, or it is no private key.
    """
    value = os.environ.get(VARIABLE, "")
    if not value.strip():
        return None
    if value.lstrip().startswith(_PEM):
        return _signer(value.encode(), f"The key in {VARIABLE}")
    path = Path(value).expanduser()
    what = f"The signing key {path} ({VARIABLE})"
    content = _content(path, what)
    _check_private(path, what)
    return _signer(content, what)


def trusted_keys(paths: Sequence[Path]) -> tuple[TrustedKey, ...]:
    """The public keys in `paths`. Raises KeyFileError when one can't be read or holds none."""
    return tuple(_trusted(path) for path in paths)


def _trusted(path: Path) -> TrustedKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from securesystemslib.signer import SSlibKey

    what = f"The trusted key {path}"
    content = _content(path, what)
    if b"PRIVATE KEY-----" in content:
        raise KeyFileError(
            f"{what} is a private key: a server needs the public one, and the private one must not lie there.",
            remedy=f"Name the public file, as a rule {path.name}.pub, and take the private key away from this machine.",
        )
    try:
        key: Any = load_pem_public_key(content)
        _check_algorithm(key)
        return TrustedKey(path.name, SSlibKey.from_crypto(key))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _no_key(what, "public") from error


def _signer(content: bytes, what: str) -> "CryptoSigner":
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from securesystemslib.signer import CryptoSigner

    try:
        key: Any = load_pem_private_key(content, None)
        _check_algorithm(key.public_key())
        return CryptoSigner(key)
    except TypeError as error:
        raise KeyFileError(
            f"{what} is protected by a passphrase, which a scheduled run can't be asked for.",
            remedy="Give the key without one, in a file that only its owner may read.",
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _no_key(what, "private") from error


def _check_algorithm(key: object) -> None:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if not isinstance(key, Ed25519PublicKey | EllipticCurvePublicKey):
        raise ValueError("another algorithm")


def _no_key(what: str, kind: str) -> KeyFileError:
    return KeyFileError(f"{what} holds no {kind} key: expected one as PEM, Ed25519 or ECDSA.", remedy=_NEW)


def _content(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise KeyFileError(f"{what} can't be read: {error.strerror}.", remedy=_NEW) from error


def _check_private(path: Path, what: str) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise KeyFileError(
            f"{what} may be read by others (its mode is {mode:04o}): whoever has it can sign as you do.",
            remedy=f"`chmod 600 {path}`; if others could have read it for long, make a new pair.",
        )


def _write(path: Path, content: bytes, mode: int) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Made with its mode, so that there is no moment in which others may read it.
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
    except OSError as error:
        raise KeyFileError(f"{path} can't be written: {error.strerror}.", remedy="Name a file elsewhere.") from error
