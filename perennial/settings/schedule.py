"""Settings of the schedule: when a run starts by itself, and what else starts one."""

import zoneinfo

from pydantic import Field, field_validator

from perennial.core import cron_expression
from perennial.settings.base import Settings


class ScheduleSpec(Settings):
    """When `perennial schedule` starts a run. A run that finds nothing new ends as skipped, in seconds."""

    cron: str
    """Five fields: minute, hour, day of month, month, day of week. Days that no month has and steps beyond a field are
    refused. Needed beside other triggers, too: what they miss while a machine is down, the next tick finds."""
    timezone: str = "UTC"
    """Of cron, by its IANA name such as Europe/Berlin. The hour of the day stays over the year. A tick in the hour that
    clocks skip in spring comes an hour earlier (02:30 at 01:30; an hour later, at 03:30, where Prefect's server runs on
    Python 3.13 or newer); the hour that comes twice in autumn counts once, the first time, so that an hourly cron
    leaves out an hour."""
    jitter_seconds: int = Field(default=0, ge=0, le=6 * 3600)
    """A run starts up to this long after its tick, always the same for one tick of one pipeline, so that many pipelines
    of one cron don't ask one registry or database all at once."""
    min_new_rows: int = Field(default=1, ge=0)
    """A run that a schedule or new data started is skipped with fewer new rows."""
    watch: bool = False
    """true: a new or changed file of data.source (type file) starts a run, too."""
    watch_seconds: float = Field(default=10, ge=0.2, le=3600)
    """How often the folder is looked into."""
    settle_seconds: float = Field(default=30, ge=0.2, le=3600)
    """New data starts a run when this long no more came: a file that is still written to is not read half, and many
    files, or many events, are one run."""

    @field_validator("cron")
    @classmethod
    def _known_cron(cls, cron: str) -> str:
        cron_expression.check_cron(cron)
        return cron

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, name: str) -> str:
        try:
            zoneinfo.ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{name!r} is no time zone; they are named like UTC, Europe/Berlin, Asia/Tokyo") from None
        return name
