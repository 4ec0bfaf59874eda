"""Texts to ask, and clients that ask them of a server on this machine."""

import asyncio
import json
import socket
import subprocess
import time
import urllib.request
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

DATA = Path("pipelines/sentiment/data")
HEADLINES = 512


def headlines(count: int = HEADLINES) -> list[str]:
    """The first `count` of the sentiment pipeline."""
    lines = (line for file in sorted(DATA.glob("*.jsonl")) for line in file.read_text(encoding="utf-8").splitlines())
    return [json.loads(line)["text"] for line in islice(lines, count)]


def free_port() -> int:
    """One on the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def await_answer(address: str, server: "subprocess.Popen[bytes]") -> None:
    """Until `address` answers with 200; looked at every hundredth of a second."""
    for _ in range(12_000):
        assert server.poll() is None
        try:
            with urllib.request.urlopen(address, timeout=5):  # noqa: S310 - on this machine
                return
        except OSError:
            time.sleep(0.01)
    raise AssertionError(address)


async def client(port: int, path: str, bodies: Sequence[bytes], until: float) -> list[float]:
    """Seconds of each request that one client made, each as soon as the one before was answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    latencies: list[float] = []
    try:
        while (started := time.perf_counter()) < until:
            body = bodies[len(latencies) % len(bodies)]
            head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 200"), answer
            await reader.readexactly(int(answer.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]))
            latencies.append(time.perf_counter() - started)
    finally:
        writer.close()
    return latencies
