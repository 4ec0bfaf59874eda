"""What `perennial schedule` does: serves schedules and triggers until it is ended, lists, pauses and resumes them."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID
from zoneinfo import ZoneInfo

import typer

from flows import environment, prefect_server
from flows.commands.live.monitor_schedule import (
    Monitored,
    deployments_of,
    in_words,
    list_monitors,
    monitors_as_json,
    with_monitor,
)
from perennial.core import progress
from perennial.core.errors import PerennialError, SpecError, listing
from perennial.core.home import Home
from perennial.ingest.watch import Watch
from perennial.pipeline_file import loader
from perennial.scheduling import prefect_api
from perennial.settings.pipeline import PipelineSpec
from perennial.settings.schedule import ScheduleSpec

if TYPE_CHECKING:
    from prefect.deployments.runner import RunnerDeployment
    from rich.console import Console

SHOWN_STARTS = 3
SERVER_SECONDS = 1
"""How often it is looked whether the embedded server lives."""
LOOKS_AT_ONCE = 1
"""At live streams, beside the retraining runs: each takes all cores."""
POLL_SECONDS = 5
"""How often it is looked for runs that give way."""
WHAT_TO_WRITE = """add to its pipeline.yaml:

schedule:
  cron: "0 3 * * *"      # every night at three
  min_new_rows: 200      # a night that brought fewer new rows is skipped
"""


@dataclass(frozen=True)
class Scheduled:
    """A pipeline with a schedule."""

    path: Path
    """Of its pipeline.yaml."""
    spec: PipelineSpec
    schedule: ScheduleSpec


@dataclass(frozen=True)
class Timetable:
    """All that happens by itself."""

    scheduled: Sequence[Scheduled]
    monitored: Sequence[Monitored]


@dataclass(frozen=True)
class Listed:
    """What is known of a pipeline's schedule."""

    of: Scheduled
    state: str
    """served, paused, switched off, or not served."""
    starts: tuple[datetime, ...]
    """When its next runs start, in the schedule's time zone, jitter and all; none when paused."""


def act(pipelines: Sequence[str], asked: Sequence[str], at_once: int, *, as_json: bool) -> None:
    """What the command is asked for: list, pause or resume; nothing: serve. Raises SpecError when that is too much."""
    if len(asked) > 1:
        raise SpecError(f"--{' and --'.join(asked)} exclude each other.", remedy="Give one of them.")
    timetable, refused = with_schedule(pipelines)
    if refused and asked != ["list"]:
        raise refused[0]
    home = Home.from_environment()
    environment.prepare(home)
    if not asked:
        _refuse_second(home)
        server = prefect_server.embed(home, serving=True)
        serve(timetable, home, server, at_once, as_json=as_json)
        return
    prefect_server.join(home)
    if asked != ["list"]:
        pause(timetable, paused=asked == ["pause"])
    _print(timetable, {"list": "done", "pause": "paused", "resume": "resumed"}[asked[0]], as_json, refused)
    if refused:
        raise typer.Exit(SpecError.exit_code)


def _print(timetable: Timetable, status: str, as_json: bool, refused: Sequence[SpecError] = ()) -> None:
    from flows.console import say, terminal

    shown, monitors = list_schedules(timetable.scheduled), list_monitors(timetable.monitored)
    if as_json:
        live = {"monitors": monitors_as_json(monitors)} if monitors else {}
        invalid = {"invalid": [str(error) for error in refused]} if refused else {}
        sys.stdout.write(json.dumps(_as_json(status, shown) | live | invalid, ensure_ascii=False) + "\n")
        sys.stdout.flush()
        return
    console = terminal()
    if shown:
        _show(shown, console)
    for one in monitors:
        say(console, in_words(one))
    for error in refused:
        say(terminal(stderr=True), f"Error: {error}")
    if status == "serving":
        page = os.environ[prefect_api.API_URL].removesuffix("/api")
        console.print(f"\nRuns and their logs: {page}\nCtrl-C ends it; ticks that are missed then are one run later.")


def _refuse_second(home: Home) -> None:
    """Raises PrefectError when another process serves on this home: two servers on one database lose ticks."""
    if not os.environ.get(prefect_api.API_URL) and (address := prefect_api.running_server(home)):
        raise prefect_server.PrefectError(
            f"`perennial schedule` serves on {home.root} already, at {address}.",
            remedy=f"End that one, or serve with its server: {prefect_api.API_URL}={address} perennial schedule …",
        )


def with_schedule(names: Sequence[str]) -> tuple[Timetable, list[SpecError]]:
    """The pipelines called `names`, or all under pipelines/ that have a schedule or a live stream; and what is wrong
    with the others.

    Raises SpecError when one that is named has neither, or none has, and says what to write.
    """
    paths = [loader.find_pipeline(name) for name in names] or sorted(loader.PIPELINES.glob(f"*/{loader.FILE}"))
    specs, refused = _read(paths)
    without = [spec.name for spec in specs.values() if spec.schedule is None and spec.monitor is None]
    scheduled = [Scheduled(path, spec, spec.schedule) for path, spec in specs.items() if spec.schedule]
    monitored = with_monitor(specs)
    if refused and not scheduled and not monitored:
        raise refused[0]
    if not (scheduled or monitored) or (names and without):
        which = f"{listing(without)} has no schedule" if without else f"There is no pipeline under {loader.PIPELINES}/"
        raise SpecError(f"{which}.", remedy=f"To let it retrain by itself, {WHAT_TO_WRITE}")
    return Timetable(scheduled, monitored), refused


def _read(paths: Sequence[Path]) -> tuple[dict[Path, PipelineSpec], list[SpecError]]:
    specs, refused = {}, []
    for path in paths:
        try:
            specs[path] = loader.read_pipeline(path)
        except SpecError as error:
            refused.append(error)
    return specs, refused


def list_schedules(scheduled: Sequence[Scheduled]) -> list[Listed]:
    """What each will do next. Asks the Prefect server in use whether it serves them."""
    from prefect.client.orchestration import get_client

    from flows import deployments

    with get_client(sync_client=True) as client:
        served = {one.spec.name: deployments.find_deployment(client, one.spec.name) for one in scheduled}
    answer = []
    for one in scheduled:
        deployment = served[one.spec.name]
        state = deployments.state_of(deployment)
        answer.append(Listed(one, state, () if state in (deployments.PAUSED, deployments.OFF) else _starts(one)))
    return answer


def pause(timetable: Timetable, *, paused: bool) -> None:
    """Pause or resume all of it. Raises SpecError when some of it was never served."""
    from prefect.client.orchestration import get_client

    from flows import deployments
    from flows.live.deployment import MONITORING

    with get_client(sync_client=True) as client:
        wanted = [(one.spec.name, deployments.RETRAINING) for one in timetable.scheduled]
        wanted += [(one.spec.name, MONITORING) for one in timetable.monitored]
        served = {(name, flow): deployments.find_deployment(client, name, flow) for name, flow in wanted}
        missing = list(dict.fromkeys(name for (name, _), deployment in served.items() if deployment is None))
        if missing:
            raise SpecError(
                f"{listing(missing)} is not served by the Prefect server at {client.api_url}.",
                remedy=f"Start `perennial schedule {missing[0]}`, or set PREFECT_API_URL to the server that serves it.",
            )
        for deployment in served.values():
            if deployment is not None:
                (client.pause_deployment if paused else _resume)(deployment.id)


def _resume(deployment: UUID) -> None:
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        client.resume_deployment(deployment)
        # On Prefect's page a schedule can be switched off by itself.
        for schedule in client.read_deployment_schedules(deployment):
            client.update_deployment_schedule(deployment, schedule.id, active=True)


def _as_json(status: str, rows: Sequence[Listed]) -> dict[str, Any]:
    """The schedules as one JSON-ready object."""
    return {
        "status": status,
        "schedules": [
            {
                "pipeline": one.of.spec.name,
                **one.of.schedule.model_dump(mode="json"),
                "state": one.state,
                "next": [start.isoformat() for start in one.starts],
            }
            for one in rows
        ],
    }


def _show(rows: Sequence[Listed], console: "Console") -> None:
    """The schedules as a table for people."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("pipeline", "cron", "time zone", "state", "next", "also"):
        table.add_column(heading, no_wrap=heading not in ("next", "also"))
    for one in rows:
        schedule = one.of.schedule
        starts = ", ".join(map(_start_in_words, one.starts)) or "—"
        also = "new files" if schedule.watch else ""
        table.add_row(one.of.spec.name, schedule.cron, schedule.timezone, one.state, starts, also)
    console.print(table)


def _start_in_words(start: datetime) -> str:
    year = "" if start.year == datetime.now(start.tzinfo).year else f" {start.year}"
    return f"{start:%a %d %b}{year} {start:%H:%M}"


def serve(
    timetable: Timetable,
    home: Home,
    server: "subprocess.Popen[str] | None",
    at_once: int,
    *,
    as_json: bool,
) -> None:
    """Serve all of it until Ctrl-C or SIGTERM. A run that this cuts short is gone on with after the next start.

    `server`: the embedded one. Raises PrefectError when that ends.
    """
    from flows import deployments
    from flows.console import StepLines, terminal

    with suppress(KeyboardInterrupt), progress.heard_by(StepLines(terminal(stderr=True))):
        made = [
            deployments.deployment_of(one.spec, one.schedule, deployments.argument(one.path, one.spec))
            for one in timetable.scheduled
        ]
        asyncio.run(_serve(timetable, made, deployments_of(timetable.monitored), home, server, at_once, as_json))


async def _serve(
    timetable: Timetable,
    made: Sequence["RunnerDeployment"],
    made_monitors: Sequence["RunnerDeployment"],
    home: Home,
    server: "subprocess.Popen[str] | None",
    at_once: int,
    as_json: bool,
) -> None:
    from flows import tick_watch
    from flows.patient_runner import PatientRunner
    from flows.tick_watch import TickWatch

    # How often it asks for runs is Prefect's own setting, PREFECT_RUNNER_POLL_FREQUENCY (10 s).
    scheduled = timetable.scheduled
    runner = PatientRunner(name="perennial", limit=at_once, pause_on_shutdown=False)
    ids = [await runner.aadd_deployment(one) for one in made]
    # A look takes seconds, and must not wait for a training, which takes hours.
    looker = PatientRunner(name="perennial monitor", limit=LOOKS_AT_ONCE, pause_on_shutdown=False)
    monitor_ids = [await looker.aadd_deployment(one) for one in made_monitors]
    # Before the first run is started: of ticks that were missed, only the last one counts.
    served = [(one.spec, made_as) for one, made_as in zip(scheduled, ids, strict=True)]
    await asyncio.to_thread(_drop_older, served, home)
    await asyncio.to_thread(_drop_older_looks, monitor_ids)
    await asyncio.to_thread(_print, timetable, "serving", as_json)
    watched = [(one, made_as) for one, made_as in zip(scheduled, ids, strict=True) if one.schedule.watch]
    beside = [_again(POLL_SECONDS, _drop_older, served, home)] if served else []
    beside += [_again(POLL_SECONDS, _drop_older_looks, monitor_ids)] if monitor_ids else []
    beside += [_again(one.schedule.watch_seconds, _look, Watch(one.spec, home), made_as) for one, made_as in watched]
    ticks = TickWatch([(one.spec.name, one.schedule) for one in scheduled], home, os.environ[prefect_api.API_URL])
    beside.append(_again(tick_watch.LOOK_SECONDS, lambda: ticks.look(time.monotonic())))
    tasks = [asyncio.create_task(task) for task in beside]
    running = asyncio.gather(*(one.start() for one, ids_of in ((runner, ids), (looker, monitor_ids)) if ids_of))
    # Prefect sets a handler of its own at its start, which ends the process in the middle of everything.
    await asyncio.sleep(0)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    if server is not None:
        tasks.append(asyncio.create_task(_end_with(server, home)))
    try:
        with suppress(asyncio.CancelledError):
            await running
    finally:
        for task in tasks:
            task.cancel()


async def _end_with(server: "subprocess.Popen[str]", home: Home) -> None:
    """End this process when its server has ended: without it no tick has a run, and nobody would start it again."""
    while server.poll() is None:
        await asyncio.sleep(SERVER_SECONDS)
    # The runner's own end waits for a server that does not answer; what was at work ends with this process.
    error = prefect_server.ended(server, home)
    sys.stderr.write(f"Error: {error}\n")
    sys.stderr.flush()
    os._exit(error.exit_code)


async def _again(seconds: float, work: Callable[..., None], *arguments: Any) -> None:
    """Do it over and over; a server that is away for a while is asked again."""
    from httpx import HTTPError
    from prefect.exceptions import PrefectException

    away = False
    while True:
        try:
            await asyncio.to_thread(work, *arguments)
            away = False
        except (PrefectException, HTTPError, OSError, PerennialError) as error:
            if not away:
                progress.note(f"Prefect's server or the disk does not answer ({type(error).__name__}); trying again.")
            away = True
        await asyncio.sleep(seconds)


def _drop_older(served: Sequence[tuple[PipelineSpec, UUID]], home: Home) -> None:
    from prefect.client.orchestration import get_client

    from flows import run_overlap
    from flows.run_record import needless

    with get_client(sync_client=True) as client:
        for spec, deployment in served:
            if dropped := run_overlap.drop_older(client, deployment):
                latest, why = dropped[0]
                # One entry for all: those of a long absence would fill pages.
                others = f" It stands for {len(dropped)} that waited." if len(dropped) > 1 else ""
                needless(spec, home, run_overlap.trigger_of(latest), why + others)


def _drop_older_looks(served: Sequence[UUID]) -> None:
    """End all waiting looks at each live stream but the newest, which reads all that is new."""
    from prefect.client.orchestration import get_client

    from flows import run_overlap

    with get_client(sync_client=True) as client:
        for deployment in served:
            run_overlap.drop_older(client, deployment)


def _look(watch: Watch, deployment: UUID) -> None:
    from prefect.client.orchestration import get_client

    came = watch.look(time.monotonic())
    if came is None:
        return
    with get_client(sync_client=True) as client:
        if client.read_deployment(deployment).paused:
            return
        client.create_flow_run_from_deployment(deployment, parameters={"kind": "data", "detail": came})
    watch.answered()


def _starts(one: Scheduled) -> tuple[datetime, ...]:
    from flows import jitter, tick_watch

    schedule = one.schedule
    ticks = tick_watch.upcoming(schedule, SHOWN_STARTS, datetime.now(UTC))
    starts = (jitter.start_of(one.spec.name, tick, schedule.jitter_seconds) for tick in ticks)
    return tuple(start.astimezone(ZoneInfo(schedule.timezone)) for start in starts)
