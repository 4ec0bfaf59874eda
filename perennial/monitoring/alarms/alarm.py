"""The record of an alarm: a surge that people are told of, and what became of it."""

from datetime import datetime
from typing import Literal

from perennial.core.record import Record
from perennial.monitoring.surges.events import Surge

Severity = Literal["info", "warning", "critical"]
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")


class Alarm(Record):
    """One event, brought up to date in place from its first bucket to its end."""

    surge: Surge
    severity: Severity
    noticed: datetime | None = None
    """The end of the bucket by which it was a surge that enough sources have; None: it waits for sources."""
    told: tuple[datetime, ...] = ()
    """When people were told of it: that it began, grew worse, or is over."""
    kept_back: str | None = None
    """Why nobody was told yet: quiet hours, the rate limit, a channel that is down."""
    acknowledged_by: str | None = None
    acknowledged: datetime | None = None
    verdict: Literal["real", "false"] | None = None
    """What a person said of it afterwards."""

    @property
    def is_over(self) -> bool:
        """Whether all is clear, or what it was is usual now."""
        return self.surge.cleared is not None


def severity_of(surge: Surge, severe_factor: float, many_sources: int, many_series: int = 3) -> Severity:
    """By how far over what is usual it is, and how wide it is: in many sources, or several series."""
    is_wide = surge.source_count >= many_sources or 1 + len(surge.also) >= many_series
    return SEVERITIES[int(surge.factor >= severe_factor) + int(is_wide)]


def at_least(severity: Severity, least: Severity) -> bool:
    """Whether one severity is another one or worse."""
    return SEVERITIES.index(severity) >= SEVERITIES.index(least)
