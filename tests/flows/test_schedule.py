"""`perennial schedule`: what it lists, pauses and refuses, and what starts a run when it serves."""

import json
import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import tiny_pipeline
import yaml
from place import REPOSITORY, Place, assert_explained
from scheduling import Api, Worker, ended, until

from perennial.ingest import snapshot_heads

NIGHTLY = {"cron": "0 3 * * *", "timezone": "Europe/Berlin"}
WATCHED = {"cron": "0 3 * * *", "watch": True, "watch_seconds": 0.5, "settle_seconds": 2, "min_new_rows": 50}
GUIDE = REPOSITORY / "docs" / "scheduling.md"


def test_it_lists_what_runs_when(make_place) -> None:
    made = make_place(name="listed", schedule=NIGHTLY)
    said = made.command("schedule", "--list", "--json")
    assert said.code == 0, said.text
    (one,) = said.json["schedules"]
    assert (one["pipeline"], one["cron"], one["state"]) == ("listed", "0 3 * * *", "not served")
    ticks = [datetime.fromisoformat(tick) for tick in one["next"]]
    assert [(tick.hour, tick.minute) for tick in ticks] == [(3, 0)] * 3
    assert ticks == sorted(set(ticks))
    assert "Europe/Berlin" in made.command("schedule", "--list").text


def test_a_pipeline_without_a_schedule_is_told_what_to_write(make_place) -> None:
    made = make_place()
    for arguments in (("schedule",), ("schedule", "tiny", "--list")):
        ended = made.command(*arguments)
        assert_explained(ended, 2, "tiny has no schedule.", "pipeline.yaml", 'cron: "0 3 * * *"')
    text = made.command("schedule").error.split("pipeline.yaml:")[1]
    assert yaml.safe_load(text)["schedule"]["cron"] == "0 3 * * *"


def test_what_can_not_be_is_refused(make_place) -> None:
    made = make_place(name="refused", schedule=NIGHTLY)
    assert_explained(made.command("schedule", "--list", "--pause"), 2, "--list and --pause exclude each other")
    assert_explained(made.command("schedule", "--pause"), 2, "refused is not served by the Prefect server at")
    assert_explained(made.command("schedule", "nothing"), 2, "There is no pipeline 'nothing'")


@pytest.mark.parametrize(
    ("cron", "reason"),
    {
        "0 3 31 2 *": "schedule.cron: cron '0 3 31 2 *' never comes: there is no 31 Feb (seen: '0 3 31 2 *')",
        "*/90 * * * *": "a step of 90 goes beyond 0 to 59",
        "0 0 3 * * *": "cron has 6 fields; it needs five",
    }.items(),
)
def test_a_cron_that_can_not_be_is_refused_with_its_line_and_the_others_are_listed(
    make_place, tiny_base: Path, cron: str, reason: str
) -> None:
    made: Place = make_place(name="good", schedule=NIGHTLY)
    bad = made.folder / "pipelines" / "bad"
    tiny_pipeline.write_pipeline(bad, tiny_base, name="bad", schedule={"cron": cron})
    lines = (bad / "pipeline.yaml").read_text().splitlines()
    where = f"pipelines/bad/pipeline.yaml:{1 + next(place for place, line in enumerate(lines) if 'cron' in line)}"
    for arguments in (("run", "bad"), ("schedule",), ("schedule", "bad", "--list")):
        assert_explained(made.command(*arguments), 2, where, reason)
    said = made.command("schedule", "--list")
    assert_explained(said, 2, "good 0 3 * * * Europe/Berlin", where, reason)
    said = made.command("schedule", "--list", "--json")
    assert said.code == 2
    assert [one["pipeline"] for one in said.json["schedules"]] == ["good"]
    assert where in said.json["invalid"][0]


def as_documented(word: str, api: Api, pipeline: str = "watched") -> str:
    """What the shell lines of the guide that hold `word` print, asked of `api` and about `pipeline`."""
    (lines,) = [lines for lines in re.findall(r"```sh\n(.*?)```", GUIDE.read_text(), re.DOTALL) if word in lines]
    lines = re.sub(r"export PREFECT_API_URL=.*", "", lines).replace("sentiment", pipeline)
    environment = os.environ | {"PREFECT_API_URL": api.address}
    said = subprocess.run(["sh", "-euc", lines], env=environment, capture_output=True, text=True, timeout=120)
    assert said.returncode == 0, said.stderr
    return said.stdout


@pytest.fixture
def worker(make_place) -> Iterator[Worker]:
    # In the folder `tiny`, by which commands know it.
    made: Place = make_place(name="watched", training__epochs=2, schedule=WATCHED)
    worker = Worker(made)
    worker.start()
    try:
        yield worker
    finally:
        worker.stop()


@pytest.mark.soak(twin="tests/flows/test_schedule.py::test_two_pipelines_on_one_worker_do_not_disturb_one_another")
def test_files_and_events_start_runs_many_are_one_and_none_when_paused(worker: Worker) -> None:
    place = worker.place
    api = Api(str(place.prefect_api))
    first = until(lambda: api.runs("watched"), worker)
    assert ended(api, first[0]["id"], worker)[0] == "Promoted"
    assert first[0]["parameters"]["detail"] == "data/first.jsonl came"

    for name in "abc":
        tiny_pipeline.write_jsonl(place.data / f"{name}.jsonl", tiny_pipeline.rows(30, ord(name) * 1000))
    files = until(lambda: api.runs("watched")[1:], worker)
    assert ended(api, files[0]["id"], worker)[0] == "Promoted"
    assert files[0]["parameters"]["detail"] == "data/a.jsonl, data/b.jsonl, data/c.jsonl came"

    for _ in range(3):
        as_documented("perennial.data-landed", api)
    events = until(lambda: api.runs("watched")[2:], worker)
    assert ended(api, events[0]["id"], worker) == ("Skipped", "Already trained: version 2 (promoted).")
    assert events[0]["parameters"]["detail"] == "the nightly export"

    paused = place.command("schedule", "--pause", "tiny", "--json")
    assert paused.code == 0, paused.text
    assert paused.json["schedules"][0]["state"] == "paused"
    # It stays so over a restart.
    worker.stop()
    worker.start()
    tiny_pipeline.write_jsonl(place.data / "d.jsonl", tiny_pipeline.rows(30, 9000))
    paused = json.loads(as_documented("create_flow_run", api))["id"]
    assert ended(api, paused, worker) == ("Skipped", "watched is paused.")
    assert len(api.runs("watched")) == 4
    assert place.command("schedule", "--resume", "tiny", "--json").json["schedules"][0]["state"] == "served"
    after = until(lambda: api.runs("watched")[4:], worker)
    assert ended(api, after[0]["id"], worker)[1].startswith("Too few: 30 rows are new")
    assert after[0]["parameters"]["detail"] == "data/d.jsonl came"

    runs = place.command("runs", "tiny", "--json").json["runs"]
    assert {run["trigger"]["kind"] for run in runs} == {"data"}
    assert [run["status"] for run in reversed(runs)] == ["promoted", "promoted", "skipped", "skipped", "skipped"]
    assert runs[1]["sentence"] == "watched is paused."


@pytest.mark.long
@pytest.mark.soak(twin="tests/flows/test_schedule.py::test_two_pipelines_on_one_worker_do_not_disturb_one_another")
def test_ten_pipelines_on_one_worker_do_not_disturb_one_another(make_place, tiny_base: Path) -> None:
    place: Place = make_place()
    names = [f"ten{number}" for number in range(10)]
    with serving(place, tiny_base, names, at_once=3, schedule={"cron": "0 3 * * *"}) as (worker, api):
        runs = {name: api.trigger(name, kind="schedule") for name in names}
        states = {name: ended(api, run, worker, 400) for name, run in runs.items()}
    assert_undisturbed(place, states)


@pytest.mark.long
def test_two_pipelines_on_one_worker_do_not_disturb_one_another(make_place, tiny_base: Path) -> None:
    """And files start runs, and events as documented, and none starts of a pipeline that is paused."""
    place: Place = make_place()
    names = ["two0", "two1"]
    with serving(place, tiny_base, names, at_once=2, schedule=WATCHED) as (worker, api):
        runs = {name: until(lambda name=name: api.runs(name), worker)[0] for name in names}
        states = {name: ended(api, run["id"], worker) for name, run in runs.items()}
        assert {run["parameters"]["detail"] for run in runs.values()} == {"data/first.jsonl came"}
        assert place.command("schedule", "--pause", "two0", "--json").json["schedules"][0]["state"] == "paused"
        paused = api.trigger("two0", kind="schedule")
        assert ended(api, paused, worker) == ("Skipped", "two0 is paused.")
        as_documented("perennial.data-landed", api, "two1")
        event = until(lambda: api.runs("two1")[1:], worker)[0]
        assert event["parameters"]["detail"] == "the nightly export"
        assert ended(api, event["id"], worker) == ("Skipped", "Already trained: version 1 (promoted).")
        until(lambda: [run for run in api.runs("two1", planned=True) if run["auto_scheduled"]], worker)
    assert_undisturbed(place, states, skipped=1)


@contextmanager
def serving(
    place: Place, base: Path, names: Sequence[str], at_once: int, schedule: dict[str, Any]
) -> Iterator[tuple[Worker, Api]]:
    """A worker that serves pipelines with these names, which differ in their number of rows."""
    for number, name in enumerate(names):
        tiny_pipeline.write_pipeline(
            place.folder / "pipelines" / name,
            base,
            tiny_pipeline.rows(150 + number, 10_000 * (number + 1)),
            name=name,
            schedule=schedule,
            training__epochs=2,
            gates=[{"metric": "accuracy", "min": 0.1}],
        )
    worker = Worker(place, arguments=(*names, "--at-once", str(at_once)))
    worker.start()
    api = Api(str(place.prefect_api))
    try:
        until(lambda: [api.deployment(name) for name in names], worker)
        yield worker, api
    finally:
        worker.stop()


def assert_undisturbed(place: Place, states: dict[str, tuple[str, str]], skipped: int = 0) -> None:
    """Each pipeline has a champion of its own, made of its own rows, and a history of its own.

    Each has `skipped` runs more, which did nothing.
    """
    assert {name: state[0] for name, state in states.items()} == dict.fromkeys(states, "Promoted"), states
    heads = sorted(snapshot_heads.every_head(place.home), key=lambda head: head.rows)
    assert len(heads) == len(states)
    for number, name in enumerate(states):
        ledger = place.command("history", name, "--json").json
        assert [(event["action"], event["to_version"]) for event in ledger["events"]] == [("promote", "1")]
        *later, run = place.command("runs", name, "--json").json["runs"]
        assert [one["status"] for one in later] == ["skipped"] * skipped
        assert (run["pipeline"], run["version"], run["status"]) == (name, "1", "promoted")
        assert heads[number].rows == 150 + number
