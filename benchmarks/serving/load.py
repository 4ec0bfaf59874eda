"""Run by `python -m benchmarks serving` in a process of its own: clients that ask a server again as soon as they have
their answer, over connections that stay open. Prints a JSON object: how many were answered and refused, and how long
each took. It ends when all are answered that were asked in time, so that the next server has the cores for itself.

Requests are laid out beforehand and answers are only counted, so that little of the cores goes to the clients.
"""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import cast

import uvloop

PATIENCE = 120


class _Client(asyncio.Protocol):
    def __init__(self, requests: list[bytes], first: int, load: "_Load") -> None:
        self._requests, self._next, self._load = requests, first, load
        self._answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's is none by name.
        self._transport = cast(asyncio.Transport, transport)
        self._load.under_way += 1
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, parted, body = self._answer.partition(b"\r\n\r\n")
        if parted and len(body) >= int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]):
            self._load.note(head.startswith(b"HTTP/1.1 200"), time.perf_counter() - self._started)
            if time.perf_counter() < self._load.until:
                self._ask()
            else:
                self._load.ends()

    def connection_lost(self, _: Exception | None) -> None:
        if not self._load.ended.is_set():
            self._load.lost += 1
            self._load.ends()

    def _ask(self) -> None:
        self._answer = b""
        self._started = time.perf_counter()
        self._transport.write(self._requests[self._next % len(self._requests)])
        self._next += 1


class _Load:
    def __init__(self, seconds: float) -> None:
        self.until = time.perf_counter() + seconds
        self.seconds: list[float] = []
        self.refused = self.lost = self.under_way = 0
        self.ended = asyncio.Event()

    def ends(self) -> None:
        """A client asks no more."""
        self.under_way -= 1
        if not self.under_way:
            self.ended.set()

    def note(self, answered: bool, seconds: float) -> None:
        if answered:
            self.seconds.append(seconds)
        else:
            self.refused += 1


async def _loaded(port: int, requests: list[bytes], clients: int, seconds: float) -> dict[str, object]:
    loop, load = asyncio.get_running_loop(), _Load(seconds)
    apart = max(1, len(requests) // clients)
    started = time.perf_counter()
    for number in range(clients):
        await loop.create_connection(lambda first=number * apart: _Client(requests, first, load), "127.0.0.1", port)
    async with asyncio.timeout(seconds + PATIENCE):
        await load.ended.wait()
    return {
        "wall": time.perf_counter() - started,
        "seconds": load.seconds,
        "refused": load.refused,
        "lost": load.lost,
        "cpu": time.process_time(),
    }


def main() -> None:
    """Arguments: port, path, a file with a body a line, how many clients, seconds."""
    port, path, file, clients, seconds = sys.argv[1:]
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: "
    requests = [f"{head}{len(body)}\r\n\r\n".encode() + body for body in Path(file).read_bytes().splitlines()]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(_loaded(int(port), requests, int(clients), float(seconds)))))


if __name__ == "__main__":
    main()
