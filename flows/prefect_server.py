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
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Protocol

from perennial.core.errors import PerennialError
from perennial.core.home import Home
from perennial.core.masking import mask_secrets
from perennial.core.store import write_atomically
from perennial.scheduling import prefect_api
from perennial.scheduling.prefect_api import ADDRESS, API_URL, LOG, running_server

SERVING = "--serving"
DATABASE = "prefect.db"
DATABASE_URLS = ("PREFECT_SERVER_DATABASE_CONNECTION_URL", "PREFECT_API_DATABASE_CONNECTION_URL")
"""Settings that put the database elsewhere."""
PORT = 4200
"""Prefect's own; webhooks need one that stays."""
SECONDS_TO_START = 180
SECONDS_TO_END = 5


class Meanwhile(Protocol):
    """What can be done while the server starts."""

    def __call__(self, *, all_of_it: bool) -> None:
        """Do it; `all_of_it`: there is time for more."""


class PrefectError(PerennialError):
    """The embedded Prefect server did not start or ended too early, or the one that is named can't be used."""


def embed(home: Home, *, serving: bool = False, meanwhile: Meanwhile | None = None) -> "subprocess.Popen[str] | None":
    """Start a Prefect server, its database under `home`, for the rest of this process; none if PREFECT_API_URL is set.

    `serving`: with its page, its scheduler and its automations, on port 4200 if that is free, and with its errors in
    `home.prefect`; others find it by `running_server`. `meanwhile`: what to do while it starts, which takes seconds,
    and many on a new home, where it makes its database; it may import Prefect, for whose settings the address is known
    by then. Called before Prefect is imported: it reads its settings then, and what it says last, when the process
    ends, must still be heard. Returns the server's process; None: another one is used. Raises PrefectError if the
    server does not start, or the one that is named does not answer.
    """
    if address := os.environ.get(API_URL):
        _check(address)
        return None
    new = not _has_database(home)
    with _server_socket(PORT if serving else 0) as server_socket:
        os.environ[API_URL] = _api(server_socket)
        # In a session of its own: a Ctrl-C in the terminal is for the run, which still has its end to tell the server.
        server = subprocess.Popen(
            [sys.executable, "-m", "flows.prefect_server", str(server_socket.fileno()), *_serving(home, serving)],
            pass_fds=[server_socket.fileno()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
    atexit.register(_end, server)
    if meanwhile is not None:
        meanwhile(all_of_it=new)
    try:
        _wait(server, home)
    except PrefectError:
        del os.environ[API_URL]
        raise
    if serving:
        path = home.prefect / ADDRESS
        write_atomically(path, os.environ[API_URL] + "\n")
        atexit.register(_forget, path, os.environ[API_URL])
    return server


def _check(address: str) -> None:
    fault = prefect_api.fault_of(address)
    if fault:
        raise PrefectError(
            f"Prefect at {mask_secrets(address)} can't be used: {fault}. The champion is as it was.",
            remedy=f"Start that server, correct {API_URL}, or unset it to use the embedded one; then run the same "
            "command again.",
        )


def _forget(path: Path, address: str) -> None:
    # Only its own: another one may have begun to serve meanwhile.
    with suppress(OSError):
        if path.read_text(encoding="utf-8").strip() == address:
            path.unlink()


def ended(server: "subprocess.Popen[str]", home: Home) -> PrefectError:
    """That the server which serves schedules has ended, in words."""
    return PrefectError(
        f"Prefect's embedded server, which makes the scheduled runs, has ended (exit code {server.wait()}). The "
        "champion is as it was, and a run that was at work is gone on with after the next start.",
        remedy=f"Start `perennial schedule` again: ticks that were missed are one run. If it ends again, see "
        f"{home.prefect / LOG}.",
    )


def _serving(home: Home, serving: bool) -> list[str]:
    return [SERVING, str(home.prefect / LOG)] if serving else []


def _has_database(home: Home) -> bool:
    if any(os.environ.get(name) for name in DATABASE_URLS):
        return True
    return (Path(os.environ.get("PREFECT_HOME", home.prefect)) / DATABASE).is_file()


def join(home: Home) -> None:
    """Speak to the server that serves schedules on `home`, or else to one as `embed` starts it."""
    if not os.environ.get(API_URL) and (address := running_server(home)):
        os.environ[API_URL] = address
    embed(home)


def _end(server: subprocess.Popen[str]) -> None:
    server.terminate()
    try:
        server.wait(SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _wait(server: subprocess.Popen[str], home: Home) -> None:
    # An empty line, or none, comes when the server has ended: by itself, or because it was too slow.
    deadline = threading.Timer(SECONDS_TO_START, server.kill)
    deadline.start()
    line = server.stdout.readline().strip() if server.stdout else ""
    deadline.cancel()
    if not line:
        raise PrefectError(
            f"Prefect's embedded server ended before it had started (exit code {server.wait()}). The champion is as "
            "it was.",
            remedy=f"Look at what it said above; if its database {home.prefect / DATABASE} is damaged, move it "
            "away. Or set PREFECT_API_URL to a server of your own. Then run the same command again.",
        )


def main() -> None:
    """Serve Prefect's API on the socket whose number is given, say when it does, and end when standard input does."""
    log = Path(sys.argv[3]) if SERVING in sys.argv[2:] else None
    threading.Thread(target=_end_with, args=(sys.stdin,), daemon=True).start()
    with socket.socket(fileno=int(sys.argv[1])) as server_socket:
        # The page in the browser asks the API by this address.
        os.environ.setdefault("PREFECT_UI_API_URL", _api(server_socket))
        _serve(server_socket, log)


def _serve(server_socket: socket.socket, log: Path | None) -> None:
    """`log`: where the errors of a server that serves schedules go."""
    import uvicorn
    from prefect.server.api.server import create_app

    from flows import server_log

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if log is not None:
                # Prefect sets up logging anew until here.
                server_log.keep(log)
            if self.started:
                print("started", flush=True)  # noqa: T201 - the parent reads it

    def make() -> Any:
        return create_app(ephemeral=log is None, final=True)

    Server(uvicorn.Config(make, factory=True, log_level="critical", lifespan="on")).run(sockets=[server_socket])


def _api(server_socket: socket.socket) -> str:
    return f"http://127.0.0.1:{server_socket.getsockname()[1]}/api"


def _server_socket(port: int) -> socket.socket:
    """A socket that listens on `port`, or where that is taken on another one."""
    server_socket = socket.socket()
    # Else a server that ended a moment ago would keep the port for a minute.
    server_socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        server_socket.bind(("127.0.0.1", port))
        # At once: two that are only bound can have the same port, and the second server then fails at its start.
        server_socket.listen()
    except OSError:
        server_socket.close()
        if not port:
            raise
        return _server_socket(0)
    return server_socket


def _end_with(parent: IO[str]) -> None:
    # The parent writes nothing; its death closes the pipe.
    parent.read()
    threading.Timer(SECONDS_TO_END, os._exit, (1,)).start()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
