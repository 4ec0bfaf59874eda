"""HTTPS by two files: spoken when they are good, and clearly refused when they are not."""

import ssl
import urllib.request
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID
from serving_helpers import serving

from perennial.core.errors import ServingError
from perennial.core.home import Home
from perennial.serving.access.tls import tls_files


def made(folder: Path, name: str, days: int = 1) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that is its own root, good for `days` from two days ago on, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    begin = datetime.now(UTC) - timedelta(days=2)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=2 + days))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / f"{name}.crt", folder / f"{name}.key"
    files[0].write_bytes(certificate.public_bytes(Encoding.PEM))
    files[1].write_bytes(as_pem(key, NoEncryption()))
    return files


def as_pem(key: ec.EllipticCurvePrivateKey, encryption: KeySerializationEncryption) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def test_https_is_spoken_with_a_certificate_and_http_is_not(champion: Home, tmp_path: Path) -> None:
    certificate, key = made(tmp_path, "server")
    with serving(champion, "tiny", "--tls-cert", str(certificate), "--tls-key", str(key)) as server:
        assert server.address.startswith("https://127.0.0.1:")
        trusting = ssl.create_default_context(cafile=str(certificate))
        with urllib.request.urlopen(f"{server.address}/readyz", timeout=60, context=trusting) as answer:
            assert answer.status == 200
        with pytest.raises(OSError, match=r"(?i)certificate verify failed"):
            urllib.request.urlopen(f"{server.address}/readyz", timeout=60)
        with pytest.raises(OSError):  # noqa: PT011 - the connection is closed, in one way or another
            urllib.request.urlopen(server.address.replace("https", "http"), timeout=60)
        assert server.end() == 0
    assert "Traceback" not in server.text


def test_files_that_are_no_good_are_refused_with_a_sentence(tmp_path: Path) -> None:
    certificate, key = made(tmp_path, "a")
    _, other = made(tmp_path, "b")
    missing, text, locked = (tmp_path / name for name in ("missing.pem", "text.pem", "locked.pem"))
    text.write_text("no PEM at all")
    locked.write_bytes(as_pem(ec.generate_private_key(ec.SECP256R1()), BestAvailableEncryption(b"a passphrase")))
    damaged = tmp_path / "damaged.crt"
    damaged.write_text(certificate.read_text().replace("MII", "AAA", 1))
    refused = {
        (certificate, None): "--tls-cert is given, and --tls-key is not",
        (None, key): "--tls-key is given, and --tls-cert is not",
        (missing, key): "missing.pem can't be read: No such file",
        (certificate, missing): "missing.pem can't be read: No such file",
        (text, key): "holds no certificate as PEM",
        (certificate, text): "holds no private key as PEM",
        (certificate, locked): "protected by a passphrase",
        (certificate, other): "don't belong together",
        (key, certificate): "holds no certificate as PEM",
        (damaged, key): "is damaged, or not what OpenSSL takes",
        (tmp_path, key): "can't be read: Is a directory",
    }
    for files, words in refused.items():
        with pytest.raises(ServingError, match=words) as error:
            tls_files(*files)
        assert (
            "PEM" in error.value.remedy or "without one" in error.value.remedy or "Name the key" in error.value.remedy
        )
    assert tls_files(None, None) is None


def test_a_certificate_that_clients_will_refuse_is_told(tmp_path: Path) -> None:
    good, expired = tls_files(*made(tmp_path, "good")), tls_files(*made(tmp_path, "expired", days=-1))
    assert good
    assert expired
    assert good.doubt == ""
    assert "expired on" in expired.doubt
