"""`perennial serve` in a process of its own, and a client of it."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import promoting
from registry_helpers import LABELS, make_run

from perennial.core.home import Home
from perennial.records.decision import Outcome
from perennial.settings.pipeline import PipelineSpec

REPOSITORY = Path(__file__).parents[1]
SECONDS = 60
TEXTS = ["excellent soup", "nobody liked the bread", "", "soup"]


@dataclass(frozen=True)
class Answer:
    """What the server said."""

    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def json(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.body)
        return value


@dataclass
class Serving:
    """A server process, and what it logged."""

    process: "subprocess.Popen[str]"
    log: list[dict[str, str]] = field(default_factory=list)

    @property
    def address(self) -> str:
        [line] = [line["message"] for line in self.log if "Listening" in line["message"]]
        return line.rpartition(" ")[2]

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    @property
    def text(self) -> str:
        return "\n".join(line["message"] for line in self.log)

    def ask(self, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """GET, or with `body` POST."""
        request = urllib.request.Request(self.address + path, body, headers)
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as answer:
                return Answer(answer.status, answer.read(), dict(answer.headers))
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.read(), dict(error.headers))

    def predict(self, **content: Any) -> Answer:
        return self.ask("/predict", json.dumps(content).encode())

    def version(self) -> str | None:
        """The version that answers; None: there is none."""
        answer = self.predict(texts=["soup"])
        return answer.json["version"] if answer.status == 200 else None

    def figure(self, name: str, **labels: str) -> float:
        """A figure of /metrics; 0: it is not there."""
        for line in self.ask("/metrics").body.decode().splitlines():
            match = re.fullmatch(rf"{name}(?:\{{(.*)\}})? (\S+)", line)
            if match and all(f'{label}="{value}"' in (match[1] or "") for label, value in labels.items()):
                return float(match[2])
        return 0.0

    def until(self, happened: Callable[[], object]) -> None:
        """Wait until something has happened."""
        deadline = time.monotonic() + SECONDS
        while not happened():
            assert self.process.poll() is None, self.text
            assert time.monotonic() < deadline, self.text
            time.sleep(0.02)

    def end(self) -> int:
        """Tell it to end; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(SECONDS)

    def listen(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            try:
                self.log.append(json.loads(line))
            except ValueError:
                self.log.append({"message": line})


@contextmanager
def serving(
    home: Home, model: str, *arguments: str, program: tuple[str, ...] = ("-m", "flows.cli"), **environment: str
) -> Iterator[Serving]:
    """`perennial serve MODEL ARGUMENTS` on a free port, once it listens."""
    settings = {"PERENNIAL_HOME": str(home.root), "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *program, "serve", model, "--port", "0", "--json", *arguments]
    process = subprocess.Popen(
        command, env=os.environ | settings | environment, stderr=subprocess.PIPE, text=True, cwd=home.root
    )
    server = Serving(process)
    reader = threading.Thread(target=server.listen)
    reader.start()
    try:
        server.until(lambda: "Listening" in server.text)
        yield server
    finally:
        process.kill()
        process.wait()
        reader.join()
        assert process.stderr
        process.stderr.close()


def tiny_spec(name: str = "tiny") -> PipelineSpec:
    return PipelineSpec.model_validate(
        {
            "name": name,
            "kind": "text-classification",
            "data": {"source": {"type": "file", "path": "data/*.jsonl"}, "labels": list(LABELS)},
            "gates": [{"metric": "accuracy", "min": 0.8}],
        }
    )


def promote(home: Home, key: str, against: str | None, name: str = "tiny") -> str:
    """A new champion; its package is another for another `key`, a letter. Its version."""
    run = make_run(home, tiny_spec(name), key * 64, bias=float(ord(key))).judged(Outcome.PROMOTE, against)
    registered = run.register()
    assert promoting.promote(home, registered, "A test.")
    return registered.version
