"""What a scheduled run with nothing new costs: `perennial schedule` as a process, and runs that a trigger starts on it.

The seconds are from the trigger to the run's end on Prefect's page; of them, up to one is the worker's pause between
two looks. The memory is that of the run's own process; the worker and the server, which are there all day, beside it.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import psutil

from benchmarks.common.command import MEGABYTE, SAMPLE_SECONDS
from benchmarks.main_job import PIPELINE
from flows import prefect_server
from perennial.core.home import Home
from perennial.scheduling import prefect_api

RUNS = 3
ATTEMPTS = 30
RUN, SERVER = "prefect.engine", "flows.prefect_server"
"""Modules that a run and the server are processes of."""
ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


@dataclass(frozen=True)
class Run:
    """How a triggered run ended."""

    name: str
    seconds: float
    peak_mb: float


def measure(scratch: Path) -> dict[str, object]:
    """Let the schedule train the sentiment pipeline once, then trigger it again and again with nothing new."""
    shutil.copytree(PIPELINE, scratch / PIPELINE)
    with _serving(scratch) as (worker, api):
        first = _run(worker, api)
        idle = [_run(worker, api) for _ in range(RUNS)]
        server = sum(_resident(process) for process in _family(worker) if _is(process, SERVER))
        own = _resident(worker)
    return {
        "first run: ended as": first.name,
        "first run, seconds": first.seconds,
        "first run, peak MB": first.peak_mb,
        "nothing new: ended as": ", ".join(sorted({run.name for run in idle})),
        "nothing new, seconds": statistics.median(run.seconds for run in idle),
        "nothing new, peak MB": max(run.peak_mb for run in idle),
        "worker, MB": own,
        "Prefect's server, MB": server,
    }


@contextmanager
def _serving(scratch: Path) -> Iterator[tuple[psutil.Process, str]]:
    home = scratch / "home"
    kept = {name: value for name, value in os.environ.items() if name != prefect_api.API_URL}
    environment = {**kept, "PERENNIAL_HOME": str(home), "PREFECT_RUNNER_POLL_FREQUENCY": "1"}
    command = [str(Path(sys.executable).with_name("perennial")), "schedule", PIPELINE.name]
    process = subprocess.Popen(command, cwd=scratch, env=environment, stdout=subprocess.DEVNULL)
    try:
        api = _until(lambda: prefect_api.running_server(Home(home)))
        _until(lambda: _ask(f"{api}/deployments/name/scheduled/{PIPELINE.name}"))
        yield psutil.Process(process.pid), api
    finally:
        process.terminate()
        process.wait()


def _run(worker: psutil.Process, api: str) -> Run:
    # The run before has said that it ended, and still holds its memory for a moment.
    _until(lambda: not any(_is(process, RUN) for process in _family(worker)))
    deployment = _ask(f"{api}/deployments/name/scheduled/{PIPELINE.name}")["id"]
    asked = {"parameters": {"pipeline": PIPELINE.name, "kind": "schedule"}}
    started, peak = time.monotonic(), 0.0
    run = _ask(f"{api}/deployments/{deployment}/create_flow_run", asked)["id"]
    state: dict[str, Any] = {"type": ""}
    while state["type"] not in ENDED:
        time.sleep(SAMPLE_SECONDS)
        peak = max(peak, sum(_resident(process) for process in _family(worker) if not _is(process, SERVER)))
        state = _ask(f"{api}/flow_runs/{run}")["state"]
    return Run(state["name"], time.monotonic() - started, peak)


def _family(worker: psutil.Process) -> list[psutil.Process]:
    return list(worker.children(recursive=True))


def _is(process: psutil.Process, module: str) -> bool:
    try:
        return module in process.cmdline()
    except psutil.NoSuchProcess:
        return False


def _resident(process: psutil.Process) -> float:
    try:
        return float(process.memory_info().rss) / MEGABYTE
    except psutil.NoSuchProcess:
        return 0.0


def _ask(address: str, body: object = None) -> Any:
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, content, {"Content-Type": "application/json"})  # noqa: S310 - our own
    for _ in range(ATTEMPTS):
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            # Two that write at once into Prefect's SQLite: one of them is to ask again.
            if error.code != HTTPStatus.SERVICE_UNAVAILABLE:
                raise
        time.sleep(1)
    raise TimeoutError(f"Prefect's server was busy {ATTEMPTS} times")


def _until(happened: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + prefect_server.SECONDS_TO_START
    while time.monotonic() < deadline:
        try:
            if outcome := happened():
                return outcome
        except urllib.error.URLError:
            pass
        time.sleep(SAMPLE_SECONDS)
    raise TimeoutError("perennial schedule did not start to serve")
