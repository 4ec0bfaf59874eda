"""Clients that ask and do not read, or send headers without an end, hold no memory for longer than they may."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import uvicorn
from starlette.responses import Response

from perennial.serving import connections
from perennial.serving.metrics import ServingMetrics
from perennial.settings.serving import ServingSpec

LARGE = 30_000_000
"""Bytes: more than what the system's own buffers take."""


@dataclass
class Server:
    """An HTTP server whose every answer is large, in a thread of this process."""

    inner: uvicorn.Server
    figures: ServingMetrics
    port: int

    def closed(self, why: str) -> bool:
        line = f'perennial_connections_closed_total{{model="tiny",why="{why}"}} 1.0'
        return line in self.figures.text().decode().splitlines()


@pytest.fixture
def server() -> Iterator[Server]:
    figures = ServingMetrics("tiny")

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await Response(b"x" * LARGE)(scope, receive, send)

    protocol = connections.bounded_protocol(ServingSpec(answer_seconds=0.3, body_seconds=20), figures)
    config = uvicorn.Config(application, http=protocol, log_config=None, lifespan="off", ws="none")
    inner = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=lambda: asyncio.run(inner.serve([listening])))
        thread.start()
        try:
            yield Server(inner, figures, listening.getsockname()[1])
        finally:
            inner.should_exit = True
            thread.join(30)


def client_of(server: Server) -> socket.socket:
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(30)
    client.connect(("127.0.0.1", server.port))
    return client


GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def test_an_answer_that_is_not_read_is_given_up(server: Server) -> None:
    with client_of(server) as client:
        client.sendall(GET)
        event = threading.Event()
        for _ in range(600):
            if server.closed("unread"):
                break
            event.wait(0.05)
        assert server.closed("unread")
        assert not server.inner.server_state.connections
        assert not server.inner.server_state.tasks


def test_an_answer_that_is_read_is_whole(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), 30) as client:
        client.sendall(GET.replace(b"Host", b"Connection: close\r\nHost"))
        read = 0
        while piece := client.recv(1_000_000):
            read += len(piece)
    assert read > LARGE
    assert not server.closed("unread")


@pytest.mark.parametrize("line", [b"x: " + b"y" * 1000 + b"\r\n", b"y" * 1000])
def test_headers_without_an_end_are_refused(server: Server, line: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.port), 30) as client:
        client.sendall(b"GET / HTTP/1.1\r\n" if line.endswith(b"\n") else b"GET /")
        answer = b""
        try:
            for _ in range(100):
                client.sendall(line)
            answer = client.recv(1000)
        except OSError:
            pass  # It was closed while this one still sent.
        assert answer[:12] in (b"HTTP/1.1 431", b"HTTP/1.1 400", b"")
    assert server.closed("headers") or answer.startswith(b"HTTP/1.1 400")
