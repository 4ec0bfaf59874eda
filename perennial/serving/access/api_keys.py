"""API keys in a file: made, listed and revoked by `perennial keys`; of each only a hash is kept.

A key is 32 random bytes. Nobody guesses that, at any speed, so its hash needs no salt and none of the slowness of
scrypt, which protects passwords that people choose; that would only let strangers keep a server busy by asking with
wrong keys. SHA-256 it is, as GitHub and others keep their tokens.
"""

import fcntl
import hashlib
import hmac
import os
import re
import secrets
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, get_args

from pydantic import Field, ValidationError

from perennial.core.errors import KeyFileError, listing
from perennial.core.record import Record
from perennial.core.store import write_atomically

Scope = Literal["predict", "explain", "label", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
PREFIX = "perennial"
"""What a key begins with, so that people, and programs that look for lost secrets, know what they found."""
_FORM = re.compile(rf"{PREFIX}_([0-9a-f]{{12}})_([A-Za-z0-9_-]{{43}})")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._@-]{0,62}")
_SPAN = re.compile(r"\s*(\d{1,5})\s*([mhdw])\w*\s*", re.IGNORECASE)
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class ApiKey(Record):
    """What is kept of a key."""

    id: str = Field(pattern=r"^[0-9a-f]{12}$")
    """Random; it is in the key, too, so that one hash has to be compared, not all."""
    name: str
    """For people: whose it is."""
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    scopes: tuple[Scope, ...]
    created: datetime
    expires: datetime | None = None
    """None: never."""
    revoked: datetime | None = None
    requests_per_minute: int | None = Field(default=None, ge=1)
    """None: as the server's settings say."""
    rows_per_minute: int | None = Field(default=None, ge=1)

    def state(self, now: datetime) -> Literal["valid", "expired", "revoked"]:
        """What it is good for at `now`."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires is not None and self.expires <= now else "valid"


class KeyFile(Record):
    """All keys of a file."""

    keys: tuple[ApiKey, ...] = ()

    def holder(self, presented: str) -> ApiKey | None:
        """The key that `presented` is, whether it is still good or not; None: it is none of these.

        Takes as long for a wrong key as for a right one.
        """
        form = _FORM.fullmatch(presented)
        named = next((key for key in self.keys if form and key.id == form[1]), None)
        expected = named.sha256 if named else _NOBODYS
        return named if hmac.compare_digest(_hash(presented), expected) else None


class Limits(Record):
    """What a key may ask; None: as the server's settings say."""

    requests_per_minute: int | None = None
    rows_per_minute: int | None = None


def read_keys(path: Path) -> KeyFile | None:
    """The keys in `path`; None: there is no such file. Raises KeyFileError when it can't be read, is damaged, or others
    may write it."""
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            content = file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise KeyFileError(
            f"The API keys in {path} can't be read: {error.strerror}.", remedy="Let this user read the file."
        ) from error
    if mode & 0o022:
        raise KeyFileError(
            f"The file of API keys, {path}, may be written by others (its mode is {mode:04o}), who could add keys.",
            remedy=f"`chmod 600 {path}`, and look at `perennial keys list`.",
        )
    try:
        return KeyFile.model_validate_json(content)
    except ValidationError as error:
        raise KeyFileError(
            f"The file of API keys, {path}, is damaged: it is not what `perennial keys` writes.",
            remedy="Restore it from a backup; or move it away, and make keys anew with `perennial keys add NAME`.",
        ) from error


def add_key(
    path: Path, name: str, scopes: Sequence[str], lifetime: timedelta | None, limits: Limits
) -> tuple[ApiKey, str]:
    """A new key in the file at `path`, which is made if it is not there; and the key itself, which is kept nowhere.

    Raises KeyFileError when a name or scope is none, a key of that name is still good, or the file can't be written.
    """
    _check(name, scopes)
    now = datetime.now(UTC).replace(microsecond=0)
    key_id = secrets.token_hex(6)
    text = f"{PREFIX}_{key_id}_{secrets.token_urlsafe(32)}"
    key = ApiKey(
        id=key_id,
        name=name,
        sha256=_hash(text),
        scopes=tuple(scope for scope in SCOPES if scope in scopes),
        created=now,
        expires=now + lifetime if lifetime else None,
        **limits.model_dump(),
    )
    with _changing(path) as before:
        if any(one.name == name and one.state(now) == "valid" for one in before.keys):
            raise KeyFileError(
                f"There is a key named {name} already, and it is still good.",
                remedy=f"Name this one otherwise, or `perennial keys revoke '{name}'` first.",
            )
        _write(path, KeyFile(keys=(*before.keys, key)))
    return key, text


def revoke_key(path: Path, which: str) -> ApiKey:
    """Revoke the key with that name or id. Raises KeyFileError when there is none that is still good."""
    now = datetime.now(UTC).replace(microsecond=0)
    with _changing(path) as before:
        wanted = next((key for key in before.keys if which in (key.name, key.id) and key.state(now) != "revoked"), None)
        if wanted is None:
            good = listing((key.name for key in before.keys if key.state(now) == "valid"), 10) or "none"
            raise KeyFileError(
                f"There is no key named {which} that could be revoked in {path}; those that are good: {good}.",
                remedy="Name one of them, by its name or the id that `perennial keys list` shows.",
            )
        revoked = wanted.model_copy(update={"revoked": now})
        _write(path, KeyFile(keys=tuple(revoked if key is wanted else key for key in before.keys)))
    return revoked


def lifetime_of(text: str | None) -> timedelta | None:
    """How long `90d`, `12h`, `30 minutes` or `4w` are; None: for ever. Raises KeyFileError when it is none of these."""
    if text is None:
        return None
    match = _SPAN.fullmatch(text)
    if match is None or not int(match[1]):
        raise KeyFileError(
            f"--expires {text} is no span of time.", remedy="Write a number and m, h, d or w: --expires 90d."
        )
    return timedelta(**{_UNITS[match[2].lower()]: int(match[1])})


def _check(name: str, scopes: Sequence[str]) -> None:
    if not _NAME.fullmatch(name):
        raise KeyFileError(
            "A key's name has 1 to 63 letters, digits, blanks and ._@- in it, and begins with a letter or digit.",
            remedy="Name it after who is to use it: `perennial keys add shop`.",
        )
    strange = [scope for scope in scopes if scope not in SCOPES]
    if strange or not scopes:
        raise KeyFileError(
            f"There is no scope {listing(strange) or 'given'}; there are {listing(SCOPES)}.",
            remedy="Write --scope predict,explain.",
        )


@contextmanager
def _changing(path: Path) -> Iterator[KeyFile]:
    """The keys for the block, in which nobody else changes them. Raises KeyFileError."""
    lock = path.with_name(f".{path.name}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with lock.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield read_keys(path) or KeyFile()
    except OSError as error:
        raise KeyFileError(
            f"The API keys in {path} can't be written: {error.strerror}.", remedy="Name another file with --keys."
        ) from error


def _write(path: Path, keys: KeyFile) -> None:
    before = os.umask(0o077)
    try:
        write_atomically(path, keys.model_dump_json(indent=1))
    finally:
        os.umask(before)


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


_NOBODYS = _hash("")
"""What a key that nobody has is compared with."""
