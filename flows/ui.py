"""Serving the pages of the embedded MLflow and Prefect on this machine, until Ctrl-C."""

import os
import subprocess
import sys
import time
from pathlib import Path

import typer

from flows import environment
from flows.failures import reported
from perennial.core.home import Home
from perennial.core.masking import mask_secrets
from perennial.scheduling import prefect_api

HOST = "127.0.0.1"
MLFLOW_PORT = 5000
PREFECT_PORT = 4200


def main() -> None:
    """Start what is not configured to run elsewhere, say where each page is, and wait."""
    typer.run(_serve)


def _serve() -> None:
    with reported(as_json=False):
        _wait(*_start_servers())


def _start_servers() -> tuple[list[subprocess.Popen[bytes]], str, str]:
    home = Home.from_environment()
    environment.prepare(home)
    from perennial.registry import tracking

    tracking.check_mlflow(home)
    servers = []
    mlflow_page = os.environ.get("MLFLOW_TRACKING_URI", "")
    if not mlflow_page.startswith("http"):
        servers.append(_start(_mlflow(), {"MLFLOW_BACKEND_STORE_URI": tracking.uri(home)}))
        mlflow_page = f"http://{HOST}:{MLFLOW_PORT}"
    # `perennial schedule` has a page of its own.
    prefect_page = (os.environ.get("PREFECT_API_URL") or prefect_api.running_server(home) or "").removesuffix("/api")
    if not prefect_page:
        servers.append(_start(_prefect(), {}))
        prefect_page = f"http://{HOST}:{PREFECT_PORT}"
    return servers, mask_secrets(mlflow_page), mask_secrets(prefect_page)


def _wait(servers: list[subprocess.Popen[bytes]], mlflow_page: str, prefect_page: str) -> None:
    print(f"MLflow   {mlflow_page}\nPrefect  {prefect_page}\nCtrl-C ends both.", flush=True)  # noqa: T201
    try:
        while all(server.poll() is None for server in servers):
            time.sleep(0.5)
        sys.exit("A server ended; is its port taken? Its own message is above.")
    except KeyboardInterrupt:
        pass
    finally:
        for server in servers:
            server.terminate()
        for server in servers:
            server.wait(timeout=20)


def _mlflow() -> list[str]:
    command = [sys.executable, "-m", "mlflow", "server"]
    return [*command, "--host", HOST, "--port", str(MLFLOW_PORT), "--workers", "1"]


def _prefect() -> list[str]:
    return [sys.executable, "-m", "prefect", "server", "start", "--host", HOST, "--port", str(PREFECT_PORT)]


def _start(command: list[str], settings: dict[str, str]) -> subprocess.Popen[bytes]:
    # By the environment, not the command line, which every user of the machine can read: a URL may hold a password.
    # From another folder: beside the repository's mlflow/ folder, `-m mlflow` must still mean the package.
    variables = {**os.environ, **settings}
    # In a session of its own: Ctrl-C is for us, who then end it in order.
    return subprocess.Popen(
        command, cwd=Path(sys.prefix), env=variables, stdout=subprocess.DEVNULL, start_new_session=True
    )


if __name__ == "__main__":
    main()
