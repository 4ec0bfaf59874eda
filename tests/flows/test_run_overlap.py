"""Of the flow runs of one pipeline, which gives way; on a real Prefect server."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Completed, Running, Scheduled

from flows import run_overlap
from perennial.core.errors import OverlapError
from perennial.records.run import Trigger


class Table:
    """A deployment of its own, and its runs."""

    def __init__(self, client: SyncPrefectClient) -> None:
        self.client = client
        self.name = f"p{uuid4().hex[:8]}"
        flow = client.create_flow_from_name("scheduled")
        self.deployment = client.create_deployment(flow, self.name)

    def run(self, minutes_ago: float, kind: str | None = "schedule", detail: str = "") -> FlowRun:
        """A run that was due so long ago; `kind` None: as from a click, without parameters."""
        parameters: dict[str, Any] = {} if kind is None else {"kind": kind, "detail": detail}
        due = Scheduled(scheduled_time=datetime.now(UTC) - timedelta(minutes=minutes_ago))
        return self.client.create_flow_run_from_deployment(self.deployment, parameters=parameters, state=due)

    def start(self, run: FlowRun) -> FlowRun:
        self.client.set_flow_run_state(run.id, Running(), force=True)
        return self.client.read_flow_run(run.id)

    def state(self, run: FlowRun) -> tuple[str, str]:
        state = self.client.read_flow_run(run.id).state
        assert state is not None
        return state.name or "", state.message or ""


@pytest.fixture
def table(prefect_api: str) -> Iterator[Table]:
    with temporary_settings({PREFECT_API_URL: prefect_api}), get_client(sync_client=True) as client:
        yield Table(client)


def test_of_missed_ticks_only_the_newest_is_left(table: Table) -> None:
    runs = [table.run(60), table.run(50, "data", "a.csv came"), table.run(40)]
    by_hand = table.run(70, kind=None)
    dropped = run_overlap.drop_older(table.client, table.deployment)
    assert [(run.id, why) for run, why in dropped] == [(run.id, table.state(run)[1]) for run in (runs[1], runs[0])]
    assert run_overlap.trigger_of(dropped[0].run) == Trigger(kind="data", detail="a.csv came")
    for run in runs[:2]:
        name, message = table.state(run)
        assert (name, message.startswith("Superseded: the run of ")) == ("Skipped", True)
    assert table.state(runs[2])[0] == "Scheduled"
    assert table.state(by_hand)[0] == "Scheduled", "somebody asked for it"
    assert run_overlap.drop_older(table.client, table.deployment) == []


def test_runs_of_the_future_and_of_others_are_left_alone(table: Table) -> None:
    due, later = table.run(5), table.run(-5)
    other = Table(table.client)
    others = other.run(60)
    assert run_overlap.drop_older(table.client, table.deployment) == []
    assert [one.state(run)[0] for one, run in ((table, due), (table, later), (other, others))] == ["Scheduled"] * 3


@pytest.mark.parametrize("newer", [Running(), Completed()])
def test_a_run_that_starts_late_gives_way_to_a_newer_one(table: Table, newer: Any) -> None:
    late, latest = table.run(30), table.run(20)
    table.client.set_flow_run_state(latest.id, newer, force=True)
    with pytest.raises(OverlapError, match="Superseded"):
        run_overlap.give_way(table.client, table.start(late))
    run_overlap.give_way(table.client, table.start(latest))


def test_a_run_by_hand_gives_way_to_nobody(table: Table) -> None:
    asked, _ = table.run(30, kind="hand"), table.run(20)
    run_overlap.give_way(table.client, table.start(asked))


def test_a_paused_pipeline_is_left_to_people(table: Table) -> None:
    table.client.pause_deployment(table.deployment)
    with pytest.raises(OverlapError, match=f"{table.name} is paused"):
        run_overlap.give_way(table.client, table.start(table.run(0, kind="data")))
    run_overlap.give_way(table.client, table.start(table.run(0, kind="hand")))


def overlap(table: Table, run: FlowRun) -> None:
    with pytest.raises(OverlapError), run_overlap.settled(table.client, run):
        raise OverlapError("Another run is at work.")


def follow_ups(table: Table, earlier: list[FlowRun]) -> list[FlowRun]:
    ids: set[UUID] = {run.id for run in earlier}
    return [run for run in run_overlap._runs(table.client, table.deployment) if run.id not in ids]


def test_data_that_came_during_a_run_is_one_more_run(table: Table) -> None:
    at_work = table.start(table.run(1))
    came = [table.start(table.run(0, "data", f"{name}.csv came")) for name in "ab"]
    with run_overlap.settled(table.client, at_work):
        for run in came:
            overlap(table, run)
        assert follow_ups(table, [at_work, *came]) == []
    (again,) = follow_ups(table, [at_work, *came])
    assert again.parameters["kind"] == "data"
    assert again.parameters["detail"].endswith("csv came, while a run was at work")
    # The one after that does not start another.
    with run_overlap.settled(table.client, table.start(again)):
        pass
    assert len(follow_ups(table, [at_work, *came])) == 1


def test_a_tick_during_a_run_is_not_made_up_for(table: Table) -> None:
    at_work = table.start(table.run(1))
    tick = table.start(table.run(0))
    with run_overlap.settled(table.client, at_work):
        overlap(table, tick)
    assert follow_ups(table, [at_work, tick]) == []


def test_data_that_came_during_a_run_that_failed_is_made_up_for_too(table: Table) -> None:
    at_work = table.start(table.run(1))
    came = table.start(table.run(0, "data"))

    def fail() -> None:
        overlap(table, came)
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"), run_overlap.settled(table.client, at_work):
        fail()
    assert len(follow_ups(table, [at_work, came])) == 1


def test_killed_runs_are_buried_with_what_they_started(table: Table) -> None:
    killed = table.start(table.run(60))
    now = table.start(table.run(0))
    waiting = table.run(0, "data")
    run_overlap.bury(table.client, now)
    assert table.state(killed) == ("Crashed", "Its process was killed; a later run goes on.")
    assert [table.state(run)[0] for run in (now, waiting)] == ["Running", "Scheduled"]


def test_a_server_that_is_away_does_not_undo_a_run(table: Table) -> None:
    run = table.start(table.run(0))
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}), get_client(sync_client=True) as nobody:
        with run_overlap.settled(nobody, run):
            pass
        run_overlap.bury(nobody, run)
