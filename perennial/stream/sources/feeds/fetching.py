"""Bytes of a feed: from an address, asked only for what has changed (RFC 9110, 13: conditional requests), or a file."""

from __future__ import annotations

import hashlib
import http.client
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from perennial.core.errors import SourceError, UnreachableError
from perennial.ingest.sources.opening import clear_errors

BLOCK_BYTES = 64 << 10
LONGEST_MARK = 1_000
"""Characters of an ETag that is kept."""
_UNCHANGED = 304
_MAY_PASS = {408, 425, 429, 500, 502, 503, 504}


@dataclass(frozen=True)
class Fetched:
    """What is there of a feed now."""

    body: bytes | None
    """None: it has not changed."""
    mark: Mapping[str, str]
    """By what the next look tells whether it has."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """As the parser takes them: Content-Type, Content-Location."""


def fetch(address: str, mark: Mapping[str, str], timeout: float, most_bytes: int) -> Fetched:
    """What the feed at `address` (http or https) holds, if it has changed since `mark`.

    Raises UnreachableError when it does not answer within `timeout` seconds or says that it can't now, and SourceError
    for another refusal and more than `most_bytes`.
    """
    ends = time.monotonic() + timeout
    with _clear_errors(address, timeout), _answer(address, mark, timeout) as answer:
        if answer is None:
            return Fetched(None, mark)
        body = _body(answer, address, ends, most_bytes)
        validators = {"etag": answer.headers.get("ETag"), "modified": answer.headers.get("Last-Modified")}
        after = {name: value for name, value in validators.items() if value and len(value) <= LONGEST_MARK}
        headers = {"content-type": answer.headers.get("Content-Type", ""), "content-location": answer.url}
        return _changed(body, mark, after, headers)


def read_file(path: Path, name: str, mark: Mapping[str, str], most_bytes: int) -> Fetched:
    """What the feed in the file at `path` holds, if it has changed since `mark`. Raises SourceError."""
    with clear_errors(name), path.open("rb") as file:
        body = file.read(most_bytes + 1)
    if len(body) > most_bytes:
        raise _too_large(name, most_bytes)
    return _changed(body, mark, {}, {})


def shown(address: str) -> str:
    """The address without what may be secret in it."""
    parts = urlsplit(address)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}{'?…' if parts.query else ''}"


@contextmanager
def _answer(address: str, mark: Mapping[str, str], timeout: float) -> Iterator[Any]:
    """What the server answers; None: nothing has changed."""
    try:
        answer = _opener().open(_request(address, mark), timeout=timeout)
    except HTTPError as error:
        if error.code != _UNCHANGED:
            raise
        error.close()
        yield None
        return
    with answer:
        yield answer


def _changed(body: bytes, mark: Mapping[str, str], after: dict[str, str], headers: Mapping[str, str]) -> Fetched:
    after["digest"] = hashlib.sha256(body).hexdigest()[:16]
    same = after["digest"] == mark.get("digest")
    return Fetched(None if same else body, after, headers)


def _opener() -> Any:
    # By hand: urllib's own opener would follow file:, ftp: and data:, too.
    from urllib import request

    opener = request.OpenerDirector()
    for handler in (
        request.ProxyHandler(),
        request.HTTPHandler(),
        request.HTTPSHandler(),
        request.HTTPRedirectHandler(),
        request.HTTPErrorProcessor(),
        request.HTTPDefaultErrorHandler(),
    ):
        opener.add_handler(handler)
    return opener


def _request(address: str, mark: Mapping[str, str]) -> Any:
    from base64 import b64encode
    from urllib import request
    from urllib.parse import unquote

    headers = {"User-Agent": "Perennial (feed reader)", "Accept-Encoding": "gzip", "Accept": "*/*"}
    if etag := mark.get("etag"):
        headers["If-None-Match"] = etag
    if modified := mark.get("modified"):
        headers["If-Modified-Since"] = modified
    parts = urlsplit(address)
    if parts.username is not None:
        named = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Authorization"] = f"Basic {b64encode(named.encode()).decode()}"
        address = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    return request.Request(address, headers=headers)  # noqa: S310  (the opener knows http and https only)


def _body(answer: Any, address: str, ends: float, most_bytes: int) -> bytes:
    packed = answer.headers.get("Content-Encoding", "").strip().lower() in ("gzip", "x-gzip")
    unpack = zlib.decompressobj(wbits=31) if packed else None
    pieces, size = list[bytes](), 0
    while block := answer.read1(BLOCK_BYTES):
        if time.monotonic() > ends:
            raise TimeoutError
        pieces.append(unpack.decompress(block, most_bytes + 1) if unpack else block)
        size += len(pieces[-1])
        if size > most_bytes or (unpack and unpack.unconsumed_tail):
            raise _too_large(shown(address), most_bytes)
    if answer.length or (unpack and not unpack.eof):
        raise http.client.IncompleteRead(b"")
    return b"".join(pieces)


def _too_large(name: str, most_bytes: int) -> SourceError:
    return SourceError(
        f"The feed {name} has more than {most_bytes >> 20} MiB (monitor.source.most_mib).",
        remedy="Raise it, or take the feed out.",
    )


@contextmanager
def _clear_errors(address: str, timeout: float) -> Iterator[None]:
    remedy = "Look whether the address is right; the next look tries again."
    try:
        yield
    except HTTPError as error:
        error.close()
        kind = UnreachableError if error.code in _MAY_PASS else SourceError
        raise kind(f"The feed {shown(address)} answers with status {error.code}.", remedy=remedy) from None
    except (TimeoutError, URLError, OSError, http.client.HTTPException, zlib.error) as error:
        raise UnreachableError(f"The feed {shown(address)} {_why(error, timeout)}.", remedy=remedy) from None
    except ValueError as error:
        raise SourceError(f"The feed {shown(address)} has an address that can't be asked.", remedy=remedy) from error


def _why(error: Exception, timeout: float) -> str:
    reason = error.reason if isinstance(error, URLError) else error
    if isinstance(reason, TimeoutError):
        return f"does not answer within {timeout:g} seconds"
    if isinstance(reason, http.client.IncompleteRead | zlib.error):
        return "ended in the middle"
    if isinstance(reason, OSError) and reason.strerror:
        return f"does not answer: {reason.strerror}"
    return f"does not answer as a server does: {type(reason).__name__}"
