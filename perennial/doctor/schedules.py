"""The schedules: whether they are served, and whether their ticks have runs that somebody starts."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from perennial.core import cron_expression
from perennial.core.errors import PerennialError
from perennial.core.home import Home
from perennial.core.masking import mask_secrets
from perennial.doctor.finding import HealthFinding
from perennial.pipeline_file import loader
from perennial.runs import one_run
from perennial.scheduling import prefect_api, ticks
from perennial.scheduling.prefect_api import Deployment, PrefectApiError, Server
from perennial.settings.schedule import ScheduleSpec

NAME = "schedules"
NEW_SECONDS = 60
"""After a change the server's scheduler takes up to so long until it plans."""
LATE_SECONDS = 600
"""A run that nobody has started for so long is not just waiting its turn."""


def schedules(home: Home) -> Iterator[HealthFinding]:
    """Each pipeline's schedule is served, its next tick has a run, and no run waits for somebody to start it."""
    by_pipeline = dict(_with_schedule())
    if not by_pipeline:
        yield HealthFinding.ok(NAME, "no pipeline here has one")
        return
    address = prefect_api.in_use(home)
    if address is None:
        yield HealthFinding.ok(
            NAME, f"nothing serves schedules now ({len(by_pipeline)} here); `perennial schedule` does"
        )
        return
    for name, schedule in by_pipeline.items():
        try:
            yield _finding(name, schedule, home, address)
        except PrefectApiError as error:
            yield HealthFinding.warning(
                f"schedule {name}", f"not looked at: {error.problem}", "See what is said of Prefect."
            )
            return


def _with_schedule() -> Iterator[tuple[str, ScheduleSpec]]:
    for file in sorted(loader.PIPELINES.glob(f"*/{loader.FILE}")):
        try:
            spec = loader.read_pipeline(file)
        except PerennialError:
            continue  # said by the check of pipelines
        if spec.schedule is not None:
            yield spec.name, spec.schedule


def _finding(pipeline: str, schedule: ScheduleSpec, home: Home, address: str) -> HealthFinding:
    server, name = Server(address), f"schedule {pipeline}"
    deployment = server.find(pipeline)
    if deployment is None:
        remedy = f"Start `perennial schedule {pipeline}`, or set PREFECT_API_URL to the server that serves it."
        return HealthFinding.warning(name, f"not served by the Prefect server at {mask_secrets(address)}", remedy)
    if deployment.paused:
        return HealthFinding.ok(name, f"paused; `perennial schedule --resume {pipeline}` lets it go on")
    if deployment.is_off:
        remedy = f"If that is not meant, `perennial schedule --resume {pipeline}` switches it on."
        return HealthFinding.warning(name, "its schedule is switched off on Prefect's page: no tick has a run", remedy)
    # A run that was killed may be called running for ever; one that lives renews its lease.
    if (late := server.late(deployment, LATE_SECONDS)) and not one_run.at_work(home):
        return _nobody_starts(name, late)
    planned = server.planned(deployment)
    if planned is not None:
        return HealthFinding.ok(
            name, f"{schedule.cron} ({schedule.timezone}): served, the next run is planned for {_told(planned)}"
        )
    return _unplanned(name, schedule, deployment, home, address)


def _unplanned(name: str, schedule: ScheduleSpec, deployment: Deployment, home: Home, address: str) -> HealthFinding:
    now = datetime.now(UTC)
    # Today's tick may be over, and today may be another day where the schedule is.
    if not cron_expression.comes_within(schedule.cron, ticks.DAYS_AHEAD - 3, now.date() + timedelta(days=2)):
        return HealthFinding.ok(
            name, f"served; a tick that is more than {ticks.DAYS_AHEAD} days away is not planned yet"
        )
    if now - deployment.updated < timedelta(seconds=NEW_SECONDS):
        return HealthFinding.ok(name, "served since a moment ago; its runs are planned within a minute")
    why = ticks.reason_without_runs(home, address)
    fault = "served, but its next tick has no run, and passes without one: the server's scheduler plans none."
    return HealthFinding.problem(name, f"{fault} {why.observed}", why.remedy)


def _nobody_starts(name: str, late: list[datetime]) -> HealthFinding:
    many = f"{len(late)} runs wait" if len(late) > 1 else "a run waits"
    return HealthFinding.problem(
        name,
        f"{many} since {_told(late[0])}, and nobody starts {'them' if len(late) > 1 else 'it'}",
        "Start `perennial schedule` where the runs are to be, or a worker of their work pool (docs/scheduling.md).",
    )


def _told(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
