"""Settings of alarms: when people are told of a surge."""

import re
from typing import Literal

from pydantic import Field, field_validator

from perennial.settings.base import Label, Settings

_CLOCK = r"([01]\d|2[0-3]):[0-5]\d"


class AlarmsSpec(Settings):
    """An alarm is one event: it is told once, brought up to date in place, and told as over."""

    label: Label = "negative"
    """What is watched: an unusual share, and number, of texts with this answer."""
    count: Literal["stories", "texts"] = "stories"
    """What a surge is a surge of. stories: copies and retellings of a story don't count, else every text that an agency
    syndicates would be one. texts: each telling counts."""
    false_alarms_per_month: float = Field(default=1.0, gt=0, le=1000)
    """How many alarms may be chance, of all series together, on average."""
    most_watched: int = Field(default=20, ge=1, le=1000)
    """Series in which surges are looked for: those with most texts of late. Each gets the same part of the false
    alarms, so more of them means that each has to be louder."""
    at_least_sources: int = Field(default=1, ge=1)
    """An event is told when so many sources have it."""
    wait_minutes: float = Field(default=10, ge=0, le=24 * 60)
    """How long after its end a bucket is looked at, in minutes, so that texts which come a little late are in it."""
    severe_factor: float = Field(default=3.0, gt=1)
    """From so many times the usual share an alarm is one level more severe: info, warning, critical."""
    many_sources: int = Field(default=5, ge=2)
    """From so many sources, or three series, an alarm is one level more severe, too."""
    least_severity: Literal["info", "warning", "critical"] = "info"
    """Alarms below this severity are kept in the table and not told."""
    quiet_hours: str | None = None
    """When nobody is told, by the clock of trends.timezone, as 22:00-07:00: what begins then is told afterwards."""
    critical_breaks_quiet: bool = True
    """Whether critical alarms are told in quiet hours, too."""
    most_a_day: int = Field(default=10, ge=1)
    """Messages in 24 hours, at most. What is over this is told when there is room again, as it then stands."""

    @field_validator("quiet_hours")
    @classmethod
    def _from_to(cls, hours: str | None) -> str | None:
        if hours is not None and not re.fullmatch(rf"{_CLOCK}-{_CLOCK}", hours):
            raise ValueError("two times of the day were expected, from and to, such as 22:00-07:00")
        return hours
