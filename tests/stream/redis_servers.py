"""A real Redis server of the test's own, on a free port of the loopback."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from pathlib import Path

import redis

NAMES = ("redis-server", "valkey-server", "redis-check-rdb")
"""Debian's package redis-tools has the server itself under the last name, without one that is started."""
MISSING = "Install Redis (Debian, Ubuntu: `apt-get install redis-tools`, as `make tools` does) and run the tests again."
PATIENCE = 30


class RedisServer:
    """A server that can be killed and started again; it keeps its data, as far as a kill leaves it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> redis.Redis:
        """A client of the server once it answers."""
        program = next((path for name in NAMES if (path := shutil.which(name))), None)
        assert program, MISSING
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)]
        options = ["--save", "", "--appendonly", "yes", "--appendfsync", "always", "--logfile", "redis.log"]
        self.process = subprocess.Popen([*command, *options], executable=program)
        client = redis.Redis.from_url(self.url)
        ends = time.monotonic() + PATIENCE
        while not _answers(client):
            assert time.monotonic() < ends, (self.folder / "redis.log").read_text()
            time.sleep(0.05)
        return client

    def kill(self) -> None:
        """As if its machine lost power."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
