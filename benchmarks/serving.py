"""Serving: requests a second and how long each waits, `perennial serve` beside `mlflow models serve` with one champion.

Each request asks one headline; clients ask again as soon as they have an answer, over connections that stay open. They
run in the process that measures, on the same cores as the server. BENCH_HOME names a home that has a champion of the
sentiment pipeline; without it one is trained first.
"""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.command import MODEL, home_with_champion, memory_mb

DATA = Path("pipelines/sentiment/data")
CLIENTS = (1, 8, 64)
SECONDS = 8.0
WARM_UP = 2.0
HEADLINES = 512


def measure(scratch: Path) -> dict[str, object]:
    """Figures of both servers at each number of clients."""
    home = home_with_champion(scratch)
    texts = _headlines()
    ours = [json.dumps({"texts": [text]}).encode() for text in texts]
    theirs = [json.dumps({"dataframe_records": [{"text": text}]}).encode() for text in texts]
    measured: dict[str, object] = {}
    with _running(_perennial, home, "/healthz") as (port, process):
        measured |= _figures("perennial serve", port, process, "/predict", ours)
    with _running(_mlflow, home, "/ping") as (port, process):
        measured |= _figures("mlflow models serve", port, process, "/invocations", theirs)
    return measured


def _headlines() -> list[str]:
    lines = (line for file in sorted(DATA.glob("*.jsonl")) for line in file.read_text(encoding="utf-8").splitlines())
    return [json.loads(line)["text"] for line in islice(lines, HEADLINES)]


def _perennial(port: int) -> list[str]:
    return [sys.executable, "-m", "flows.cli", "serve", MODEL, "--port", str(port)]


def _mlflow(port: int) -> list[str]:
    serve = ["models", "serve", "--model-uri", f"models:/{MODEL}@champion", "--env-manager", "local"]
    return [sys.executable, "-m", "mlflow", *serve, "--host", "127.0.0.1", "--port", str(port)]


@contextmanager
def _running(command: Any, home: Path, path: str) -> Iterator[tuple[int, "subprocess.Popen[bytes]"]]:
    port = _free_port()
    paths = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    settings = {
        "PERENNIAL_HOME": str(home),
        "MLFLOW_TRACKING_URI": f"sqlite:///{home.absolute()}/mlflow/mlflow.db",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "PATH": paths,
    }
    quiet = subprocess.DEVNULL
    server = subprocess.Popen(
        command(port), env={**os.environ, **settings}, stdout=quiet, stderr=quiet, start_new_session=True
    )
    try:
        _await(f"http://127.0.0.1:{port}{path}", server)
        yield port, server
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await(address: str, server: "subprocess.Popen[bytes]") -> None:
    for _ in range(1200):
        assert server.poll() is None
        try:
            with urllib.request.urlopen(address, timeout=5):  # noqa: S310 - on this machine
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(address)


def _figures(
    name: str, port: int, process: "subprocess.Popen[bytes]", path: str, bodies: Sequence[bytes]
) -> dict[str, object]:
    measured: dict[str, object] = {}
    for clients in CLIENTS:
        asyncio.run(_asked(port, path, bodies, clients, WARM_UP))
        started = time.perf_counter()
        latencies = asyncio.run(_asked(port, path, bodies, clients, SECONDS))
        seconds = time.perf_counter() - started
        p50, p99 = np.percentile(latencies, [50, 99]) * 1000
        figures: Mapping[str, float] = {"requests/s": len(latencies) / seconds, "p50 ms": p50, "p99 ms": p99}
        measured[f"{name}, {clients} clients"] = {what: round(float(value), 1) for what, value in figures.items()}
    measured[f"{name}, MB"] = memory_mb(process.pid)
    return measured


async def _asked(port: int, path: str, bodies: Sequence[bytes], clients: int, seconds: float) -> list[float]:
    """Seconds of each request that `clients` made."""
    until = time.perf_counter() + seconds
    each = [_client(port, path, bodies[number:] + bodies[:number], until) for number in range(clients)]
    return [latency for one in await asyncio.gather(*each) for latency in one]


async def _client(port: int, path: str, bodies: Sequence[bytes], until: float) -> list[float]:
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
