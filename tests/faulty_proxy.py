"""A proxy in front of a real server, that answers some requests with an error, or late."""

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

Choice = Callable[[int, str], bool]
"""Whether a request is served badly: its number since the last `heal` or `spoil`, and `METHOD /path`."""

REPLACED = ("host", "transfer-encoding", "content-length")
"""What http.client says anew."""


class Proxy:
    """What stands between a client and a server."""

    def __init__(self, address: str) -> None:
        self.server = urlsplit(address).netloc
        self.address = ""
        self.seen: list[str] = []
        self.heal()

    def heal(self) -> None:
        """Hand everything on, from now on."""
        self.spoil(lambda *_: False)

    def spoil(self, chosen: Choice, *, delay: float | None = None) -> None:
        """Answer what is chosen with 500, unasked; or, with `delay`, have it done but answer after so many seconds."""
        self.chosen, self.delay, self.seen = chosen, delay, []

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        """One request."""
        name, number = f"{handler.command} {handler.path}", len(self.seen)
        self.seen.append(name)
        bad, delay = self.chosen(number, name), self.delay
        body = _body(handler)
        if bad and delay is None:
            self._answer(handler, 500, {"Content-Type": "text/html"}, b"oops")
            return
        answer = self._forwarded(handler, body)
        if bad and delay is not None:
            time.sleep(delay)
        self._answer(handler, *answer)

    def _forwarded(self, handler: BaseHTTPRequestHandler, body: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(self.server, timeout=60)
        headers = {name: value for name, value in handler.headers.items() if name.lower() not in REPLACED}
        try:
            connection.request(handler.command, handler.path, body, headers)
            answer = connection.getresponse()
            kept = {name: value for name, value in answer.getheaders() if name.lower() == "content-type"}
            return answer.status, kept, answer.read()
        finally:
            connection.close()

    def _answer(self, handler: BaseHTTPRequestHandler, status: int, headers: dict[str, str], body: bytes) -> None:
        try:
            handler.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                handler.send_header(name, value)
            handler.end_headers()
            handler.wfile.write(body)
        except OSError:
            pass  # the client did not wait for it


def _body(handler: BaseHTTPRequestHandler) -> bytes:
    if "chunked" not in handler.headers.get("Transfer-Encoding", ""):
        return handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
    # Files are streamed: each piece after a line with its size, the last one empty.
    pieces = []
    while size := int(handler.rfile.readline(), 16):
        pieces.append(handler.rfile.read(size))
        handler.rfile.readline()
    handler.rfile.readline()
    return b"".join(pieces)


@contextmanager
def before(address: str) -> Iterator[Proxy]:
    """A proxy before the server at `address`."""
    proxy = Proxy(address)

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            proxy.serve(self)

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    proxy.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
