"""Whatever comes in, the server answers it as the client's own fault, stays up, and tells nobody what another asked."""

import re
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import hostile
import pytest
from serving_helpers import Serving

STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")


def ask(server: Serving, request: bytes) -> bytes:
    """All that is answered until the connection is closed, or nothing comes for a moment."""
    answer = b""
    with suppress(OSError), socket.create_connection(("127.0.0.1", server.port), 30) as client:
        client.sendall(request)
        client.shutdown(socket.SHUT_WR)
        client.settimeout(2)
        while piece := client.recv(65_536):
            answer += piece
    return answer


@contextmanager
def others(server: Serving) -> Iterator[list[int]]:
    """Statuses of what an honest client, whose texts nobody else may see, is answered meanwhile."""
    statuses: list[int] = []
    enough = threading.Event()

    def honest() -> None:
        while not enough.is_set():
            statuses.append(server.predict(texts=[f"{hostile.SECRET} soup"]).status)

    client = threading.Thread(target=honest)
    client.start()
    try:
        yield statuses
    finally:
        enough.set()
        client.join()


def besiege(server: Serving, count: int) -> None:
    with others(server) as statuses, ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(lambda request: ask(server, request), hostile.requests(count)))
    seen = Counter(int(status) for answer in answers for status in STATUS.findall(answer))
    assert not [status for status in seen if status >= 500], seen
    assert sum(seen[status] for status in (400, 404, 405, 413)) > count / 4, seen
    assert not [answer for answer in answers if hostile.SECRET.encode() in answer]
    assert not [answer for answer in answers if b"\nlocation:" in answer.lower()], "a redirect goes where Host says"
    assert 200 in statuses
    assert set(statuses) <= {200, 429}
    assert server.process.poll() is None
    assert server.version() == "1"
    server.until(lambda: server.figure("perennial_queue_rows") == 0)
    assert not [line for line in server.log if line.get("level") == "error"]
    assert "Traceback" not in server.text


def test_hostile_requests_are_refused_and_nobody_else_notices(server: Serving) -> None:
    besiege(server, 150)


@pytest.mark.soak(twin="tests/serving/test_hostile.py::test_hostile_requests_are_refused_and_nobody_else_notices")
def test_ten_thousand_hostile_requests_are_refused(server: Serving) -> None:
    besiege(server, 10_000)


@pytest.mark.parametrize("path", ["/predict/", "/healthz/", "//evil.example/predict"])
def test_nothing_is_redirected_to_where_a_request_says(server: Serving, path: str) -> None:
    answer = ask(server, f"POST {path} HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 0\r\n\r\n".encode())
    assert answer.startswith((b"HTTP/1.1 404", b"HTTP/1.1 405"))
    assert b"evil.example" not in answer
    assert b"There are: POST /predict" in answer
