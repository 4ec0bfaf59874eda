"""`perennial monitor` over a pipeline with a champion: live texts read, answered, kept, looked at; and its schedule."""

import re
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import tiny_pipeline
import yaml
from place import Place, assert_explained
from place_fixtures import MakePlace
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings
from scheduling import Api, Worker, ended, until
from tiny_model import tiny_spec

from flows import run_overlap
from flows.live import retraining_request
from perennial.core.errors import SpecError
from perennial.core.home import Home
from perennial.records.run import Trigger
from perennial.runs import log
from perennial.runs.log import RunEntry
from perennial.stream.answering import load_champions
from perennial.stream.store import StreamStore

MONITOR: dict[str, Any] = {
    "source": {"type": "file", "path": "live/*.jsonl"},
    "columns": {"time": "published_at", "source": "sector", "kept": ["sector"]},
}


def watch(place: Place, base: Path, **changes: Any) -> None:
    tiny_pipeline.write_settings(place.data.parent, base, monitor=MONITOR | changes)


def arrive(place: Place, name: str, count: int, start: int) -> list[str]:
    """New live texts; gives the labels that they were made with, which the stream has not."""
    some = tiny_pipeline.rows(count, start)
    path = place.data.parent / "live" / f"{name}.jsonl"
    tiny_pipeline.write_jsonl(path, [{key: cell for key, cell in row.items() if key != "label"} for row in some])
    return [row["label"] for row in some]


def stored(place: Place) -> list[dict[str, Any]]:
    with closing(StreamStore.open(place.home, "tiny")) as store:
        return [row for table in store.tables() for row in table.to_pylist()]


def test_new_texts_are_answered_and_kept_once_and_each_look_is_remembered(seasoned: Place, tiny_base: Path) -> None:
    place = seasoned
    watch(place, tiny_base, topics="nobody")
    labels = arrive(place, "first", 90, 5000)
    first = place.command("monitor", "tiny", "--json")
    assert first.code == 0, first.text
    look = first.json
    assert (look["status"], look["texts"], look["stored"], look["model"]) == ("done", 90, 90, "1")
    rows = stored(place)
    assert len({row["id"] for row in rows}) == 90
    assert sum(row["label"] == label for row, label in zip(rows, labels, strict=True)) > 60
    assert {row["telling"] for row in rows} >= {"first"}
    assert [row["topic"] for row in rows] == [None] * 90
    assert {row["source"] for row in rows} == {"banks", "energy"}
    assert look["waiting"] > 0
    assert look["alarms_new"] == []

    arrive(place, "second", 10, 7000)
    second = place.command("monitor", "tiny")
    assert second.code == 0, second.text
    assert "tiny: 10 new texts" in second.text
    assert "No topics are given to texts, as monitor.topics can't be asked: nobody has no champion yet" in second.text
    assert "100 texts" in second.text
    assert [row["id"] for row in stored(place)[:90]] == [row["id"] for row in rows]
    third = place.command("monitor", "tiny", "--json").json
    assert (third["texts"], third["stored"], third["kept"]) == (0, 0, 100)
    looks = place.command("monitor", "tiny", "--looks", "2", "--json").json["looks"]
    assert [one["stored"] for one in looks] == [0, 10]
    assert re.search(r"90 +90 +0 +1", place.command("monitor", "tiny", "--looks", "9").out)

    with closing(StreamStore.open(place.home, "tiny")) as store, store.alone():
        assert_explained(place.command("monitor", "tiny"), 1, "Another `perennial monitor` of tiny is at work")


def test_a_pipeline_without_a_live_stream_or_a_champion_is_told_so(make_place: MakePlace, tiny_base: Path) -> None:
    place = make_place()
    ended = place.command("monitor", "tiny")
    assert_explained(ended, 2, "tiny has no live stream", "pipeline.yaml")
    text = ended.error.split("pipeline.yaml:\n")[1]
    assert yaml.safe_load(text)["monitor"]["source"]["type"] == "file"
    watch(place, tiny_base)
    arrive(place, "first", 5, 5000)
    ended = place.command("monitor", "tiny")
    assert_explained(ended, 1, "tiny has no champion yet", "Run `perennial run tiny` first.")
    assert stored(place) == []


def test_a_kind_whose_answer_is_no_label_can_not_be_watched(tmp_path: Path) -> None:
    spec = tiny_spec().model_copy(update={"kind": "regression"})
    watched = spec.model_validate(tiny_spec().model_dump() | {"monitor": MONITOR}).model_copy(
        update={"kind": spec.kind}
    )
    with pytest.raises(SpecError, match="live texts are watched by one label each"):
        load_champions(watched, Home(tmp_path))


def test_the_schedule_lists_live_streams(make_place: MakePlace) -> None:
    place = make_place(name="live1", monitor=MONITOR | {"every_minutes": 5})
    said = place.command("schedule", "tiny", "--list", "--json")
    assert said.code == 0, said.text
    assert said.json["schedules"] == []
    assert said.json["monitors"] == [{"pipeline": "live1", "every_minutes": 5.0, "state": "not served"}]
    assert "live1: live texts are looked at every 5 min (not served)" in place.command("schedule", "--list").text
    assert_explained(place.command("schedule", "--pause"), 2, "live1 is not served")


@pytest.fixture
def api(prefect_api: str) -> Iterator[str]:
    with temporary_settings({PREFECT_API_URL: prefect_api}):
        yield prefect_api


def test_a_retraining_is_asked_for_once_of_who_serves_the_schedule(
    api: str, tmp_path: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(tmp_path, None)
    place.give_database(empty_database)
    spec, home, reason = (
        tiny_spec().model_copy(update={"name": f"p{uuid4().hex[:8]}"}),
        place.home,
        "40% of answers are unsure",
    )
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    assert f"run `perennial run {spec.name}`" in retraining_request.ask_for_retraining(spec, home, reason)

    monkeypatch.setenv("PREFECT_API_URL", api)
    with get_client(sync_client=True) as client:
        deployment = client.create_deployment(client.create_flow_from_name("scheduled"), spec.name)
    for _ in range(2):
        said = retraining_request.ask_for_retraining(spec, home, reason)
        assert said == f"A retraining was asked for: {reason}."
    (run,) = Api(api).runs(spec.name, planned=True)
    assert run["parameters"] == {"kind": "drift", "detail": reason}
    with get_client(sync_client=True) as client:
        # A tick that comes later finds too little new and must not stand for it.
        assert run_overlap.drop_older(client, deployment) == []
        assert not run_overlap._gives_way(client.read_flow_run(run["id"]))

    now = datetime.now(UTC)
    ended_run = RunEntry(
        pipeline=spec.name, started=now, ended=now, trigger=Trigger(kind="drift"), status="rejected", sentence="No.",
        host="here",
    )  # fmt: skip
    log.note_run(home, ended_run)
    assert "A retraining was started by drift" in retraining_request.ask_for_retraining(spec, home, reason)


@pytest.mark.soak(twin="tests/flows/test_monitor_flow.py::test_the_schedule_lists_live_streams")
def test_the_schedule_looks_by_itself(seasoned: Place, tiny_base: Path) -> None:
    place = seasoned
    watch(place, tiny_base, every_minutes=1)
    arrive(place, "first", 20, 5000)
    worker = Worker(place)
    worker.start()
    try:
        api = Api(str(place.prefect_api))
        runs = until(lambda: [run for run in api.runs("tiny") if run["name"].startswith("monitor")], worker)
        assert ended(api, runs[0]["id"], worker) == ("Completed", "20 new texts, answered by version 1.")
    finally:
        worker.stop()
    assert len(stored(place)) == 20
