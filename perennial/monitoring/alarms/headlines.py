"""Headlines taken out of what is kept of surges, as where a text has to be forgotten."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from perennial.core.home import Home
from perennial.monitoring.alarms.alarm import Alarm
from perennial.monitoring.alarms.alarm_database import path_of, reading, rewrite, writing
from perennial.monitoring.alarms.alarm_table import keep_alarms, kept_alarms
from perennial.monitoring.surges.events import Headline, Surge


def take_out(home: Home, pipeline: str, is_taken: Callable[[Headline], bool], *, erases: bool) -> int:
    """How many headlines `is_taken` is true of; `erases`: they are gone when this returns, and leave no bytes behind.

    Raises BusyError while another process writes, StoreError if the file is damaged.
    """
    if not path_of(home, pipeline).exists():
        return 0
    if not erases:
        with reading(home, pipeline) as connection:
            return _taken(connection, is_taken)[2] if connection else 0
    with writing(home, pipeline) as connection:
        alarms, surges, count = _taken(connection, is_taken)
        keep_alarms(connection, alarms)
        rows = [(one.model_dump_json(), one.id) for one in surges]
        connection.executemany("UPDATE surges SET surge = ? WHERE id = ?", rows)
    if count:
        rewrite(home, pipeline)
    return count


def _taken(
    connection: sqlite3.Connection, is_taken: Callable[[Headline], bool]
) -> tuple[list[Alarm], list[Surge], int]:
    """The alarms and surges that lose headlines, without them, and how many these are."""
    alarms = [(one, _without(one.surge, is_taken)) for one in kept_alarms(connection)]
    kept = (Surge.model_validate_json(text) for (text,) in connection.execute("SELECT surge FROM surges"))
    surges = [(one, _without(one, is_taken)) for one in kept]
    count = sum(len(one.surge.headlines) - len(left.headlines) for one, left in alarms)
    count += sum(len(one.headlines) - len(left.headlines) for one, left in surges)
    return (
        [one.model_copy(update={"surge": left}) for one, left in alarms if left != one.surge],
        [left for one, left in surges if left != one],
        count,
    )


def _without(surge: Surge, is_taken: Callable[[Headline], bool]) -> Surge:
    return surge.model_copy(update={"headlines": tuple(one for one in surge.headlines if not is_taken(one))})
