"""The body of a request, within the limits of bytes and seconds; packed or not."""

import asyncio
import zlib

from starlette.requests import Request

from perennial.serving import problems
from perennial.serving.requests import patience
from perennial.settings.serving import ServingSpec


async def read_body(request: Request, settings: ServingSpec) -> bytes:
    """All of it, unpacked. Raises RequestProblem when it is too large, packed or unpacked, or does not come in in time,
    or is packed as nobody reads it; ClientDisconnect when the client has gone."""
    packed = _is_packed(request)
    ending, slow = patience.BODY_SECONDS_WHEN_ENDING, problems.too_slow(settings.body_seconds)
    async with patience.within(request, settings.body_seconds, ending, slow):
        body = await _whole_body(request, settings.max_body_bytes)
    return await asyncio.to_thread(unpacked, body, settings.max_body_bytes) if packed else body


def unpacked(body: bytes, most: int) -> bytes:
    """What gzip made `body` of (RFC 1952). Raises RequestProblem if that is more than `most` bytes (no more are
    unpacked), or if it is no gzip."""
    unpacking = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        content = unpacking.decompress(body, most + 1)
    except zlib.error as error:
        raise _not_packed() from error
    if len(content) > most:
        raise _too_large("The unpacked body", most)
    # One piece, as all clients send it: who sends thousands of empty ones would have them all begun.
    if not unpacking.eof or unpacking.unused_data:
        raise _not_packed()
    return content


def _is_packed(request: Request) -> bool:
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding not in {"", "identity", "gzip", "x-gzip"}:
        raise problems.unsupported(
            "The body is packed in a way that is not read here.", "Send it as it is, or with Content-Encoding: gzip."
        )
    return encoding.endswith("gzip")


def _not_packed() -> problems.RequestProblem:
    return problems.bad("The body is not what its Content-Encoding says: one whole piece of gzip.")


async def _whole_body(request: Request, most: int) -> bytes:
    declared = request.headers.get("content-length", "")
    body = bytearray()
    if not (declared.isdecimal() and int(declared) > most):
        async for piece in request.stream():
            body += piece
            if len(body) > most:
                break
        else:
            return bytes(body)
    raise _too_large("The body", most)


def _too_large(what: str, most: int) -> problems.RequestProblem:
    return problems.too_large(
        f"{what} has more than {most:,} bytes, which are allowed.",
        "Ask in several requests, or raise serving.max_body_bytes.",
    )
