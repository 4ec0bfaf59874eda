"""Clients that go, stall or crowd in: their rows are not computed, and others are answered."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from serving_helpers import Serving, serving

from perennial.core.home import Home
from perennial.inference.predictor import Predictor
from perennial.serving import app
from perennial.serving.current import CurrentVersion, LoadedVersion
from perennial.serving.host import Host, HostedModel
from perennial.serving.metrics import ServingMetrics
from perennial.settings.serving import ServingSpec

ROWS = 50
HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"


@dataclass
class Slow:
    """A model that answers when it may, and counts the rows that it was asked."""

    decoder: Any = None
    runs_at_once: int = 1
    served_tokens_per_batch: int = 256
    may: threading.Event = field(default_factory=threading.Event)
    begun: threading.Event = field(default_factory=threading.Event)
    rows: int = 0

    def predict(self, inputs: list[str], **_: int) -> list[dict[str, Any]]:
        self.begun.set()
        self.may.wait(30)
        self.rows += len(inputs)
        return [{"label": "a"} for _ in inputs]


class Reading:
    """What `reading` asks of a decoder."""

    columns = (("text",),)

    @staticmethod
    def inputs(columns: dict[str, list[Any]]) -> list[Any]:
        return columns["text"]


@dataclass
class Client:
    """A client of the application, without a connection: what it sends, and what it is answered."""

    content: bytes = json.dumps({"texts": ["a"] * ROWS}).encode()
    headers: dict[str, str] = field(default_factory=dict)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    sent: bool = False
    status: int = 0
    body: bytes = b""

    async def receive(self) -> dict[str, Any]:
        if self.sent or not self.content:
            await self.gone.wait()
            return {"type": "http.disconnect"}
        self.sent = True
        return {"type": "http.request", "body": self.content, "more_body": False}

    async def send(self, message: Any) -> None:
        self.status = message.get("status", self.status)
        self.body += message.get("body", b"")

    async def ask(self, application: Any) -> None:
        headers = [(name.lower().encode(), value.encode()) for name, value in self.headers.items()]
        scope = {"type": "http", "method": "POST", "path": "/predict", "headers": headers, "query_string": b""}
        await application(scope, self.receive, self.send)


@dataclass
class Running:
    """The application with a model, in this process."""

    model: Slow
    figures: ServingMetrics
    application: Any

    def figure(self, line: str) -> bool:
        return line in self.figures.text().decode().splitlines()


def running(**settings: float) -> Running:
    model, figures, current = Slow(Reading()), ServingMetrics("tiny"), CurrentVersion()
    current.served = LoadedVersion("tiny", "1", cast(Predictor, model))
    host = Host([HostedModel("tiny", current, figures, {})], ServingSpec.model_validate(settings))
    return Running(model, figures, app.make_app(host))


async def begun(one: Running) -> None:
    assert await asyncio.to_thread(one.model.begun.wait, 30)


def test_rows_of_clients_that_have_gone_are_not_computed() -> None:
    one = running(batch_rows=8, max_rows=100, queue_rows=100)

    async def story() -> Client:
        async with one.application.router.lifespan_context(one.application):
            leaving, staying = [Client(), Client()], Client()
            asked = [asyncio.create_task(client.ask(one.application)) for client in leaving]
            await begun(one)
            for client in leaving:
                client.gone.set()
            await asyncio.gather(*asked)
            # The queue has room again, although the model is at the first batch still.
            last = asyncio.create_task(staying.ask(one.application))
            await asyncio.sleep(0)
            one.model.may.set()
            await last
            return staying

    staying = asyncio.run(story())
    assert staying.status == 200
    assert len(json.loads(staying.body)["predictions"]) == ROWS
    assert one.model.rows <= ROWS + 8, "a batch of what nobody waits for, at most"
    assert one.figure('perennial_dropped_rows_total{model="tiny"} 100.0')
    assert one.figure('perennial_rows_total{model="tiny"} 50.0')
    assert one.figure('perennial_requests_total{model="tiny",status="499"} 2.0')
    assert one.figure('perennial_queue_rows{model="tiny"} 0.0')


def test_a_request_that_waits_too_long_is_told_so() -> None:
    one = running(queue_seconds=0.05)

    async def story() -> Client:
        async with one.application.router.lifespan_context(one.application):
            client = Client()
            await client.ask(one.application)
            one.model.may.set()
            return client

    client = asyncio.run(story())
    assert client.status == 503
    assert json.loads(client.body)["code"] == "too_late"
    assert one.figure('perennial_dropped_rows_total{model="tiny"} 50.0')


def test_a_client_says_how_long_it_waits_and_its_rows_are_dropped_then() -> None:
    one = running(batch_rows=1)

    async def story() -> list[Client]:
        async with one.application.router.lifespan_context(one.application):
            waits = ("50", "0", "-1", "1.5", "9" * 30)
            clients = [Client(headers={"X-Request-Timeout-Ms": wait}) for wait in waits]
            await asyncio.gather(*(client.ask(one.application) for client in clients))
            one.model.may.set()
            patient = Client(headers={"X-Request-Timeout-Ms": "60000"})
            await patient.ask(one.application)
            return [*clients, patient]

    hasty, *wrong, patient = asyncio.run(story())
    assert (hasty.status, json.loads(hasty.body)["code"]) == (504, "deadline_passed")
    assert {(client.status, json.loads(client.body)["code"]) for client in wrong} == {(400, "bad_request")}
    assert patient.status == 200
    assert one.model.rows <= ROWS + 1, "of who waits no more, what the model was at"


def test_one_request_more_than_there_is_room_for_is_told_so() -> None:
    one = running(connections=2)

    async def story() -> tuple[list[Client], Client, Client]:
        async with one.application.router.lifespan_context(one.application):
            first, more, later = [Client(content=b""), Client()], Client(), Client()
            asked = [asyncio.create_task(client.ask(one.application)) for client in first]
            await begun(one)
            await more.ask(one.application)
            first[0].gone.set()
            one.model.may.set()
            await asyncio.gather(*asked)
            await later.ask(one.application)
            return first, more, later

    first, more, later = asyncio.run(story())
    assert (more.status, json.loads(more.body)["code"]) == (503, "crowded")
    assert first[1].status == later.status == 200


@pytest.fixture(scope="module")
def impatient(champion: Home) -> Iterator[Serving]:
    """A server that waits for nobody."""
    limits = {"body_seconds": 0.5, "connections": 4, "batch_rows": 1}
    with serving(
        champion, "tiny", *(part for name, value in limits.items() for part in ("--set", f"serving.{name}={value}"))
    ) as server:
        yield server


def client_of(server: Serving) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), 30)


@pytest.mark.parametrize("part", [b"", b"POST /predict HT", HEAD % 100, HEAD % 100 + b'{"texts": ["so'])
def test_who_stalls_is_refused(impatient: Serving, part: bytes) -> None:
    with client_of(impatient) as client:
        client.sendall(part)
        answer = client.recv(1000)
        assert answer.startswith(b"HTTP/1.1 408")
        if part.startswith(HEAD % 100):
            while piece := client.recv(1000):
                answer += piece
            assert b"did not come in within 0.5 seconds" in answer


def test_headers_without_end_are_refused(impatient: Serving) -> None:
    with client_of(impatient) as client:
        client.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nX-Long: ")
        answer = b""
        # A piece at a time, as the answer comes when the first too many was read.
        for _ in range(100):
            try:
                client.sendall(b"x" * 4096)
                client.settimeout(0.02)
                answer = client.recv(1000)
                break
            except TimeoutError:
                continue
    assert answer.startswith(b"HTTP/1.1 431")
    assert impatient.figure("perennial_connections_closed_total", why="headers") >= 1


def test_who_crowds_in_leaves_room_for_health(impatient: Serving) -> None:
    def is_crowded() -> bool:
        with ExitStack() as clients:
            for _ in range(4):
                clients.enter_context(client_of(impatient)).sendall(HEAD % 100)
            answer = impatient.predict(texts=["soup"])
            assert impatient.ask("/healthz").status == 200
        return answer.status == 503 and answer.json["code"] == "crowded"

    impatient.until(is_crowded)
    impatient.until(lambda: impatient.version() == "1")


def test_more_connections_than_there_is_room_for_are_closed(impatient: Serving) -> None:
    def is_full() -> bool:
        with ExitStack() as clients:
            for _ in range(60):
                clients.enter_context(client_of(impatient))
        impatient.until(lambda: impatient.version() == "1")
        return impatient.figure("perennial_connections_closed_total", why="too_many") > 0

    impatient.until(is_full)


def test_a_client_that_goes_is_noticed(impatient: Serving) -> None:
    content = json.dumps({"texts": ["soup"] * 1000}).encode()

    def is_noticed() -> bool:
        with client_of(impatient) as client:
            client.sendall(HEAD % len(content) + content)
        return impatient.figure("perennial_dropped_rows_total") > 0

    impatient.until(is_noticed)
    impatient.until(lambda: impatient.figure("perennial_queue_rows") == 0)
    assert impatient.figure("perennial_requests_total", status="499") >= 1
