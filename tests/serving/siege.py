"""Clients that never stop asking at a share of what a server can answer, and compare each answer with its version's."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from perennial.inference.predictor import Predictor
from perennial.serving.batches.fair_queue import Answers

TOLERANCE = 1e-4


@dataclass
class Seen:
    """What clients saw."""

    statuses: Counter[int] = field(default_factory=Counter)
    versions: list[str] = field(default_factory=list)
    """In the order in which each was first seen."""
    wrong: list[str] = field(default_factory=list)
    """Answers that are not those of the version that they name."""
    seconds: list[float] = field(default_factory=list)
    """Of each answered request."""
    lost: int = 0
    """Requests on connections that were closed without an answer, though nobody had said that they would be."""


class Siege:
    """Clients of the server on `port` of this machine, who ask for two of `texts` each time.

    `right`: the answers that each version gives to `texts`, alone.
    """

    def __init__(self, port: int, texts: Sequence[str], headers: Mapping[str, str] | None = None) -> None:
        self._port, self._texts = port, texts
        self._headers = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        self.right: dict[str, Answers] = {}
        self.seen = Seen()

    def expect(self, version: str, predictor: Predictor) -> None:
        """Learn what `version` answers, from its package."""
        self.right[version] = predictor.predict(list(self._texts))

    async def ask(self, clients: int, rate: float | None, ended: Callable[[], bool]) -> None:
        """Ask until it has ended; `rate`: requests a second of all clients together, None: as fast as answers come."""
        pause = clients / rate if rate else 0.0
        await asyncio.gather(*(self._client(number, ended, pause) for number in range(clients)))

    async def _client(self, number: int, ended: Callable[[], bool], pause: float) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        turn, due = number, time.perf_counter() + pause * (number % 16) / 16
        try:
            while not ended():
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                due += pause
                turn += 1
                if await self._ask(reader, writer, turn % (len(self._texts) - 1)):
                    writer.close()
                    reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        finally:
            writer.close()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, first: int) -> bool:
        """One request; whether the connection is closed now."""
        body = json.dumps({"texts": self._texts[first : first + 2]}).encode()
        started = time.perf_counter()
        head = f"POST /predict HTTP/1.1\r\nHost: x\r\n{self._headers}Content-Length: {len(body)}\r\n\r\n"
        try:
            writer.write(head.encode() + body)
            answer = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            content = await reader.readexactly(int(answer.partition("content-length: ")[2].partition("\r\n")[0]))
        except (ConnectionError, asyncio.IncompleteReadError):
            self.seen.lost += 1
            return True
        self.seen.seconds.append(time.perf_counter() - started)
        status = int(answer.split()[1])
        self.seen.statuses[status] += 1
        if status == 200:
            self._compare(json.loads(content), first)
        return "connection: close" in answer

    def _compare(self, content: dict[str, object], first: int) -> None:
        version = str(content["version"])
        if version not in self.seen.versions:
            self.seen.versions.append(version)
        right = self.right.get(version, [])[first : first + 2]
        given = content["predictions"]
        if not _same(given, right):
            self.seen.wrong.append(f"version {version}, texts {first} and {first + 1}")


def _same(given: object, right: Answers) -> bool:
    if not isinstance(given, list) or len(given) != len(right):
        return False
    return all(
        one["label"] == other["label"]
        and all(abs(one["scores"][label] - score) < TOLERANCE for label, score in other["scores"].items())
        for one, other in zip(given, right, strict=True)
    )
