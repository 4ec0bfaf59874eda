"""The clock itself starts runs, by a server's own scheduler, on SQLite and on PostgreSQL; where it fails, that is said.

All the servers of this file work side by side, for each waits for a tick.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import tiny_pipeline
from place import REPOSITORY, Place, prefect_server
from postgres_fixtures import own_postgres
from scheduling import Api, Worker, ended, until

from perennial.core.home import Home
from perennial.doctor import Health, HealthFinding, schedules
from perennial.runs import one_run
from perennial.scheduling.prefect_api import FLOW, LOG, running_server

EVERY_MINUTE = {"cron": "* * * * *"}
ERROR = "InvalidRequestError: Can't evaluate bulk DML statement; please supply a bulk_dml decorated function"
PLANT = '''
import importlib.util, os, sys


class Plant:
    """Makes Prefect's scheduler fail where it writes down its runs, as with SQLAlchemy 2.1, while a file is there."""

    def find_spec(self, name, path, target=None):
        if name != "prefect.server.models.deployments":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        run = spec.loader.exec_module

        def exec_module(module):
            run(module)
            insert = module._insert_scheduled_flow_runs

            async def failing(**arguments):
                from sqlalchemy.exc import InvalidRequestError

                if os.path.exists(os.environ["PLANTED"]):
                    raise InvalidRequestError(
                        "Can't evaluate bulk DML statement; please supply a bulk_dml decorated function"
                    )
                return await insert(**arguments)

            module._insert_scheduled_flow_runs = failing

        spec.loader.exec_module = exec_module
        return spec


sys.meta_path.insert(0, Plant())
'''


@dataclass
class Serving(Worker):
    """`perennial schedule` of one pipeline, tiny, and since when that was served."""

    since: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def api(self) -> Api:
        return Api(self.place.prefect_api or until(lambda: running_server(self.place.home), self))

    def wait(self) -> None:
        self.since = datetime.fromisoformat(until(lambda: self.api.deployment("tiny"), self)["created"])

    def first_tick(self) -> dict[str, Any]:
        """The first run that the server's scheduler made and somebody has started."""

        def begun() -> list[dict[str, Any]]:
            return [run for run in self.api.runs("tiny") if run["auto_scheduled"] and run["start_time"]]

        run: dict[str, Any] = until(begun, self)[0]
        return run


@dataclass(frozen=True)
class Side:
    """What this file's tests look at."""

    embedded: Serving
    on_postgres: Serving
    planted: Serving

    @property
    def plant(self) -> Path:
        return Path(self.planted.environment["PLANTED"])


@pytest.fixture(scope="module")
def side(tiny_base: Path, empty_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Side]:
    with ExitStack() as stack:
        clean = stack.enter_context(pytest.MonkeyPatch.context())
        for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "PERENNIAL_DATABASE_URL", "PREFECT_API_URL"):
            clean.delenv(name, raising=False)

        def start(name: str, api: str | None, *arguments: str, **environment: str) -> Serving:
            place = Place(tmp_path_factory.mktemp(name) / "place", api)
            folder = place.folder / "pipelines" / "tiny"
            tiny_pipeline.write_pipeline(folder, tiny_base, schedule=EVERY_MINUTE, training__epochs=2)
            place.give_database(empty_database)
            made = Serving(place, environment, arguments, talks=False)
            stack.callback(made.kill)
            made.start()
            return made

        plant = tmp_path_factory.mktemp("plant")
        (plant / "sitecustomize.py").write_text(PLANT)
        (plant / "here").touch()
        planted = {
            "PYTHONPATH": f"{plant}:{REPOSITORY}",
            "PLANTED": str(plant / "here"),
            "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "5",
        }
        postgres = stack.enter_context(own_postgres())
        database = {"PREFECT_SERVER_DATABASE_CONNECTION_URL": postgres.url("prefect", "asyncpg")}
        embedded = start("embedded", None)
        failing = start("failing", None, "--json", **planted)
        address = stack.enter_context(prefect_server(tmp_path_factory.mktemp("server"), **database))
        made = Side(embedded, start("postgres", address), failing)
        for serving in (made.embedded, made.on_postgres, made.planted):
            serving.wait()
        yield made


@pytest.mark.soak(twin="tests/flows/test_tick_watch.py::test_ticks_without_runs_are_told_once_until_they_have_some")
def test_a_scheduler_that_fails_is_told_until_it_works(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    log = side.planted.log
    # Two ticks.
    until(lambda: "Ticks pass without runs" in log.read_text(), side.planted, 120)
    assert_doctor_says_so(side, monkeypatch)
    assert side.planted.api.runs("tiny") == []

    side.plant.unlink()
    until(lambda: "The ticks of tiny have runs again." in log.read_text(), side.planted)
    assert side.planted.first_tick()["auto_scheduled"]

    said = " ".join(log.read_text().split())
    assert "! Ticks pass without runs: the next of tiny, " in said
    assert ERROR in said
    assert "`perennial run tiny` starts one" in said
    assert "Traceback" not in said
    assert said.count("Ticks pass without runs") == 1
    (answer,) = [line for line in log.read_text().splitlines() if line.startswith("{")]
    assert json.loads(answer)["status"] == "serving"


def assert_doctor_says_so(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    """And it names the pair of versions where that is installed."""
    monkeypatch.setattr(schedules, "NEW_SECONDS", 0)
    finding = look(side.planted, monkeypatch)
    assert finding.status is Health.PROBLEM
    assert "its next tick has no run" in finding.seen
    assert ERROR in finding.seen
    assert LOG in finding.remedy
    real, bad = metadata.version, {"SQLAlchemy": "2.1.9", "prefect": "3.8.8"}
    monkeypatch.setattr(metadata, "version", lambda name: bad.get(name) or real(name))
    finding = look(side.planted, monkeypatch)
    assert "prefect 3.8.8 with SQLAlchemy 2.1.9: scheduled runs are never made" in finding.seen
    assert "'SQLAlchemy<2.1'" in finding.remedy


def look(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> HealthFinding:
    monkeypatch.chdir(serving.place.folder)
    if serving.place.prefect_api:
        monkeypatch.setenv("PREFECT_API_URL", serving.place.prefect_api)
    (finding,) = schedules.schedules(serving.place.home)
    assert finding.name == "schedule tiny"
    return finding


@pytest.mark.soak(twin="tests/flows/test_schedule.py::test_two_pipelines_on_one_worker_do_not_disturb_one_another")
@pytest.mark.parametrize("which", ["embedded", "on_postgres"])
def test_the_clock_starts_a_run(side: Side, which: str, monkeypatch: pytest.MonkeyPatch) -> None:
    serving: Serving = getattr(side, which)
    run = serving.first_tick()
    assert run["created_by"]["type"] == "SCHEDULE"
    tick = datetime.fromisoformat(run["expected_start_time"])
    assert tick - serving.since < timedelta(seconds=90)
    assert ended(serving.api, run["id"], serving)[0] == "Promoted"
    remembered = serving.place.command("runs", "tiny", "--json").json["runs"][-1]
    assert (remembered["status"], remembered["trigger"]["kind"]) == ("promoted", "schedule")
    assert "Ticks pass" not in serving.log.read_text()
    finding = look(serving, monkeypatch)
    assert finding.status is Health.OK, finding
    assert "the next run is planned for" in finding.seen


def test_doctor_tells_schedules_apart(
    prefect_api: str, tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = Api(prefect_api)
    now = datetime.now(UTC)
    crons = {
        "rare": f"0 0 1 {(now.month + 5) % 12 + 1} *",
        "paused": "0 3 * * *",
        "late": "0 3 * * *",
        "new": "0 3 * * *",
    }
    for name, cron in crons.items():
        tiny_pipeline.write_pipeline(tmp_path / "pipelines" / name, tiny_base, name=name, schedule={"cron": cron})
    flow = api.post("/flows/", {"name": FLOW})["id"]
    for name in ("rare", "paused", "late"):
        schedule = {"active": name != "late", "schedule": {"cron": crons[name], "timezone": "UTC"}}
        made = {"name": name, "flow_id": flow, "paused": name == "paused", "schedules": [schedule]}
        api.post("/deployments/", made)
    late = api.deployment("late")["id"]
    due = {"type": "SCHEDULED", "state_details": {"scheduled_time": (now - timedelta(hours=2)).isoformat()}}
    api.post(f"/deployments/{late}/create_flow_run", {"state": due})
    api.patch(f"/deployments/{late}/schedules/{api.deployment('late')['schedules'][0]['id']}", {"active": True})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PREFECT_API_URL", api.address)
    monkeypatch.setattr(one_run, "at_work", lambda _: [])
    by_name = {finding.name.split()[-1]: finding for finding in schedules.schedules(Home(tmp_path / "home"))}
    assert {name: (finding.status, finding.seen.split(",")[0].split(";")[0]) for name, finding in by_name.items()} == {
        "rare": (Health.OK, "served"),
        "paused": (Health.OK, "paused"),
        "late": (Health.PROBLEM, f"a run waits since {now - timedelta(hours=2):%Y-%m-%d %H:%M} UTC"),
        "new": (Health.WARNING, f"not served by the Prefect server at {api.address}"),
    }
    assert "more than 100 days away" in by_name["rare"].seen
