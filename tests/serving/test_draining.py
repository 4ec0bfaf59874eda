"""A server that is told to end tells its clients, waits for nobody who has stalled, and says no more than that."""

import json
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPConnection

import pytest
from serving_helpers import Serving, serving

from perennial.core.home import Home

HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
BODY = json.dumps({"texts": ["excellent soup"]}).encode()


@pytest.fixture
def ending(champion: Home) -> Iterator[Serving]:
    """A server that gives notice."""
    with serving(champion, "tiny", "--set", "serving.notice_seconds=20", "--set", "serving.drain_seconds=20") as server:
        yield server


def connected(server: Serving) -> HTTPConnection:
    return HTTPConnection("127.0.0.1", server.port, timeout=30)


def asked(client: HTTPConnection, method: str, path: str, body: bytes | None = None) -> tuple[int, str | None, bytes]:
    """Status, what the connection comes to, and content."""
    client.request(method, path, body)
    answer = client.getresponse()
    return answer.status, answer.getheader("connection"), answer.read()


def test_clients_are_told_before_nobody_is_let_in_any_more(ending: Serving) -> None:
    with ExitStack() as stack:
        idle, kept = (stack.enter_context(socket.create_connection(("127.0.0.1", ending.port), 30)) for _ in "ab")
        client = connected(ending)
        assert asked(client, "POST", "/predict", BODY)[:2] == (200, None)
        kept.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert kept.recv(1000).startswith(b"HTTP/1.1 200")
        ending.process.send_signal(signal.SIGTERM)
        ending.until(lambda: ending.ask("/readyz").status == 503)
        # Who is connected, and who comes now, is answered, and told to go elsewhere with what it asks next.
        assert asked(client, "POST", "/predict", BODY)[:2] == (200, "close")
        status, connection, content = asked(connected(ending), "GET", "/readyz")
        assert (status, connection, json.loads(content)["code"]) == (503, "close", "ending")
        assert asked(connected(ending), "GET", "/healthz")[:2] == (200, "close")
        # A second signal ends the notice; idle connections are closed, and nothing else is waited for.
        started = time.monotonic()
        ending.process.send_signal(signal.SIGINT)
        assert ending.process.wait(30) == 0
        assert idle.recv(1000) == b""
        assert time.monotonic() - started < 15
    assert "Ended" in ending.text


def test_half_sent_bodies_end_quietly_and_soon(champion: Home) -> None:
    with ExitStack() as stack, serving(champion, "tiny") as server:
        parts = (HEAD % 100, HEAD % 100 + b'{"texts": ["so', b"POST /predict HT", b"")
        clients = [stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 30)) for _ in range(20)]
        for number, client in enumerate(clients):
            client.sendall(parts[number % 4])
        server.until(lambda: server.ask("/healthz").status == 200)
        started = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(30) == 0
        assert time.monotonic() - started < 20, "serving.drain_seconds is 30"
        answers = [client.recv(1000) for client in clients]
    for number, answer in enumerate(answers):
        if number % 4 < 2:
            assert answer.startswith(b"HTTP/1.1 503")
            assert b"connection: close" in answer.lower()
        else:
            assert answer == b""
    said = [line["message"] for line in server.log if line.get("level") in ("warning", "error")]
    assert [message for message in said if "No API keys" not in message] == []
    assert "Exception" not in server.text
    assert "Ended" in server.text
