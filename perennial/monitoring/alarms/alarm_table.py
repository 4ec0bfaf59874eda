"""The table of alarms: what there were, and what people say of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from perennial.core.errors import SpecError, listing
from perennial.core.home import Home
from perennial.monitoring.alarms.alarm import Alarm
from perennial.monitoring.alarms.alarm_database import reading, writing


def alarms_of(home: Home, pipeline: str) -> list[Alarm]:
    """All alarms of a pipeline, by the time at which their surge began; those that wait for sources are none yet."""
    with reading(home, pipeline) as connection:
        return [one for one in kept_alarms(connection) if one.noticed] if connection else []


def kept_alarms(connection: sqlite3.Connection, *, open_only: bool = False) -> list[Alarm]:
    """Those in a pipeline's file, with those that wait for sources."""
    query = "SELECT alarm FROM alarms WHERE is_over = 0 OR ? ORDER BY opened, id"
    return [Alarm.model_validate_json(text) for (text,) in connection.execute(query, (not open_only,))]


def kept_alarm(connection: sqlite3.Connection, one: str) -> Alarm | None:
    """The alarm with an id; None: there is none."""
    row = connection.execute("SELECT alarm FROM alarms WHERE id = ?", (one,)).fetchone()
    return Alarm.model_validate_json(row[0]) if row else None


def keep_alarms(connection: sqlite3.Connection, alarms: Iterable[Alarm]) -> None:
    """Add these, or bring them up to date in place."""
    rows = [(one.surge.id, one.surge.opened.isoformat(), one.is_over, one.model_dump_json()) for one in alarms]
    connection.executemany("INSERT OR REPLACE INTO alarms VALUES (?, ?, ?, ?)", rows)


def acknowledge(home: Home, pipeline: str, one: str, who: str, now: datetime) -> Alarm:
    """Somebody has seen the alarm `one` and looks after it: until it is over, nobody is told more of it.

    One that was acknowledged before stays so, by whom it was. Raises SpecError if there is no such alarm.
    """
    with writing(home, pipeline) as connection:
        alarm = _named(connection, pipeline, one)
        if alarm.acknowledged is None:
            alarm = alarm.model_copy(update={"acknowledged_by": who, "acknowledged": now})
            keep_alarms(connection, [alarm])
        return alarm


def judge(home: Home, pipeline: str, one: str, verdict: Literal["real", "false"]) -> Alarm:
    """Somebody says whether the alarm `one` was worth being told of; a later verdict replaces an earlier one."""
    with writing(home, pipeline) as connection:
        alarm = _named(connection, pipeline, one).model_copy(update={"verdict": verdict})
        keep_alarms(connection, [alarm])
        return alarm


def _named(connection: sqlite3.Connection, pipeline: str, one: str) -> Alarm:
    alarms = [alarm for alarm in kept_alarms(connection) if alarm.noticed]
    chosen = [alarm for alarm in alarms if one and alarm.surge.id.startswith(one)]
    if len(chosen) == 1:
        return chosen[0]
    ids = listing([alarm.surge.id for alarm in reversed(chosen or alarms)])
    several = f"{len(chosen)} alarms of {pipeline} have ids that begin with {one!r}: {ids}."
    none = f"{pipeline} has no alarm {one!r}; {f'there are {ids}' if alarms else 'it has had none yet'}."
    raise SpecError(
        several if chosen else none,
        remedy=f"`perennial alarms {pipeline}` lists them.",
    )
