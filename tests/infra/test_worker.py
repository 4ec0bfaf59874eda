"""What compose.yaml starts, as processes: databases, Prefect's server, the work pool, the worker, and a run."""

import asyncio
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psycopg
import pytest
import tiny_pipeline
from conftest import Databases
from infra_files import APP, INFRA, REPOSITORY, command
from place import Place, free_port, prefect_server
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings
from tracking_server import tools

PATIENCE = 240


def as_here(service: str) -> list[str]:
    """The command of a compose service, with the programs and files of this machine."""
    words = [word.replace(APP, str(REPOSITORY)) for word in command(service)]
    assert words[0] == "prefect"
    return [str(INFRA / "with-secrets.sh"), sys.executable, "-m", *words]


@contextmanager
def worker(environment: dict[str, str], log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            as_here("worker"), env=environment, cwd=log.parent, stdout=output, stderr=output, start_new_session=True
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)


async def deploy_and_run(place: Place) -> Any:
    """A deployment of `retrain` to the pool, and its run, which a worker may now take."""
    from prefect.deployments import run_deployment
    from prefect.flows import EntrypointType

    from flows.retrain import retrain

    deployment = await retrain.ato_deployment(
        name="tiny",
        parameters={"pipeline": "tiny"},
        work_pool_name="perennial",
        job_variables={"working_dir": str(place.folder)},
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    return await run_deployment(await deployment.apply(), timeout=0)


async def ended(run: Any, process: "subprocess.Popen[bytes]", log: Path) -> Any:
    """The run's last state."""
    deadline = time.monotonic() + PATIENCE
    async with get_client() as client:
        while True:
            state = (await client.read_flow_run(run.id)).state
            if state.is_final():
                return state
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            await asyncio.sleep(0.3)


@pytest.fixture
def place(tiny_base: Path, empty_database: Path, tmp_path: Path, _quiet_environment: None) -> Place:
    """A working folder with a pipeline, and no Prefect server but the test's own."""
    made = Place(tmp_path / "place", None)
    tiny_pipeline.write_pipeline(made.folder / "pipelines" / "tiny", tiny_base)
    made.give_database(empty_database)
    return made


@pytest.mark.soak(twin="tests/flows/test_work_pool.py::test_a_worker_runs_what_is_deployed")
def test_a_worker_on_postgresql_makes_a_champion(databases: Databases, place: Place, tmp_path: Path) -> None:
    auth = (databases.secrets / "prefect-auth").read_text(encoding="utf-8")
    served = {
        "PREFECT_API_DATABASE_CONNECTION_URL": databases.url("prefect", "prefect", "asyncpg"),
        "PREFECT_SERVER_API_AUTH_STRING": auth,
    }
    (tmp_path / "server").mkdir()
    with patch.dict(os.environ, served), prefect_server(tmp_path / "server") as api:
        assert refused(api)
        client = os.environ | {
            "PYTHONPATH": str(REPOSITORY),
            "PREFECT_HOME": str(tmp_path / "worker"),
            "PREFECT_API_URL": api,
            "PREFECT_API_AUTH_STRING_FILE": str(databases.secrets / "prefect-auth"),
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "PREFECT_WORKER_WEBSERVER_PORT": str(free_port()),
            "PERENNIAL_HOME": str(place.home.root),
            "PERENNIAL_DATABASE_URL": databases.url("perennial", "perennial"),
            "OMP_NUM_THREADS": "1",
        }
        for name in served:
            client.pop(name)
        subprocess.run(as_here("work-pool"), env=client, check=True, capture_output=True, timeout=PATIENCE)
        settings = {PREFECT_API_URL: api, PREFECT_API_AUTH_STRING: auth}
        log = tmp_path / "worker.log"
        with temporary_settings(settings), worker(client, log) as process:
            run = asyncio.run(deploy_and_run(place))
            state = asyncio.run(ended(run, process, log))
            assert state.is_completed(), log.read_text()
            health = f"http://127.0.0.1:{client['PREFECT_WORKER_WEBSERVER_PORT']}/health"
            with urllib.request.urlopen(health, timeout=120) as answer:
                assert answer.status == 200
    assert place.champion() == "1"
    assert promotions(databases) == [("tiny", "1")]
    assert runs_in_prefect(databases) == 1
    assert "perennial_ledger" in dump_as_mlflow(databases)


def refused(api: str) -> bool:
    """Whether the server answers nobody who is unknown to it."""
    try:
        urllib.request.urlopen(f"{api}/admin/version", timeout=120)
    except urllib.error.HTTPError as error:
        return error.code == 401
    return False


def promotions(databases: Databases) -> list[tuple[str, str]]:
    with psycopg.connect(databases.url("perennial", "perennial").replace("+psycopg", "")) as ledger:
        return ledger.execute(
            "SELECT model, to_version FROM perennial_ledger WHERE action = 'promote' AND state = 'done'"
        ).fetchall()


def runs_in_prefect(databases: Databases) -> int:
    with psycopg.connect(databases.url("prefect", "prefect").replace("+psycopg", "")) as prefect:
        (count,) = prefect.execute("SELECT count(*) FROM flow_run WHERE state_type = 'COMPLETED'").fetchone() or (0,)
        return int(count)


def dump_as_mlflow(databases: Databases) -> str:
    """What a backup reads of the ledger."""
    address = databases.url("perennial", "mlflow").replace("+psycopg", "")
    done = subprocess.run(
        ["pg_dump", "--dbname", address], env=os.environ | {"PATH": tools()}, capture_output=True, text=True, check=True
    )
    return done.stdout
