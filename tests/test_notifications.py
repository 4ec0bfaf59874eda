"""Who is sent what, through real channels on this machine."""

import html
import logging
import re
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from channels import Mailbox, Webhook, mail_server
from hypothesis import given
from hypothesis import strategies as st
from notes import Notes
from pydantic import ValidationError

from perennial import notifications
from perennial.core import progress
from perennial.core.home import Home
from perennial.notifications import events, link, tell
from perennial.records.data import Snapshot
from perennial.records.run import Report, RunResult, Status, Trigger
from perennial.runs import log
from perennial.runs.log import RunEntry
from perennial.settings.notify import NotifySpec
from perennial.settings.pipeline import PipelineSpec

START = datetime(2026, 3, 1, 2, 30, tzinfo=UTC)
DOWN = "MLflow at http://tracking.example can't be used: connection refused."


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "PERENNIAL_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(notifications, "RETRY_SECONDS", 0.01)


@pytest.fixture
def box(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    with mail_server() as made:
        monkeypatch.setenv("MAIL_URL", f"mailto://127.0.0.1:{made.port}?from=bot@example.org&to=ann@example.org")
        yield made


@pytest.fixture
def notes() -> Iterator[list[str]]:
    listener = Notes()
    with progress.heard_by(listener), progress.step("tell"):
        yield listener.messages


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def pipeline(**settings: Any) -> PipelineSpec:
    return PipelineSpec.model_validate(
        {
            "name": "news",
            "kind": "text-classification",
            "data": {"source": {"type": "file", "path": "data/*"}, "labels": ["a", "b"]},
            "gates": [{"metric": "accuracy", "min": 0.8}],
            "notify": {"urls_env": "TEAM_URL", **settings},
        }
    )


def run(status: str, sentence: str = "Because.", number: int = 0, **changes: Any) -> RunEntry:
    began = START + timedelta(days=number)
    values = {"pipeline": "news", "started": began, "ended": began, "status": status, "sentence": sentence, "host": "h"}
    return RunEntry.model_validate(values | changes)


def live(spec: PipelineSpec, home: Home, statuses: Sequence[tuple[str, str]], report: str | None = None) -> None:
    """Remember and tell one run after another."""
    first = len(log.recent_runs(home, "news", 1000))
    for number, (status, sentence) in enumerate(statuses, first):
        entry = run(status, sentence, number)
        log.note_run(home, entry)
        tell(spec, home, entry, report)


def test_a_promotion_is_told_with_its_reason_and_a_link(home: Home, hook: Webhook) -> None:
    entry = run("promoted", "All 5 checks passed.", version="4", trigger=Trigger(kind="drift", detail="labels shifted"))
    log.note_run(home, entry)
    tell(pipeline(), home, entry, "https://mlflow.example/#/models/news/versions/4")
    (message,) = hook.sent
    assert message["title"] == "news: promoted, version 4"
    assert message["type"] == "success"
    assert message["message"].splitlines() == [
        "All 5 checks passed.",
        "Report: https://mlflow.example/#/models/news/versions/4",
        "Started 2026-03-01 02:30Z by drift (labels shifted), on h.",
    ]


def test_mail_arrives(home: Home, box: Mailbox) -> None:
    live(pipeline(urls_env=["MAIL_URL"]), home, [("held", "accuracy is not shown to be good enough.")])
    ((subject, text),) = box.mails
    assert subject == "news: held"
    assert "accuracy is not shown to be good enough." in text
    assert "A person is needed." in text


def test_mail_keeps_line_ends_and_what_stands_in_angle_brackets(home: Home, box: Mailbox) -> None:
    sentence = "The label <unk> & 'b' has too few rows."
    live(pipeline(urls_env=["MAIL_URL"]), home, [("held", sentence)])
    ((_, text),) = box.mails
    assert sentence in text.splitlines()[0]
    assert "A person is needed." in text.splitlines()
    (page,) = box.pages
    shown = html.unescape(re.sub(r"<br\s*/?>", "\n", page)).replace("\xa0", " ")
    assert sentence in shown
    assert len([line for line in shown.splitlines() if line.strip()]) >= 3


def test_every_channel_is_told_and_one_that_is_down_keeps_nobody_waiting(
    home: Home, hook: Webhook, box: Mailbox, notes: list[str]
) -> None:
    hook.status = 500
    live(pipeline(urls_env=["TEAM_URL", "MAIL_URL"]), home, [("rejected", "Worse.")])
    assert hook.refused == notifications.TRIES
    assert [subject for subject, _ in box.mails] == ["news: rejected"]
    assert notes == ["The channels in TEAM_URL were not told how the run ended: a channel refused it or is down."]


def test_what_could_not_be_told_is_told_after_the_next_run_to_whom_it_was_not(
    home: Home, hook: Webhook, box: Mailbox
) -> None:
    spec = pipeline(urls_env=["TEAM_URL", "MAIL_URL"])
    hook.status = 500
    live(spec, home, [("failed", DOWN)])
    hook.status = 200
    live(spec, home, [("skipped", "Nothing new.")])
    assert hook.titles == ["news: failed"]
    assert len(box.mails) == 1
    hook.status = 500
    live(spec, home, [("rejected", "Worse.")])
    hook.status = 200
    live(spec, home, [("promoted", "Better.")])
    assert hook.titles == ["news: failed", "news: promoted"]
    assert "Earlier, and not delivered then:\nnews: rejected. Worse." in hook.sent[-1]["message"]
    live(spec, home, [("skipped", "Nothing new.")])
    assert len(hook.sent) == 2


def test_what_is_kept_for_a_channel_that_stays_down_is_bounded(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notifications, "_send", lambda name, messages: "it is down")
    live(pipeline(), home, [("rejected", f"Worse by {number}.") for number in range(30)])
    kept = (home.state("news") / notifications.FILE).read_text()
    assert kept.count('"title"') == notifications.MOST_UNTOLD
    assert "hunter2" not in kept


def test_a_channel_that_hangs_keeps_a_run_for_its_timeout_only(home: Home, hook: Webhook, notes: list[str]) -> None:
    hook.seconds = 600
    before = set(threading.enumerate())
    live(pipeline(timeout_seconds=0.3), home, [("failed", DOWN)])
    assert notes == ["The channels in TEAM_URL were not told how the run ended: it did not answer in 0.3 s."]
    assert all(thread.daemon for thread in set(threading.enumerate()) - before)


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, "the variable is not set"), ("nonsense://hunter2", "a URL that Apprise does not know"), ("hunter2", "URL")],
)
def test_a_variable_without_a_channel_is_noted(
    home: Home, notes: list[str], monkeypatch: pytest.MonkeyPatch, value: str | None, words: str
) -> None:
    if value is not None:
        monkeypatch.setenv("TEAM_URL", value)
    live(pipeline(), home, [("failed", DOWN)])
    (note,) = notes
    assert words in note
    assert "hunter2" not in note


def test_urls_are_in_no_log(
    home: Home, hook: Webhook, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    hook.status = 500
    with caplog.at_level(logging.DEBUG):
        live(pipeline(), home, [("failed", DOWN)])
    assert "hunter2" not in caplog.text + "".join(capfd.readouterr())
    hook.status = 200
    live(pipeline(), home, [("skipped", "Nothing new.")])
    assert "hunter2" not in str(hook.sent)


def test_without_channels_nothing_is_even_loaded(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notifications, "_messages", None)
    tell(pipeline(urls_env=[]), home, run("failed"), None)
    assert not home.root.exists()


def test_only_what_was_asked_for_is_told(home: Home, hook: Webhook) -> None:
    live(pipeline(on=["failed"]), home, [("promoted", "a"), ("held", "b"), ("rejected", "c"), ("failed", "d")])
    assert hook.titles == ["news: failed"]


def test_a_nightly_failure_is_told_once_then_as_stale_and_again_after_a_success(home: Home, hook: Webhook) -> None:
    fails = [("failed", f"{DOWN} It was asked at 0{number}:30.") for number in range(7)]
    live(pipeline(stale_after_runs=3), home, fails)
    assert hook.titles == ["news: failed", "news: 3 runs without success", "news: 6 runs without success"]
    assert hook.sent[1]["message"].startswith(f"The last one: {DOWN}")
    live(pipeline(stale_after_runs=3), home, [("promoted", "Better."), *fails[:2]])
    assert hook.titles[3:] == ["news: promoted", "news: failed"]


def test_another_reason_is_told_too_but_not_when_it_comes_back(home: Home, hook: Webhook) -> None:
    live(pipeline(on=["failed"]), home, [("failed", reason) for reason in ("full", "down", "full", "down", "full")])
    assert [message["message"].splitlines()[0] for message in hook.sent] == ["full", "down"]


def test_history_that_can_not_be_read_does_not_silence_a_failure(home: Home, hook: Webhook) -> None:
    home.root.mkdir(parents=True)
    (home.root / "ledger.db").write_bytes(b"garbage " * 1000)
    tell(pipeline(), home, run("failed", DOWN), None)
    assert hook.titles == ["news: failed"]


STATUSES = st.sampled_from(["promoted", "held", "rejected", "observed", "skipped", "failed"])


@given(st.lists(STATUSES, max_size=30), st.integers(2, 6))
def test_each_success_each_refusal_and_each_new_failure_is_told_exactly_once(statuses: list[str], after: int) -> None:
    past: list[RunEntry] = []
    sent: list[list[str]] = []
    for number, status in enumerate(statuses):
        sent.append(list(events(run(status, number=number), past[::-1], after)))
        past.append(run(status, number=number))
    for number, (status, some) in enumerate(zip(statuses, sent, strict=True)):
        again = status == "failed" and number > 0 and statuses[number - 1] == "failed"
        expected = status in ("promoted", "held", "rejected", "failed") and not again
        assert (status in some) == expected
        assert len(set(some)) == len(some)
    barren = 0
    for status, some in zip(statuses, sent, strict=True):
        barren = 0 if status in ("promoted", "observed") else barren + (status != "skipped")
        is_due = status != "skipped" and barren > 0 and barren % after == 0
        assert ("stale" in some) == is_due


def result(report: str | None, version: str | None = "4") -> RunResult:
    page = Report(pipeline="news", decision="d", path=report, size_bytes=1) if report else None
    snapshot = Snapshot(
        pipeline="news", digest="d", parts=(), rows=0, new_rows=0, repeated_rows=0, late_rows=0, watermark=None
    )
    return RunResult(
        status=Status.HELD, model="news", version=version, run_id="r1", reasons=(), snapshot=snapshot, report=page,
        seconds={},
    )  # fmt: skip


def test_links_follow_the_template_or_name_the_page_on_this_machine(home: Home) -> None:
    spec = pipeline(report_url="https://x.example/#/models/{model}/versions/{version}?run={run_id}&page={report}")
    assert link(spec, home, result("report/a b/x.html")) == (
        "https://x.example/#/models/news/versions/4?run=r1&page=report/a%20b/x.html"
    )
    assert link(spec, home, result(None)) is None
    assert link(pipeline(), home, result("report/k/x.html")) == f"{home.store.root}/report/k/x.html on {log.here()}"
    assert link(pipeline(), home, result(None)) is None


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"report_url": "https://x/{modle}"}, r"report_url knows \{model\}.*not \{modle\}"),
        ({"report_url": "https://x/{model"}, "brace without its pair"),
        ({"urls_env": ["slack://hunter2"]}, "names of environment variables"),
        ({"stale_after_runs": 1}, "greater than or equal to 2"),
        ({"on": ["finished"]}, "'promoted', 'held'"),
    ],
)
def test_settings_that_can_not_be_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        NotifySpec.model_validate(settings)
