"""Telling people how a run ended, and of alarms, through Apprise: a message an event, with its reason.

What was told before follows from the log of runs, so a run that fails every night for the same reason is told once.
The URLs of channels hold secrets: they come from the environment, and are in no message, note or log.
"""

import logging
import os
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal
from urllib.parse import quote

from pydantic import ValidationError

from perennial.core import progress
from perennial.core.errors import RegistryError
from perennial.core.home import Home
from perennial.core.record import Record
from perennial.core.store import write_atomically
from perennial.records.run import RunResult
from perennial.runs import log
from perennial.runs.log import RunEntry
from perennial.settings.pipeline import PipelineSpec

FILE = "untold.json"
MOST_UNTOLD = 20
"""Messages kept for a channel that is down; older ones are dropped."""
HISTORY = 500
TRIES = 2
RETRY_SECONDS = 1.0
LOUD = ("apprise", "urllib3", "requests")
"""Loggers that write addresses."""
UNSUCCESSFUL = ("held", "rejected", "failed")


class Message(Record):
    """What one event is told by."""

    title: str
    body: str
    mood: Literal["success", "warning", "failure"]


class Untold(Record):
    """Messages that could not be delivered, by the name of the channel's environment variable."""

    messages: dict[str, tuple[Message, ...]]


def tell(spec: PipelineSpec, home: Home, entry: RunEntry, report: str | None) -> None:
    """Send what is to be told about the run `entry` (already remembered) to every channel of `notify`.

    `report`: a link to its report, None: there is none. Never raises for a channel: one that is down is tried twice,
    then said in a note, and gets the message after the next run.
    """
    if not spec.notify.urls_env:
        return
    send(spec, home, _messages(spec, home, entry, report), "how the run ended")


def send(spec: PipelineSpec, home: Home, messages: Sequence[Message], what: str) -> bool:
    """Send `messages` to every channel of `notify`, with what it could not be told before; whether one took all of it.

    `what` they are about, for the note on a channel that is down. Where nothing is to be told, none is asked.
    """
    untold = _untold(spec, home)
    waiting = {name: (*untold.get(name, ()), *messages)[-MOST_UNTOLD:] for name in spec.notify.urls_env}
    problems = _deliver({name: some for name, some in waiting.items() if some}, spec.notify.timeout_seconds)
    for name, problem in problems.items():
        progress.note(f"The channels in {name} were not told {what}: {problem}.")
    left = {name: waiting[name] for name in problems}
    if left != untold:
        _keep(spec, home, Untold(messages=left))
    return len(left) < len(spec.notify.urls_env)


def link(spec: PipelineSpec, home: Home, result: RunResult) -> str | None:
    """Where the report of `result` is: by `notify.report_url`, or its path on this machine; None: it has none."""
    path = result.report.path if result.report else None
    if spec.notify.report_url is None:
        return f"{home.store.root / path} on {log.here()}" if path else None
    values = {"model": result.model, "version": result.version, "run_id": result.run_id, "report": path}
    values_quoted = {name: quote(value) for name, value in values.items() if value is not None}
    try:
        return spec.notify.report_url.format(**values_quoted)
    except KeyError:
        return None


def events(entry: RunEntry, before: Sequence[RunEntry], stale_after: int) -> Iterator[str]:
    """What there is to tell about `entry`, given the runs `before` it, newest first."""
    if entry.status not in (*UNSUCCESSFUL, "promoted"):
        return
    barren = _barren(before) if entry.status in UNSUCCESSFUL else []
    gists = {_gist(run.sentence) for run in _unbroken_failures(before)}
    if entry.status != "failed" or _gist(entry.sentence) not in gists:
        yield entry.status
    if entry.status in UNSUCCESSFUL and (len(barren) + 1) % stale_after == 0:
        yield "stale"


def _barren(before: Sequence[RunEntry]) -> list[RunEntry]:
    """The runs without success since the last success; those that had nothing to do say nothing about it."""
    barren: list[RunEntry] = []
    for run in before:
        if run.status in ("promoted", "observed"):
            break
        if run.status in UNSUCCESSFUL:
            barren.append(run)
    return barren


def _unbroken_failures(before: Sequence[RunEntry]) -> Iterator[RunEntry]:
    for run in before:
        if run.status != "failed":
            return
        yield run


def _gist(sentence: str) -> str:
    # The same reason counts other rows and names another time each night.
    return re.sub(r"\d[\d.,:TZ+-]*", "#", sentence)


def _messages(spec: PipelineSpec, home: Home, entry: RunEntry, report: str | None) -> list[Message]:
    try:
        before = [run for run in log.recent_runs(home, spec.name, HISTORY) if run != entry]
    except RegistryError:
        before = []  # better told twice than never
    wanted = [event for event in events(entry, before, spec.notify.stale_after_runs) if event in spec.notify.on]
    return [_message(event, entry, len(_barren(before)) + 1, report) for event in wanted]


def _message(event: str, entry: RunEntry, barren: int, report: str | None) -> Message:
    version = f", version {entry.version}" if entry.version else ""
    titles = {"stale": f"{entry.pipeline}: {barren} runs without success", "held": f"{entry.pipeline}: held{version}"}
    started = {"hand": "by hand", "schedule": "by its schedule", "data": "by new data", "drift": "by drift"}
    why = started[entry.trigger.kind] + (f" ({entry.trigger.detail})" if entry.trigger.detail else "")
    lines = [
        f"The last one: {entry.sentence}" if event == "stale" else entry.sentence,
        "A person is needed." if event == "held" else "",
        f"Report: {report}" if report else "",
        f"Started {entry.started:%Y-%m-%d %H:%M}Z {why}, on {entry.host}.",
    ]
    return Message(
        title=titles.get(event, f"{entry.pipeline}: {entry.status}{version}"),
        body="\n".join(line for line in lines if line),
        mood="success" if event == "promoted" else "failure" if event == "failed" else "warning",
    )


def _deliver(waiting: Mapping[str, Sequence[Message]], seconds: float) -> dict[str, str]:
    """Send to every channel at once; what went wrong, by variable."""
    if not waiting:
        return {}
    outcomes: dict[str, str | None] = dict.fromkeys(waiting, f"it did not answer in {seconds:g} s")

    def send(name: str, messages: Sequence[Message]) -> None:
        outcomes[name] = _send(name, messages)

    deadline = time.monotonic() + seconds
    # Daemons: a channel that hangs must not keep the process from ending.
    threads = [threading.Thread(target=send, args=item, daemon=True) for item in waiting.items()]
    with _silent():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
    return {name: problem for name, problem in list(outcomes.items()) if problem}


def _send(name: str, messages: Sequence[Message]) -> str | None:
    urls = os.environ.get(name, "").strip()
    if not urls:
        return "the variable is not set"
    from apprise import Apprise, AppriseAsset, NotifyFormat

    title, body = _joined(messages)
    try:
        channels = Apprise(asset=AppriseAsset(app_id="Perennial", app_desc="Perennial", plugin_paths=[]))
        if not channels.add(urls):
            return "it holds a URL that Apprise does not know"
        sent = False
        for _ in range(TRIES):
            if sent := bool(channels.notify(body, title, notify_type=messages[-1].mood, body_format=NotifyFormat.TEXT)):
                break
            time.sleep(RETRY_SECONDS)
    except Exception as error:  # noqa: BLE001 - no channel may end a run, and the message may hold its URL
        return f"Apprise failed ({type(error).__name__})"
    return None if sent else "a channel refused it or is down"


def _joined(messages: Sequence[Message]) -> tuple[str, str]:
    """All messages as one, the newest first."""
    *earlier, last = messages
    old = "\n".join(f"{message.title}. {message.body}" for message in reversed(earlier))
    return last.title, f"{last.body}\n\nEarlier, and not delivered then:\n{old}" if earlier else last.body


@contextmanager
def _silent() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in LOUD]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    # Apprise's stays silent: a channel that hangs may speak later.
    try:
        yield
    finally:
        for logger, level in list(zip(loggers, before, strict=True))[1:]:
            logger.setLevel(level)


def _untold(spec: PipelineSpec, home: Home) -> dict[str, tuple[Message, ...]]:
    try:
        return Untold.model_validate_json((home.state(spec.name) / FILE).read_bytes()).messages
    except (OSError, ValidationError):
        return {}


def _keep(spec: PipelineSpec, home: Home, untold: Untold) -> None:
    try:
        home.state(spec.name).mkdir(parents=True, exist_ok=True)
        write_atomically(home.state(spec.name) / FILE, untold.model_dump_json() + "\n")
    except OSError as error:
        progress.note(f"What was not told can't be kept for the next run: {error.strerror}.")
