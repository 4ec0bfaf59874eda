"""Running the command line, in this process or in another, and looking at what it left."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any
from unittest.mock import patch

from perennial.core.home import Home
from perennial.doctor import installation
from perennial.registry import aliases, tracking

REPOSITORY = Path(__file__).parents[1]
ENTERED = {"PERENNIAL_HOME", "PREFECT_HOME", "PREFECT_API_URL"}


@cache
def _failing(modules: tuple[str, ...], really: Callable[..., dict[str, str]] = installation.failing) -> dict[str, str]:
    return really(modules)


def failing_once(modules: Sequence[str]) -> dict[str, str]:
    """Doctor's look at whether packages import, which takes ten seconds and says the same as long as tests run."""
    return dict(_failing(tuple(modules)))


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    error: str

    @property
    def text(self) -> str:
        """Everything it said, white space collapsed, so that a wrapped sentence can be found."""
        return " ".join(f"{self.out} {self.error}".split())

    @property
    def json(self) -> dict[str, Any]:
        lines = self.out.splitlines()
        assert len(lines) == 1, self.out
        value: dict[str, Any] = json.loads(lines[0])
        return value

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


class Place:
    """A working folder with pipelines/tiny, and its home."""

    def __init__(self, folder: Path, prefect_api: str | None) -> None:
        self.folder = folder
        self.home = Home(folder / "home")
        self.prefect_api = prefect_api
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def data(self) -> Path:
        return self.folder / "pipelines" / "tiny" / "data"

    def give_database(self, empty: Path) -> None:
        """MLflow's set-up takes seconds, so its outcome is copied."""
        self.home.mlflow.mkdir(parents=True)
        shutil.copyfile(empty, self.home.mlflow / "mlflow.db")

    def run(self, *arguments: str, **environment: str) -> Ended:
        """`perennial run tiny ARGUMENTS` in this process."""
        return self.command("run", "tiny", *arguments, **environment)

    def command(self, *arguments: str, stdin: bytes | None = None, **environment: str) -> Ended:
        """`perennial ARGUMENTS` in this process, in this folder."""
        from typer.testing import CliRunner

        from flows.cli import app
        from flows.environment import prepare

        # A run sets variables for its libraries; they end with it.
        with chdir(self.folder), patch.dict(os.environ, self.environment() | environment):
            prepare(self.home)
            with _against(self.prefect_api), patch.object(installation, "failing", failing_once):
                result = CliRunner().invoke(app, list(arguments), input=stdin)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return Ended(result.exit_code, result.stdout, result.stderr)

    def start(
        self, *arguments: str, log: IO[bytes] | None = None, alone: bool = False, **environment: str
    ) -> subprocess.Popen[bytes]:
        """`perennial ARGUMENTS` in a process of its own; `alone`: in a group of its own; `log`: takes what it says."""
        return subprocess.Popen(
            [sys.executable, "-m", "flows.cli", *arguments],
            cwd=self.folder,
            env=os.environ | self.environment() | {"PYTHONPATH": str(REPOSITORY)} | environment,
            stdin=subprocess.DEVNULL,
            stdout=log or subprocess.PIPE,
            stderr=log or subprocess.PIPE,
            start_new_session=alone,
            # A shell's background job ignores Ctrl-C and hands that on; a person's terminal does not.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def apart(self, *arguments: str, **environment: str) -> Ended:
        """`perennial ARGUMENTS` in a process of its own, to its end."""
        return ended(self.start(*arguments, **environment))

    def environment(self) -> dict[str, str]:
        api = {"PREFECT_API_URL": self.prefect_api} if self.prefect_api else {}
        return {"PERENNIAL_HOME": str(self.home.root), "OMP_NUM_THREADS": "1", **api}

    def champion(self) -> str | None:
        """The version that serves."""
        with tracking.session(self.home) as client:
            champion = aliases.version_of_champion(client, self.home, "tiny")
        return str(champion.version) if champion else None

    def entries(self, step: str) -> dict[str, int]:
        """The store's entries of a step, with when each was written."""
        folder = self.home.store.root / step
        return {path.name: path.stat().st_mtime_ns for path in folder.glob("*") if not path.name.startswith(".")}

    def entry(self, step: str) -> Path:
        """The only entry of a step."""
        (name,) = self.entries(step)
        return self.home.store.folder(step, name)


def ended(process: subprocess.Popen[bytes], seconds: float = 240) -> Ended:
    out, error = process.communicate(timeout=seconds)
    return Ended(process.returncode, out.decode(), error.decode())


def assert_explained(ended: Ended, code: int, *words: str) -> None:
    """The command ended with `code` and one paragraph that holds `words`, and no traceback."""
    assert ended.code == code, ended.text
    assert "Traceback" not in ended.text
    assert "does not know" not in ended.text
    for word in words:
        assert word in ended.text, ended.text


def flip(file: Path) -> None:
    """Change one bit in the middle of a file."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def wait_for(happened: Callable[[], object], process: subprocess.Popen[bytes], seconds: float = 240) -> None:
    """Wait until something has happened that `process` does."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert process.poll() is None, process.communicate()[1].decode()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_training(place: Place) -> bool:
    """Whether a training has left its first checkpoint."""
    return any(place.home.root.glob("checkpoints/*/step-*"))


def processes_with(text: str) -> list[int]:
    """The processes whose environment or command line holds `text`."""
    processes = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            described = (folder / "environ").read_bytes() + (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if text.encode() in described and int(folder.name) != os.getpid():
            processes.append(int(folder.name))
    return processes


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def prefect_server(folder: Path, **environment: str) -> Iterator[str]:
    """The API address of a Prefect server with its database in `folder`, unless `environment` names another."""
    port = free_port()
    settings = {
        "PREFECT_HOME": str(folder),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_LOGGING_SERVER_LEVEL": "CRITICAL",
    }
    kept = {name: value for name, value in os.environ.items() if name not in ENTERED}
    environment = kept | settings | environment
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [*command, "--no-ui"], cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        _await(f"http://127.0.0.1:{port}/api/health", server, folder / "log")
        yield f"http://127.0.0.1:{port}/api"
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(60)


def _await(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(3000):
        assert server.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(re.sub(r"\s+", " ", log.read_text()))


@contextmanager
def _against(api: str | None) -> Iterator[None]:
    # Prefect reads its settings when it is first imported, which another test may have done. Where a run tells Prefect
    # from time to time that it lives, it waits up to a second for that to end.
    from prefect.settings import PREFECT_API_URL, PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    with temporary_settings({PREFECT_API_URL: api, PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        yield
