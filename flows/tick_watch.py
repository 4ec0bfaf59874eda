"""Notices, while `perennial schedule` serves, that the next ticks have no runs, and says so before they pass."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from perennial.core import progress
from perennial.core.errors import listing
from perennial.core.home import Home
from perennial.scheduling import ticks
from perennial.scheduling.prefect_api import Server
from perennial.settings.schedule import ScheduleSpec

LOOK_SECONDS = 10
FIRST_SECONDS = 45
"""After the start, the scheduler plans the first runs within some seconds."""
LATER_SECONDS = 90
"""Later it looks once a minute; after the machine slept, all that was planned may lie behind it."""
AROUND_CLOCK_CHANGES = timedelta(hours=1)
"""By so much a run planned earlier and a tick reckoned now may differ where clocks change."""

MINUTES_THAT_COME_TWICE = 60


@dataclass
class TickWatch:
    """Looks again and again whether the next tick of each pipeline has a run, and says once when it has none."""

    schedules: Sequence[tuple[str, ScheduleSpec]]
    """Pipelines and their schedules."""
    home: Home
    address: str
    """Of the API of the server that serves them."""
    _since: dict[str, float] = field(default_factory=dict)
    """Since when a pipeline's next tick has been without a run."""
    _well: set[str] = field(default_factory=set)
    """Pipelines that had one once."""
    _told: set[str] = field(default_factory=set)

    def look(self, now: float) -> None:
        """Look once. `now`: seconds by any clock that only goes forward. Raises PrefectApiError."""
        missing = {
            pipeline: tick for pipeline, schedule in self.schedules if (tick := self._without(pipeline, schedule))
        }
        for pipeline in missing:
            self._since.setdefault(pipeline, now)
        new = [pipeline for pipeline in missing if pipeline not in self._told and self._is_over(pipeline, now)]
        if new:
            self._told.update(new)
            progress.note(self._problem(new, missing[new[0]]))
        self._mended(pipeline for pipeline, _ in self.schedules if pipeline not in missing)

    def _is_over(self, pipeline: str, now: float) -> bool:
        return now - self._since[pipeline] >= (LATER_SECONDS if pipeline in self._well else FIRST_SECONDS)

    def _mended(self, pipelines: Iterable[str]) -> None:
        for pipeline in pipelines:
            self._since.pop(pipeline, None)
            self._well.add(pipeline)
            if pipeline in self._told:
                self._told.remove(pipeline)
                progress.note(f"The ticks of {pipeline} have runs again.")

    def _without(self, pipeline: str, schedule: ScheduleSpec) -> datetime | None:
        """The pipeline's next tick, in its time zone, if that should have a run and has none."""
        server = Server(self.address)
        deployment = server.find(pipeline)
        if deployment is None or deployment.paused or deployment.is_off:
            return None
        tick = next_tick(schedule)
        if tick - datetime.now(UTC) > timedelta(days=ticks.DAYS_AHEAD - 1):
            return None
        return None if server.planned(deployment, until=tick + AROUND_CLOCK_CHANGES) else tick

    def _problem(self, pipelines: Sequence[str], tick: datetime) -> str:
        why = ticks.reason_without_runs(self.home, self.address)
        first, others = pipelines[0], f" The same with {listing(pipelines[1:])}." if len(pipelines) > 1 else ""
        return (
            f"Ticks pass without runs: the next of {first}, {tick:%a %d %b %H:%M} ({tick.tzinfo}), has none, which "
            f"Prefect's scheduler, a part of its server, should have planned.{others} {why.observed} {why.remedy} "
            f"Until then `perennial run {first}` starts one."
        )


def next_tick(schedule: ScheduleSpec) -> datetime:
    """The next tick as Prefect reckons it, in the schedule's time zone."""
    return upcoming(schedule, 1, datetime.now(UTC))[0]


def upcoming(schedule: ScheduleSpec, count: int, now: datetime) -> list[datetime]:
    """The next ticks from `now` on as Prefect reckons them, in the schedule's time zone."""
    from prefect.server.schemas.schedules import CronSchedule

    cron = CronSchedule(cron=schedule.cron, timezone=schedule.timezone)
    # In the hour in which clocks change it gives some that are past, at most one for each minute.
    for many in (count, count + MINUTES_THAT_COME_TWICE):
        upcoming_ticks = [tick for tick in asyncio.run(cron.get_dates(n=many, start=now)) if tick >= now]
        if len(upcoming_ticks) >= count:
            break
    return [tick.astimezone(ZoneInfo(schedule.timezone)) for tick in upcoming_ticks[:count]]
