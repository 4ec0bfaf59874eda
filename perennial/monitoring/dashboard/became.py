"""What became of an alarm, in sentences."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from perennial.monitoring.alarms.alarm import Alarm
from perennial.monitoring.trends.calendar import Calendar

_STATES = {
    "waiting": "It waits: too few sources have it yet.",
    "open": "It is open.",
    "usual now": "It lasted so long that it is usual now.",
}


def what_became(alarm: Alarm, calendar: Calendar) -> str:
    """Of the surge, of telling people, and what people said."""
    return " ".join(_sentences(alarm, calendar))


def _sentences(alarm: Alarm, calendar: Calendar) -> Iterator[str]:
    def at(time: datetime) -> str:
        return f"{calendar.local(time):%Y-%m-%d %H:%M}"

    surge = alarm.surge
    if surge.state == "cleared":
        yield f"All was clear at {at(surge.cleared)}." if surge.cleared else "It is over."
    else:
        yield _STATES[surge.state]
    if alarm.told:
        times = "once" if len(alarm.told) == 1 else f"{len(alarm.told)} times, last"
        yield f"Told {times} at {at(max(alarm.told))}."
    elif alarm.kept_back:
        yield f"Nobody was told: {alarm.kept_back.rstrip('.')}."
    else:
        yield "Nobody was told yet."
    if alarm.acknowledged_by:
        when = f" at {at(alarm.acknowledged)}" if alarm.acknowledged else ""
        yield f"{alarm.acknowledged_by} acknowledged it{when}."
    if alarm.verdict:
        yield "A person said that it was real." if alarm.verdict == "real" else "A person said that it was false."
