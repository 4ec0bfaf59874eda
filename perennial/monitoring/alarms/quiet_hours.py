"""When nobody is told of anything."""

from __future__ import annotations

from datetime import datetime, time
from zoneinfo import ZoneInfo


def is_quiet(hours: str | None, zone: str, now: datetime) -> bool:
    """Whether `now` (aware) is in `hours`, as 22:00-07:00 by the clock of `zone`; the end is not in it."""
    if hours is None:
        return False
    begin, end = (time.fromisoformat(one) for one in hours.split("-"))
    clock = now.astimezone(ZoneInfo(zone)).time()
    return begin <= clock < end if begin <= end else clock >= begin or clock < end
