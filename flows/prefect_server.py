"""The embedded Prefect server: a process of a run's own, which ends when the run does, however that ends.

Prefect can start one by itself, but that one outlives a run that is killed, and hears the Ctrl-C that is for the run.
"""

import atexit
import os
import signal
import socket
import subprocess
import sys
import threading
from typing import IO, Any

from perennial.errors import PerennialError
from perennial.home import Home

API_URL = "PREFECT_API_URL"
SECONDS_TO_START = 180
SECONDS_TO_END = 5


class PrefectError(PerennialError):
    """The embedded Prefect server did not start."""


def embed(home: Home) -> None:
    """Start a Prefect server, its database under `home`, for the rest of this process; none if PREFECT_API_URL is set.

    Called before Prefect is imported: it reads its settings then, and what it says last, when the process ends, must
    still be heard. Raises PrefectError if the server does not start.
    """
    if os.environ.get(API_URL):
        return
    # In a session of its own: a Ctrl-C in the terminal is for the run, which still has its end to tell the server.
    server = subprocess.Popen(
        [sys.executable, "-m", "flows.prefect_server"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    atexit.register(_end, server)
    os.environ[API_URL] = _address(server, home)


def _end(server: subprocess.Popen[str]) -> None:
    server.terminate()
    try:
        server.wait(SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _address(server: subprocess.Popen[str], home: Home) -> str:
    # An empty line, or none, comes when the server has ended: by itself, or because it was too slow.
    deadline = threading.Timer(SECONDS_TO_START, server.kill)
    deadline.start()
    line = server.stdout.readline().strip() if server.stdout else ""
    deadline.cancel()
    if not line:
        raise PrefectError(
            f"Prefect's embedded server ended before it had started (exit code {server.wait()}). The champion is as "
            "it was.",
            remedy=f"Look at what it said above; if its database {home.prefect / 'prefect.db'} is damaged, move it "
            "away. Or set PREFECT_API_URL to a server of your own. Then run the same command again.",
        )
    return line


def main() -> None:
    """Serve Prefect's API on a free port of the loopback, print its address, and end when standard input does."""
    import uvicorn
    from prefect.server.api.server import create_app

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                print(f"http://127.0.0.1:{port}/api", flush=True)  # noqa: T201 - the parent reads it

    def make() -> Any:
        return create_app(ephemeral=True, final=True)

    threading.Thread(target=_end_with, args=(sys.stdin,), daemon=True).start()
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        Server(uvicorn.Config(make, factory=True, log_level="critical", lifespan="on")).run(sockets=[listening])


def _end_with(parent: IO[str]) -> None:
    # The parent writes nothing; its death closes the pipe.
    parent.read()
    threading.Timer(SECONDS_TO_END, os._exit, (1,)).start()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
