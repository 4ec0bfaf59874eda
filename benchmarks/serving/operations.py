"""Serving, beside speed: from start to ready, what an explanation costs beside a prediction, memory of several workers.

BENCH_HOME names a home that has a champion of the sentiment pipeline; without it one is trained first. A start counts
until /readyz answers 200, from a home whose champion was served before. Explanations and predictions of the same texts
are asked in turn over one connection: a headline, and three of them together.
"""

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks.common.command import MODEL, home_with_champion
from benchmarks.serving.clients import await_answer, free_port, headlines

STARTS = 5
ASKED = int(os.environ.get("BENCH_SINGLES", "100"))
WORKERS = (1, 2, 4)


def measure(scratch: Path) -> dict[str, object]:
    """Figures of starts, explanations and memory."""
    home = home_with_champion(scratch)
    with _serving(home):
        pass
    starts = []
    for _ in range(STARTS):
        began = time.perf_counter()
        with _serving(home):
            starts.append(time.perf_counter() - began)
    measured: dict[str, object] = {"start to ready, s": round(float(np.median(starts)), 2)}
    with _serving(home) as (port, _):
        for name, texts in (("headline", _texts(1)), ("three headlines", _texts(3))):
            measured |= _explained(name, port, texts)
    for workers in WORKERS:
        with _serving(home, "--workers", str(workers)) as (_, process):
            measured[f"PSS of {workers} workers, MB"] = round(_pss(process.pid), 1)
    return measured


def _texts(together: int) -> list[str]:
    texts = headlines(ASKED * together)
    return [" ".join(texts[start : start + together]) for start in range(0, len(texts), together)]


@contextmanager
def _serving(home: Path, *options: str) -> Iterator[tuple[int, "subprocess.Popen[bytes]"]]:
    port, quiet = free_port(), subprocess.DEVNULL
    command = [sys.executable, "-m", "flows.cli", "serve", MODEL, "--port", str(port), *options]
    server = subprocess.Popen(command, env={**os.environ, "PERENNIAL_HOME": str(home)}, stdout=quiet, stderr=quiet)
    try:
        await_answer(f"http://127.0.0.1:{port}/readyz", server)
        yield port, server
    finally:
        server.terminate()
        server.wait(60)


def _explained(name: str, port: int, texts: Sequence[str]) -> dict[str, object]:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    seconds: dict[str, list[float]] = {"/predict": [], "/explain": [], "/explain?method=occlusion": []}
    for text in [*texts[:5], *texts]:
        for path, taken in seconds.items():
            began = time.perf_counter()
            connection.request("POST", path, json.dumps({"texts": [text]}))
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200, answer.status
            taken.append(time.perf_counter() - began)
    connection.close()
    p50 = {path: float(np.median(taken[5:])) for path, taken in seconds.items()}
    figures: dict[str, object] = {f"{name}: {path}, p50 ms": round(value * 1000, 2) for path, value in p50.items()}
    for path in list(p50)[1:]:
        figures[f"{name}: {path}, in predictions"] = round(p50[path] / p50["/predict"], 2)
    return figures


def _pss(pid: int) -> float:
    """MB of a process and its children, what they share counted once (Linux's proportional set size)."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
    total = 0.0
    for each in (str(pid), *children):
        rollup = Path(f"/proc/{each}/smaps_rollup").read_text(encoding="utf-8")
        total += int(rollup.partition("\nPss:")[2].split()[0]) * 1024 / 1e6
    return total
