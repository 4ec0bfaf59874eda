"""`perennial schedule` as a process of its own, and Prefect's API as a program or a person asks it."""

import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from place import Place

ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
BUSY = (408, 429, 503)
"""Answers to ask again after, as Prefect's own client does; a server on SQLite gives 503 when two write at once."""
PATIENCE = 240
"""Seconds that a busy server has for its answer, and for which it is asked again.

No test needs an idle machine: a server on SQLite whose ten pipelines all write took 31 seconds beside other work."""


@dataclass(frozen=True)
class Api:
    """A Prefect server's API."""

    address: str

    def post(self, path: str, body: Any) -> Any:
        request = urllib.request.Request(
            f"{self.address}{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        return self._answer(request)

    def patch(self, path: str, body: Any) -> None:
        request = urllib.request.Request(
            f"{self.address}{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}, method="PATCH"
        )
        self._answer(request)

    def get(self, path: str) -> Any:
        return self._answer(urllib.request.Request(f"{self.address}{path}"))

    def deployment(self, pipeline: str) -> dict[str, Any]:
        deployment: dict[str, Any] = self.get(f"/deployments/name/scheduled/{pipeline}")
        return deployment

    def trigger(self, pipeline: str, **parameters: str) -> str:
        """The id of a new run, due now."""
        made = self.post(f"/deployments/{self.deployment(pipeline)['id']}/create_flow_run", {"parameters": parameters})
        return str(made["id"])

    def run(self, identity: str) -> dict[str, Any]:
        run: dict[str, Any] = self.get(f"/flow_runs/{identity}")
        return run

    def runs(self, pipeline: str, planned: bool = False) -> list[dict[str, Any]]:
        """All of a pipeline's runs that nobody can schedule any more, oldest first; `planned`: those to come, too."""
        ours = {"deployments": {"name": {"any_": [pipeline]}}, "sort": "EXPECTED_START_TIME_ASC"}
        runs: list[dict[str, Any]] = self.post("/flow_runs/filter", ours)
        now = datetime.now(UTC).isoformat()
        return [run for run in runs if planned or not run["auto_scheduled"] or run["expected_start_time"] <= now]

    def emit(self, pipeline: str, detail: str) -> None:
        """The event that data landed, as a webhook sends it."""
        event = {
            "event": "perennial.data-landed",
            "occurred": datetime.now(UTC).isoformat(),
            "resource": {"prefect.resource.id": f"perennial.pipeline.{pipeline}"},
            "payload": {"detail": detail},
            "id": str(uuid4()),
        }
        self.post("/events", [event])

    def _answer(self, request: urllib.request.Request) -> Any:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                    content = answer.read()
                return json.loads(content) if content else None
            except urllib.error.HTTPError as error:
                if error.code not in BUSY or time.monotonic() > deadline:
                    raise
            time.sleep(0.5)


@dataclass
class Worker:
    """`perennial schedule`, which can be killed like a machine that loses power, and started again."""

    place: Place
    environment: dict[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    talks: bool = True
    """Prefect talks in the log."""
    _process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.place.folder / "worker.log"

    def start(self) -> None:
        quick = {"PREFECT_RUNNER_POLL_FREQUENCY": "1"} | ({"PREFECT_LOGGING_LEVEL": "WARNING"} if self.talks else {})
        with self.log.open("ab") as log:
            self._process = self.place.start(
                "schedule", *self.arguments, log=log, alone=True, **quick, **self.environment
            )

    def kill(self) -> None:
        """End it and all its runs at once; nothing is tidied up."""
        self._end(signal.SIGKILL)

    def kill_alone(self) -> None:
        """End it at once, as the system does that runs out of memory; its runs know nothing of that."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(60)
        self._process = None

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        try:
            os.killpg(self._process.pid, how)
            self._process.wait(60)
        except ProcessLookupError:
            pass
        self._process = None

    def check(self) -> None:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text()


def until(happened: Callable[[], Any], worker: Worker, seconds: float = 180) -> Any:
    """What `happened` gives once it is something."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if outcome := happened():
                return outcome
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            pass  # the server is starting, or its database is away
        worker.check()
        assert time.monotonic() < deadline, worker.log.read_text()
        time.sleep(0.3)


def ended(api: Api, identity: str, worker: Worker, seconds: float = 180) -> tuple[str, str]:
    """Name and message of the state in which a run ended."""

    def state() -> dict[str, Any] | None:
        now: dict[str, Any] = api.run(identity)["state"]
        return now if now["type"] in ENDED else None

    last = until(state, worker, seconds)
    return last["name"], last["message"] or ""
