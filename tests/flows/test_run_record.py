"""Runs are remembered however they end, and told about."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

import pytest
from channels import Webhook
from notes import Notes
from place import Place, wait_for
from place_fixtures import MakePlace

from flows.run_record import OPEN, recorded
from perennial.core import progress
from perennial.core.errors import RegistryError, SourceError
from perennial.core.home import Home
from perennial.records.data import Snapshot
from perennial.records.run import RunResult, Status, Trigger
from perennial.runs import log
from perennial.runs.lock import one_at_a_time
from perennial.settings.pipeline import PipelineSpec

DRIFTED = Trigger(kind="drift", detail="labels shifted: PSI 0.41 (limit 0.2)")
AT_WORK = """
import sys, time
from pathlib import Path
from flows.run_record import recorded as remembered
from perennial.records.run import Trigger
from perennial.core.home import Home
from perennial.settings.pipeline import PipelineSpec
spec = PipelineSpec.model_validate_json(sys.argv[2])
remembered(spec, Home(Path(sys.argv[1])), Trigger(kind="schedule"), lambda: time.sleep(600))
"""


@pytest.fixture(autouse=True)
def _quiet(_quiet_environment: None) -> None:
    """No registry but the one in the home."""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def spec() -> PipelineSpec:
    return PipelineSpec.model_validate(
        {
            "name": "news",
            "kind": "text-classification",
            "data": {"source": {"type": "file", "path": "data/*"}, "labels": ["a", "b"]},
            "gates": [{"metric": "accuracy", "min": 0.8}],
            "notify": {"urls_env": "TEAM_URL"},
        }
    )


def result(status: Status = Status.HELD) -> RunResult:
    facts: dict[str, Any] = {"rows": 1, "new_rows": 1, "repeated_rows": 0, "late_rows": 0, "watermark": None}
    snapshot = Snapshot(pipeline="news", digest="d", parts=(), **facts)
    reasons = ("accuracy is not shown.", "Nothing moved.")
    return RunResult(
        status=status, model="news", version="3", run_id="r", reasons=reasons, snapshot=snapshot, seconds={}
    )


def failing(error: BaseException) -> NoReturn:
    raise error


def test_what_a_run_came_to_is_remembered_and_told(spec: PipelineSpec, home: Home, hook: Webhook) -> None:
    came = result()
    assert recorded(spec, home, DRIFTED, lambda: came) is came
    (entry,) = log.recent_runs(home, "news")
    assert (entry.status, entry.version, entry.sentence) == ("held", "3", "accuracy is not shown. Nothing moved.")
    assert (entry.trigger, entry.host) == (DRIFTED, log.here())
    assert hook.titles == ["news: held, version 3"]
    assert not list((home.state("news") / OPEN).iterdir())


@pytest.mark.parametrize(
    ("error", "status", "sentence", "told"),
    [
        (SourceError("data/* holds nothing.", remedy="Look."), "failed", "data/* holds nothing.", True),
        (OSError(28, "No space left", "/x"), "failed", "The disk is full.", True),
        (ValueError("a text: hunter2"), "failed", "Perennial failed in a way it does not know (ValueError).", True),
        (KeyboardInterrupt(), "failed", "It was interrupted.", False),
        (SystemExit(1), "failed", "It was stopped (SystemExit).", True),
    ],
)
def test_a_run_that_fails_is_remembered_and_fails(
    spec: PipelineSpec, home: Home, hook: Webhook, error: BaseException, status: str, sentence: str, told: bool
) -> None:
    with pytest.raises(type(error)):
        recorded(spec, home, Trigger(), lambda: failing(error))
    (entry,) = log.recent_runs(home, "news")
    assert (entry.status, entry.sentence, entry.version) == (status, sentence, None)
    assert [message["message"].splitlines()[0] for message in hook.sent] == [sentence] * told


def test_a_run_beside_another_is_skipped_and_nobody_is_bothered(spec: PipelineSpec, home: Home, hook: Webhook) -> None:
    def run() -> RunResult:
        with one_at_a_time("news", home):
            return result()

    with one_at_a_time("news", home), pytest.raises(Exception, match="Another run of news"):
        recorded(spec, home, Trigger(kind="data"), run)
    (entry,) = log.recent_runs(home, "news")
    assert (entry.status, entry.trigger.kind) == ("skipped", "data")
    assert hook.sent == []


def test_a_run_that_can_not_be_remembered_stands_and_is_told(
    spec: PipelineSpec, home: Home, hook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = Notes()

    def note(*_: object) -> None:
        raise RegistryError("The ledger can't be used.")

    monkeypatch.setattr(log, "note_run", note)
    with progress.heard_by(notes):
        recorded(spec, home, Trigger(), lambda: result(Status.PROMOTED))
    assert notes.messages == ["That this run was promoted could not be remembered: The ledger can't be used."]
    assert hook.titles == ["news: promoted, version 3"]


def test_a_killed_run_is_remembered_by_the_next_one_and_a_living_one_is_not(
    spec: PipelineSpec, home: Home, hook: Webhook
) -> None:
    command = [sys.executable, "-c", AT_WORK, str(home.root), spec.model_dump_json()]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    try:
        wait_for(lambda: list((home.state("news") / OPEN).glob("*.json")), process)
        recorded(spec, home, Trigger(), result)
        assert [run.status for run in log.recent_runs(home, "news")] == ["held"]
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    recorded(spec, home, Trigger(), result)
    after, killed, _ = log.recent_runs(home, "news")
    assert (after.status, killed.status, killed.trigger.kind) == ("held", "failed", "schedule")
    assert "was killed before it ended" in killed.sentence
    assert hook.titles == ["news: held, version 3", "news: failed", "news: held, version 3"]
    assert not list((home.state("news") / OPEN).iterdir())


def test_the_command_shows_runs_and_why_they_ended_so(first_run: tuple[Place, dict[str, Any]]) -> None:
    place, printed = first_run
    shown = place.command("runs", "tiny", "--json")
    assert shown.code == 0, shown.text
    newest = shown.json["runs"][-1]
    assert (newest["status"], newest["version"]) == ("promoted", printed["version"])
    assert newest["trigger"] == {"kind": "hand", "detail": ""}
    assert "checks passed on 45 test rows" in newest["sentence"]
    assert newest["seconds"] > 0
    table = place.command("runs", "tiny").text
    assert "promoted" in table
    assert "checks passed on 45 test rows" in table


def test_a_failing_run_is_told_and_shown(make_place: MakePlace, hook: Webhook) -> None:
    place = make_place(notify={"urls_env": "TEAM_URL"}, data__source={"type": "file", "path": "nowhere/*"})
    assert "No run of tiny is remembered yet" in place.command("runs", "tiny").text
    ended = place.run("--json", TEAM_URL=hook.url)
    assert ended.code == 1
    (listed,) = place.command("runs", "tiny", "--json").json["runs"]
    assert (listed["status"], listed["sentence"]) == ("failed", json.loads(ended.out)["error"])
    assert hook.titles == ["tiny: failed"]
    assert "hunter2" not in ended.text
