"""Requests that nobody means well with, as bytes for a connection; the same ones for the same number."""

import json
import random
from collections.abc import Callable, Iterator

SECRET = "secret of another"
"""In requests of others; no answer to these may hold it."""
_WORDS = ("texts", "rows", "text", "label", "__proto__", "\x00", "\ud800", "🚀" * 9, "../../etc/passwd", "' OR 1=1 --")


def requests(count: int, seed: int = 0) -> Iterator[bytes]:
    """`count` of them."""
    draw = random.Random(seed)  # noqa: S311 - not for secrets
    for _ in range(count):
        yield draw.choice(_KINDS)(draw)


def _post(body: bytes, *headers: str, path: str = "/predict", method: str = "POST") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: evil.example", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1", "replace") + body


def _broken_json(draw: random.Random) -> bytes:
    whole = json.dumps({"texts": ["soup", "bread"] * draw.randint(1, 9)}).encode()
    cut = bytearray(whole[: draw.randint(0, len(whole))])
    for _ in range(draw.randint(0, 4)):
        cut.insert(draw.randint(0, len(cut)), draw.randrange(256))
    return _post(bytes(cut))


def _deep(draw: random.Random) -> bytes:
    depth = draw.choice((10, 900, 5000, 40_000))
    return _post(draw.choice((b"[" * depth, b'{"texts":' * depth, b"[" * depth + b"]" * depth)))


def _large(draw: random.Random) -> bytes:
    return _post(json.dumps({"texts": ["x" * draw.choice((99, 101, 20_000))] * draw.choice((1, 51, 400))}).encode())


def _wrong_types(draw: random.Random) -> bytes:
    def value(depth: int) -> object:
        simple = [None, True, -1, 1e308, 10**400, "", draw.choice(_WORDS), [], {}]
        if depth == 0 or draw.random() < 0.5:
            return draw.choice(simple)
        return draw.choice(([value(depth - 1)] * 3, {draw.choice(_WORDS): value(depth - 1)}))

    return _post(json.dumps({draw.choice(_WORDS): value(4), draw.choice(_WORDS): value(2)}).encode())


def _wrong_places(draw: random.Random) -> bytes:
    paths = ("/predict/", "//evil.example/", "/%2e%2e/%00", "/predict?x=" + "y" * 3000, "*", "/models/nobody/predict")
    methods = ("GET", "PUT", "DELETE", "OPTIONS", "HEAD", "TRACE", "PATCH", "POST")
    return _post(b'{"texts": ["soup"]}', path=draw.choice(paths), method=draw.choice(methods))


def _wrong_headers(draw: random.Random) -> bytes:
    headers = (
        "Transfer-Encoding: chunked", "Content-Length: 5", "Content-Encoding: gzip", "Expect: 100-continue",
        "Upgrade: websocket\r\nConnection: Upgrade", "X-Request-Timeout-Ms: soon", "Cookie: " + "c" * 9000,
        "Content-Type: multipart/form-data", "Range: bytes=0-", "X: é\x01",
    )  # fmt: skip
    return _post(b'{"texts": ["soup"]}', *draw.sample(headers, draw.randint(1, 3)))


def _no_http(draw: random.Random) -> bytes:
    return draw.choice((draw.randbytes(draw.randint(1, 400)), b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/9.9\r\n\r\n"))


def _half_sent(draw: random.Random) -> bytes:
    whole = _post(json.dumps({"texts": ["soup"] * 9}).encode())
    return whole[: draw.randint(1, len(whole) - 1)]


def _many_at_once(draw: random.Random) -> bytes:
    return b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * draw.randint(2, 20) + _broken_json(draw)


_KINDS: tuple[Callable[[random.Random], bytes], ...] = (
    _broken_json, _deep, _large, _wrong_types, _wrong_places, _wrong_headers, _no_http, _half_sent, _many_at_once,
)  # fmt: skip
