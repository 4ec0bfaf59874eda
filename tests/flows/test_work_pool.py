"""infra/prefect.yaml deploys to a work pool what `perennial schedule` serves, and workers run it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from place import REPOSITORY, Place
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.workers.process import ProcessWorker
from scheduling import Api, Worker, ended, until

from flows import deployments
from perennial.pipeline_file import loader

FILE = REPOSITORY / "infra" / "prefect.yaml"
SHIPPED = {
    path.parent.name: loader.read_pipeline(path) for path in sorted((REPOSITORY / "pipelines").glob("*/pipeline.yaml"))
}


def declared() -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in yaml.safe_load(FILE.read_text())["deployments"]}


def test_it_says_what_the_pipelines_say() -> None:
    wanted = {name: spec.schedule for name, spec in SHIPPED.items() if spec.schedule}
    assert declared().keys() == wanted.keys()
    for name, one in declared().items():
        (schedule,) = one["schedules"]
        assert (schedule["cron"], schedule["timezone"]) == (wanted[name].cron, wanted[name].timezone)
        assert schedule["parameters"] == {"kind": "schedule"}
        assert one["parameters"] == {"pipeline": name}


@dataclass
class PoolWorker(Worker):
    """`prefect worker start`, and the machine it is on."""

    def prefect(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "prefect", *arguments]

    def here(self) -> dict[str, str]:
        mine = {
            "PREFECT_HOME": str(self.place.folder / "prefect"),
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "PERENNIAL_CODE": str(self.place.folder),
            "PYTHONPATH": str(REPOSITORY),
            "DO_NOT_TRACK": "1",
        }
        return os.environ | self.place.environment() | mine

    def say(self, *arguments: str) -> None:
        said = subprocess.run(
            self.prefect(*arguments), cwd=self.place.folder, env=self.here(), capture_output=True, text=True
        )
        assert said.returncode == 0, said.stdout + said.stderr

    def start(self) -> None:
        command = self.prefect("worker", "start", "--pool", "perennial")
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=self.place.folder, env=self.here(), stdout=log, stderr=log, start_new_session=True
            )


@pytest.fixture
def worker(make_place) -> Iterator[PoolWorker]:
    # A folder as workers have it, where a shipped pipeline's name stands for a small one.
    made: Place = make_place(name="sentiment")
    (made.folder / "flows").symlink_to(REPOSITORY / "flows")
    (made.folder / "pipelines" / "tiny").rename(made.folder / "pipelines" / "sentiment")
    worker = PoolWorker(made)
    try:
        yield worker
    finally:
        # Prefect's worker may hang when it is asked to end while a run of its ends.
        worker.kill()


@pytest.mark.soak(twin="tests/flows/test_work_pool.py::test_a_worker_runs_what_is_deployed")
def test_a_worker_runs_what_the_clock_starts(worker: PoolWorker, prefect_api: str) -> None:
    worker.say("work-pool", "create", "perennial", "--type", "process", "--overwrite")
    worker.say("work-pool", "update", "perennial", "--concurrency-limit", "2")
    deploy(worker)
    assert_taken(prefect_api, worker.place.folder)
    api = Api(prefect_api)
    tick_every_minute(api, "sentiment")
    worker.start()
    run = until(lambda: begun_by_the_clock(api, "sentiment"), worker)[0]
    assert_promoted(worker, api, run["id"], "schedule")


def test_a_worker_runs_what_is_deployed(worker: PoolWorker, prefect_api: str) -> None:
    api = Api(prefect_api)
    pool = {"name": "perennial", "type": "process", "base_job_template": ProcessWorker.get_default_base_job_template()}
    if not api.post("/work_pools/filter", {}):
        api.post("/work_pools/", pool | {"concurrency_limit": 2})
    deploy(worker)
    assert_taken(prefect_api, worker.place.folder)
    run = api.trigger("sentiment", kind="schedule")
    worker.start()
    assert_promoted(worker, api, run, "schedule")


def deploy(worker: PoolWorker) -> None:
    worker.say("--no-prompt", "deploy", "--all", "--prefect-file", str(FILE))


def assert_promoted(worker: PoolWorker, api: Api, run: str, kind: str) -> None:
    assert ended(api, run, worker, 240)[0] == "Promoted"
    remembered = worker.place.command("runs", "sentiment", "--json").json["runs"][-1]
    assert (remembered["status"], remembered["trigger"]["kind"]) == ("promoted", kind)


def tick_every_minute(api: Api, pipeline: str) -> None:
    """Nobody waits for the night."""
    deployment = api.deployment(pipeline)
    (schedule,) = deployment["schedules"]
    # What is not given is reset.
    every_minute = {"schedule": {"cron": "* * * * *", "timezone": "UTC"}, "parameters": schedule["parameters"]}
    api.patch(f"/deployments/{deployment['id']}/schedules/{schedule['id']}", every_minute)


def begun_by_the_clock(api: Api, pipeline: str) -> list[dict[str, Any]]:
    """The runs that the server's scheduler made and a worker has begun, oldest first."""
    return [run for run in api.runs(pipeline) if run["auto_scheduled"] and run["start_time"]]


def assert_taken(prefect_api: str, code: Path) -> None:
    with temporary_settings({PREFECT_API_URL: prefect_api}), get_client(sync_client=True) as client:
        assert client.read_work_pool("perennial").concurrency_limit == 2
        for name, one in declared().items():
            made = deployments.find_deployment(client, name)
            assert made is not None
            assert (made.work_pool_name, made.entrypoint) == ("perennial", "flows/scheduled.py:scheduled")
            assert made.pull_steps == [{"prefect.deployments.steps.set_working_directory": {"directory": str(code)}}]
            assert [(str(it.schedule.cron), it.parameters) for it in made.schedules] == [
                (one["schedules"][0]["cron"], {"kind": "schedule"})
            ]
