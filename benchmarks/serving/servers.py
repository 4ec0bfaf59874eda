"""The servers that are measured: how each is started, and how it is asked about one text."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from benchmarks.builds.build import REPOSITORY, SCRIPTS, Build
from benchmarks.common.command import MODEL
from benchmarks.serving.clients import free_port

FASTER = ("httptools", "uvloop")
"""Packages by which uvicorn is faster where they are installed."""
START_SECONDS = 300


@dataclass(frozen=True)
class Server:
    """A server that can be started."""

    name: str
    command: Callable[[int], list[str]]
    """With which port."""
    health: str
    path: str
    body: Callable[[str], dict[str, Any]]
    """What is sent to `path` about a text."""
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Running:
    """One that answers."""

    server: Server
    port: int
    process: psutil.Process

    def cpu_seconds(self) -> float:
        """Of all its processes, since they were started."""
        family = [self.process, *self.process.children(recursive=True)]
        return sum(times.user + times.system for times in (one.cpu_times() for one in family))


def of_build(build: Build, home: Path) -> Server:
    """`perennial serve` of `build`, with those of FASTER that its own constraints have."""
    had = (build.tree / "constraints.txt").read_text(encoding="utf-8")
    hidden = ",".join(name for name in FASTER if f"\n{name}==" not in had)
    script = str(SCRIPTS / "command.py")
    return Server(
        f"perennial serve, {build.name}",
        lambda port: [sys.executable, script, hidden, "serve", MODEL, "--port", str(port)],
        "/healthz",
        "/predict",
        lambda text: {"texts": [text]},
        {"PYTHONPATH": str(build.tree), **_registry(home)},
    )


def of_mlflow(name: str, model: str, home: Path, body: Callable[[str], dict[str, Any]]) -> Server:
    """`mlflow models serve` of `model`, a folder or a version in the home's registry."""
    serve = ["-m", "mlflow", "models", "serve", "--env-manager", "local", "--model-uri", model, "--host", "127.0.0.1"]
    return Server(
        f"mlflow models serve, {name}",
        lambda port: [sys.executable, *serve, "--port", str(port)],
        "/ping",
        "/invocations",
        body,
        {"PYTHONPATH": str(REPOSITORY), **_registry(home)},
    )


def of_infinity(environment: Path, classifier: Path) -> Server:
    """infinity's own server, in the virtual environment `environment`."""
    serve = [str(environment / "bin" / "infinity_emb"), "v2", "--model-id", str(classifier), "--served-model-name", "m"]
    settings = ["--engine", "torch", "--device", "cpu", "--no-bettertransformer", "--host", "127.0.0.1"]
    return Server(
        "infinity",
        lambda port: [*serve, *settings, "--port", str(port)],
        "/health",
        "/classify",
        lambda text: {"model": "m", "input": [text]},
        {"HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1"},
    )


@contextmanager
def running(server: Server, folder: Path) -> Iterator[Running]:
    """For the block `server` answers; its working folder and log are in `folder`."""
    port = free_port()
    # mlflow looks for its parts on the path.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, **server.environment}
    log = folder / f"{server.name.replace(' ', '-').replace(',', '')}.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            server.command(port), env=environment, cwd=folder, stdout=file, stderr=file, start_new_session=True
        )
    try:
        _await(f"http://127.0.0.1:{port}{server.health}", process, log)
        yield Running(server, port, psutil.Process(process.pid))
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(60)


def _registry(home: Path) -> dict[str, str]:
    return {
        "PERENNIAL_HOME": str(home.absolute()),
        "MLFLOW_TRACKING_URI": f"sqlite:///{home.absolute()}/mlflow/mlflow.db",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }


def _await(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(address, timeout=5):  # noqa: S310 - on this machine
                return
        except OSError:
            time.sleep(0.1)
    said = log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:]
    raise RuntimeError(f"{address} does not answer: {json.dumps(said)}")
