"""A month of scheduled runs with a compressed clock, through all that can happen to a machine and its data.

Prefect's server, PostgreSQL (for Prefect and for the ledger) and the worker are real, each a process of its own. A
day's run is due when the day before has ended, instead of at three at night.
"""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import tiny_pipeline
from place import Place, is_training, prefect_server
from postgres_fixtures import Postgres
from scheduling import Api, Worker, ended, until

from perennial.registry import tags, tracking

PART = 130
"""Rows of a day that brings enough; a run needs 120."""
LIMITS = {"labels": 0.2, **dict.fromkeys(("answers", "scores", "length", "tokens", "domain"))}
SETTINGS: dict[str, Any] = {
    "training__epochs": 5,
    "training__checkpoint_seconds": 0.2,
    "schedule": {"cron": "0 3 * * *", "min_new_rows": 120},
    "triggers": {"window_rows": 100, "needed": 1, "of_last": 1, "reference_rows": 500, "limits": LIMITS},
}
GATES: list[dict[str, Any]] = [
    {"metric": "accuracy", "min": 0.6},
    {"metric": "accuracy", "versus": "champion", "margin": 0.3},
]
NOBODY_KNOWS: list[dict[str, Any]] = [{"metric": "accuracy", "min": 0.1, "min_n": 100_000}]
NOBODY_PASSES: list[dict[str, Any]] = [{"metric": "log_loss", "max": 0.0}]


class Month:
    """The days so far, and how each ended."""

    def __init__(self, place: Place, base: Path, worker: Worker, api: Api) -> None:
        self.place, self.base, self.worker, self.api = place, base, worker, api
        self.days: list[tuple[str, str]] = []
        self.killed: list[str] = []
        self.champion: str | None = None
        self.first_row = 1000

    def part(self, count: int = PART, labels: tuple[str, ...] = tiny_pipeline.LABELS, **cells: str) -> Path:
        """New rows come, with `cells` in each of them."""
        self.first_row += 1000
        some = [{**row, **cells} for row in tiny_pipeline.rows(count, self.first_row, labels)]
        return tiny_pipeline.write_jsonl(self.place.data / f"part-{self.first_row}.jsonl", some)

    def gates(self, gates: list[dict[str, Any]]) -> None:
        """Somebody changes the gates."""
        tiny_pipeline.write_settings(self.place.data.parent, self.base, **SETTINGS, gates=gates)

    def tick(self) -> str:
        """The next day's run becomes due."""
        return self.api.trigger("tiny", kind="schedule", detail=f"day {len(self.days) + len(self.killed) + 1}")

    def day(self, status: str, *words: str, run: str | None = None) -> None:
        """The next day, which ends so, and for that reason."""
        name, message = ended(self.api, run or self.tick(), self.worker)
        self.days.append((name, message))
        described = f"day {len(self.days) + len(self.killed)} ended as {name}: {message}"
        assert name == status, f"{described}\n{self.worker.log.read_text()}"
        for word in words:
            assert word in message, described
        if name == "Promoted":
            self.champion = re.findall(r"Version (\d+)\.$", message)[0]
        self.answers()

    def answers(self) -> None:
        """The champion answers, and it is the one that was promoted last."""
        answered = self.place.command("predict", "tiny", "record profit 7", **self.worker.environment)
        assert answered.code == 0, answered.text
        assert answered.lines[0]["label"] in tiny_pipeline.LABELS
        assert self.place.champion() == self.champion

    def killed_day(self, when: Callable[[], Any]) -> None:
        """The next day, on which the machine loses power `when`, and starts again an hour later by its leases."""
        run = self.tick()
        until(when, self.worker)
        self.worker.kill()
        self.killed.append(run)
        self.answers()
        ledger = sa.create_engine(self.worker.environment["PERENNIAL_DATABASE_URL"])
        with ledger.begin() as connection:
            connection.exec_driver_sql("UPDATE perennial_leases SET expires = expires - 3600 WHERE expires > 0")
        ledger.dispose()
        self.worker.start()

    def made(self, step: str) -> Callable[[], bool]:
        """Whether a step of today's run has ended."""
        before = len(self.place.entries(step))
        return lambda: len(self.place.entries(step)) > before


@contextmanager
def begun(place: Place, base: Path, empty_database: Path, ledger: str) -> Iterator[Month]:
    """The first morning: a pipeline with its first data, and a worker that serves it."""
    folder = place.folder / "pipelines" / "tiny"
    tiny_pipeline.write_pipeline(folder, base, tiny_pipeline.rows(240), **SETTINGS, gates=GATES)
    place.give_database(empty_database)
    worker = Worker(place, {"PERENNIAL_DATABASE_URL": ledger})
    worker.start()
    api = Api(str(place.prefect_api))
    try:
        until(lambda: api.deployment("tiny"), worker)
        yield Month(place, base, worker, api)
    finally:
        worker.kill()


@pytest.fixture
def month(
    postgres: Postgres, tiny_base: Path, empty_database: Path, tmp_path: Path, _quiet_environment: None
) -> Iterator[Month]:
    (tmp_path / "prefect").mkdir()
    kept_by = {"PREFECT_SERVER_DATABASE_CONNECTION_URL": postgres.url("prefect", "asyncpg")}
    with prefect_server(tmp_path / "prefect", **kept_by) as address:
        place = Place(tmp_path / "place", address)
        with begun(place, tiny_base, empty_database, postgres.url("ledger", "psycopg")) as made:
            yield made


@pytest.mark.long
@pytest.mark.soak(twin="tests/flows/test_work_pool.py::test_a_worker_runs_what_is_deployed")
def test_thirty_days(month: Month, postgres: Postgres) -> None:
    month.day("Promoted", "checks passed", "Version 1.")  # 1: the first data
    month.day("Skipped", "Already trained: version 1 (promoted).")  # 2: nothing came
    month.part(30)
    month.day("Skipped", "30 rows are new", "min_new_rows is 120")  # 3: too few
    month.part(100)
    run = month.tick()  # 4: enough, with those of the day before; the worker dies, its run does not
    until(lambda: is_training(month.place), month.worker)
    month.worker.kill_alone()
    month.worker.start()
    month.day("Promoted", "Version 2.", run=run)
    month.day("Skipped", "Already trained: version 2")  # 5

    bad = month.part(label="awful")
    month.day("Failed", "awful")  # 6: a label that nobody knows
    month.day("Failed", "awful")  # 7: and nobody looked
    bad.unlink()
    month.day("Skipped", "Already trained: version 2")  # 8: mended by taking it away

    month.part()
    month.killed_day(lambda: is_training(month.place))  # 9: in training
    month.day("Promoted", "Version 3.")  # 10: gone on with, though nothing new came
    month.day("Skipped", "Already trained: version 3")  # 11
    month.part(100, ("negative",))
    month.day("Promoted", "Version 4.")  # 12: too few for the schedule, but not like those before
    month.day("Skipped", "Already trained: version 4")  # 13
    month.part()
    month.killed_day(month.made("finetune"))  # 14: between training and registering
    month.day("Promoted", "Version 5.")  # 15
    month.day("Skipped", "Already trained: version 5")  # 16

    month.part()
    run = month.tick()  # 17: the database is away for a minute while a model is trained
    until(lambda: is_training(month.place), month.worker)
    postgres.stop()
    month.answers()
    time.sleep(60)
    postgres.start()
    month.day("Promoted", "Version 6.", run=run)
    month.day("Skipped", "Already trained: version 6")  # 18

    month.gates(NOBODY_KNOWS)
    month.day("Held", "100,000", "Version 7.")  # 19: the same model, judged by other gates
    month.day("Skipped", "Already trained: version 7 (held).")  # 20
    month.gates(NOBODY_PASSES)
    month.day("Rejected", "log_loss", "Version 8.")  # 21
    month.day("Skipped", "Already trained: version 8 (rejected).")  # 22
    month.gates(GATES)
    month.day("Skipped", "Already trained: version 6 (promoted).")  # 23

    month.worker.stop()
    month.part()
    missed = [month.tick() for _ in range(3)]  # 24 to 26: the worker is down
    month.answers()
    month.worker.start()
    month.day("Skipped", "Superseded", run=missed[0])
    month.day("Skipped", "Superseded", run=missed[1])
    month.day("Promoted", "Version 9.", run=missed[2])
    month.day("Skipped", "Already trained: version 9")  # 27
    month.part(30)
    month.day("Skipped", "30 rows are new")  # 28
    month.day("Skipped", "30 rows are new")  # 29
    month.part(100)
    month.day("Promoted", "Version 10.")  # 30

    assert len(month.days) + len(month.killed) == 30
    assert_story(month)


def assert_one_history(month: Month) -> None:
    """The ledger has the moves that the days told of."""
    ledger = month.place.command("history", "tiny", "--json", **month.worker.environment).json
    done = [(event["action"], event["to_version"]) for event in ledger["events"] if event["state"] == "done"]
    actions = {"Promoted": "promote", "Held": "hold", "Rejected": "reject"}
    versions = [
        (actions[name], message.rpartition("Version ")[2][:-1]) for name, message in month.days if name in actions
    ]
    assert done == versions


def assert_story(month: Month) -> None:
    """The ledger, the remembered runs and MLflow say what the days said; nothing was trained twice."""
    assert_one_history(month)
    runs = month.place.command("runs", "tiny", "--limit", "100", "--json", **month.worker.environment).json["runs"]
    told_apart = ("was killed", "Superseded")
    remembered = [run["status"] for run in reversed(runs) if not any(word in run["sentence"] for word in told_apart)]
    assert remembered == [name.lower() for name, message in month.days if "Superseded" not in message]
    assert [run["status"] for run in runs if "It stands for 2 that waited." in run["sentence"]] == ["skipped"]
    assert sum("was killed" in run["sentence"] for run in runs) == 2
    drifted = [run for run in runs if run["trigger"]["kind"] == "drift" and run["status"] != "failed"]
    assert [run["version"] for run in drifted] == ["4"]
    assert "labels shifted" in drifted[0]["trigger"]["detail"]

    with tracking.session(month.place.home) as client:
        registered = client.search_model_versions("name = 'tiny'")
        keys = [version.tags[tags.RUN_KEY] for version in registered]
        triggers = {str(version.version): version.tags[tags.TRIGGER] for version in registered}
        experiments = [one.experiment_id for one in client.search_experiments()]
        logged = [run.data.tags.get(tags.RUN_KEY) for run in client.search_runs(experiments)]
    assert len(registered) == 10
    assert len(set(keys)) == len(keys)
    assert sorted(key for key in logged if key) == sorted(keys)
    # Versions 7 and 8 are version 6's training, judged by other gates.
    assert len(month.place.entries("finetune")) == len(registered) - 2
    assert [version for version, kind in triggers.items() if kind == "drift"] == ["4"]
    assert [month.api.run(run)["state"]["name"] for run in month.killed] == ["Crashed", "Crashed"]
