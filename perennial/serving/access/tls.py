"""TLS by a certificate and a key in files, looked at before the server starts."""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from perennial.core.errors import ServingError

_BOTH = (
    "Give both --tls-cert and --tls-key, each a PEM file: the certificate (with those between it and the root), and "
)
_BOTH += "its private key."


@dataclass(frozen=True)
class TlsFiles:
    """A certificate that belongs to a key."""

    certificate: Path
    key: Path
    doubt: str = ""
    """What clients will not like about it, in a sentence; "": nothing."""


def tls_files(certificate: Path | None, key: Path | None) -> TlsFiles | None:
    """The two, once they have been found to be good; None: neither is given, and HTTP is plain.

    Raises ServingError when one is missing, can't be read, is none, or they don't belong together.
    """
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        given, missing = ("--tls-key", "--tls-cert") if certificate is None else ("--tls-cert", "--tls-key")
        raise ServingError(f"{given} is given, and {missing} is not: TLS needs both.", remedy=_BOTH)
    for option, path in (("--tls-cert", certificate), ("--tls-key", key)):
        _check_readable(option, path)
    try:
        # Without a password, OpenSSL would ask for one at the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=lambda: "")
    except ssl.SSLError as error:
        raise _bad(certificate, key, error) from error
    return TlsFiles(certificate, key, _doubt(certificate))


def _check_readable(option: str, path: Path) -> None:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ServingError(f"{option} {path} can't be read: {error.strerror}.", remedy=_BOTH) from error
    wanted = b"CERTIFICATE-----" if option == "--tls-cert" else b"PRIVATE KEY-----"
    if b"-----BEGIN " not in content or wanted not in content:
        what = "certificate" if option == "--tls-cert" else "private key"
        raise ServingError(f"{option} {path} holds no {what} as PEM.", remedy=_BOTH)
    if b"ENCRYPTED" in content:
        raise ServingError(
            f"{option} {path} is protected by a passphrase, which a server that starts by itself can't be asked for.",
            remedy=f"`openssl pkey -in {path} -out key.pem` writes it without one; let only this user read that file.",
        )


def _bad(certificate: Path, key: Path, error: ssl.SSLError) -> ServingError:
    reason = (error.reason or "").upper()
    if "MISMATCH" in reason:
        return ServingError(
            f"The certificate {certificate} and the key {key} don't belong together: it was made for another key.",
            remedy="Name the key that the certificate was asked for with.",
        )
    return ServingError(
        f"The certificate {certificate} or the key {key} is damaged, or not what OpenSSL takes "
        f"({reason.replace('_', ' ').lower() or 'no reason given'}).",
        remedy=_BOTH,
    )


def _doubt(certificate: Path) -> str:
    from cryptography import x509

    try:
        one = x509.load_pem_x509_certificates(certificate.read_bytes())[0]
    except ValueError:
        return ""
    now = datetime.now(UTC)
    if one.not_valid_after_utc < now:
        return f"The certificate {certificate} expired on {one.not_valid_after_utc:%Y-%m-%d}: clients will refuse it."
    if one.not_valid_before_utc > now:
        return f"The certificate {certificate} is good only from {one.not_valid_before_utc:%Y-%m-%d} on."
    return ""
