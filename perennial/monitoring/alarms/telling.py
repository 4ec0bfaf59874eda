"""Who is told what of alarms, and when: once that it began, once a level that it grows, once that it is over.

What is to be told is kept with the alarms, in one change, so what a process that was killed did not tell, the next one
does. A message that was under way when it was killed can come twice: that is better than never.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from perennial.core.home import Home
from perennial.monitoring.alarms.alarm import Alarm, at_least
from perennial.monitoring.alarms.alarm_database import path_of, writing
from perennial.monitoring.alarms.alarm_table import keep_alarms, kept_alarm
from perennial.monitoring.alarms.quiet_hours import is_quiet
from perennial.monitoring.trends.series import Key
from perennial.settings.monitor import MonitorSpec
from perennial.settings.pipeline import PipelineSpec

OLD = timedelta(days=1)
"""What was over so long before it was noticed is no news: a first look finds the surges of months."""
DAY = timedelta(days=1)
NOBODY = "notify.urls_env names no channel"
TOO_SMALL, NO_NEWS = "its severity is below least_severity", "it was over for a day before it could be told"
QUIET, TOO_MANY, DOWN = "quiet hours", "the rate limit", "a channel that is down"


class AlarmNews(NamedTuple):
    """What people are told of one alarm."""

    alarm: Alarm
    title: str
    body: str
    mood: Literal["success", "warning", "failure"]


class Told(NamedTuple):
    """What became of news."""

    told: int = 0
    kept_back: int = 0
    """Told later: after quiet hours, when there is room, when a channel is up again."""


Send = Callable[[Sequence[AlarmNews]], bool]
"""Gives news to the channels, with what they could not deliver before; whether one at least took all of it."""


def tell_alarms(spec: PipelineSpec, home: Home, now: datetime, send: Send) -> Told:
    """Tell what there is to tell of a pipeline's alarms, and keep what became of it.

    `send` is called also where there is no news: something may wait that could not be delivered before.
    """
    if spec.monitor is None or not path_of(home, spec.name).exists():
        return Told()
    with writing(home, spec.name) as connection:
        desk = _Desk(connection, spec.name, spec.monitor, now)
        return desk.tell(send) if spec.notify.urls_env else desk.drop_all(NOBODY)


class _Desk:
    def __init__(self, connection: sqlite3.Connection, pipeline: str, monitor: MonitorSpec, now: datetime) -> None:
        self._connection, self._pipeline, self._now = connection, pipeline, now
        self._spec, self._zone = monitor.alarms, monitor.trends.timezone

    def tell(self, send: Send) -> Told:
        room = self._spec.most_a_day - self._sent_of_late()
        chosen: list[tuple[Alarm, list[str]]] = []
        for alarm, events in self._waiting():
            if alarm.acknowledged and "over" not in events:
                # Who looks after it knows.
                self._forget(alarm, alarm.kept_back)
            elif reason := self._never(alarm, events):
                self._forget(alarm, reason)
            elif reason := self._not_now(alarm, room - len(chosen)):
                self._keep(alarm, reason)
            else:
                chosen.append((alarm, events))
        is_delivered = send([self._news(alarm, events) for alarm, events in chosen])
        self._hand_over([alarm for alarm, _ in chosen], is_delivered=is_delivered)
        handed = len(self._handed())
        return Told(told=0 if handed else len(chosen), kept_back=handed + len(self._waiting()))

    def drop_all(self, reason: str) -> Told:
        for alarm, _ in self._waiting():
            self._forget(alarm, reason)
        return Told()

    def _waiting(self) -> list[tuple[Alarm, list[str]]]:
        """Alarms of which something is to be told, the earliest event first; with what."""
        events: dict[str, list[str]] = {}
        for one, event in self._connection.execute(
            "SELECT alarm, event FROM news WHERE handed IS NULL ORDER BY number"
        ):
            events.setdefault(one, []).append(event)
        alarms = [(kept_alarm(self._connection, one), what) for one, what in events.items()]
        return [(alarm, what) for alarm, what in alarms if alarm]

    def _handed(self) -> list[str]:
        rows = self._connection.execute("SELECT DISTINCT alarm FROM news WHERE handed IS NOT NULL")
        return [str(one) for (one,) in rows]

    def _never(self, alarm: Alarm, events: Sequence[str]) -> str | None:
        if not at_least(alarm.severity, self._spec.least_severity):
            return TOO_SMALL
        if "begin" in events and alarm.is_over and self._now - alarm.surge.until > OLD:
            return NO_NEWS
        return None

    def _not_now(self, alarm: Alarm, room: int) -> str | None:
        breaks = self._spec.critical_breaks_quiet and alarm.severity == "critical"
        if is_quiet(self._spec.quiet_hours, self._zone, self._now) and not breaks:
            return QUIET
        return TOO_MANY if room <= 0 else None

    def _sent_of_late(self) -> int:
        since = (self._now - DAY).isoformat()
        self._connection.execute("DELETE FROM messages WHERE at <= ?", (since,))
        (many,) = self._connection.execute("SELECT COUNT(*) FROM messages").fetchone()
        return int(many)

    def _hand_over(self, alarms: Sequence[Alarm], *, is_delivered: bool) -> None:
        for alarm in alarms:
            self._connection.execute("UPDATE news SET handed = 1 WHERE alarm = ?", (alarm.surge.id,))
            self._connection.execute("INSERT INTO messages VALUES (?)", (self._now.isoformat(),))
        for one in self._handed():
            alarm_now = kept_alarm(self._connection, one)
            if alarm_now and is_delivered:
                update = {"told": (*alarm_now.told, self._now), "kept_back": None}
                keep_alarms(self._connection, [alarm_now.model_copy(update=update)])
                self._connection.execute("DELETE FROM news WHERE alarm = ? AND handed IS NOT NULL", (one,))
            elif alarm_now:
                self._keep(alarm_now, DOWN)

    def _keep(self, alarm: Alarm, reason: str | None) -> None:
        keep_alarms(self._connection, [alarm.model_copy(update={"kept_back": reason})])

    def _forget(self, alarm: Alarm, reason: str | None) -> None:
        self._keep(alarm, reason)
        self._connection.execute("DELETE FROM news WHERE alarm = ? AND handed IS NULL", (alarm.surge.id,))

    def _news(self, alarm: Alarm, events: Sequence[str]) -> AlarmNews:
        title, body = worded(self._pipeline, alarm, events)
        mood: Literal["success", "warning", "failure"] = "failure" if alarm.severity == "critical" else "warning"
        return AlarmNews(alarm, title, body, "success" if "over" in events else mood)


def worded(pipeline: str, alarm: Alarm, events: Sequence[str]) -> tuple[str, str]:
    """Title and text of what happened to an alarm: events are begin, worse, over."""
    surge = alarm.surge
    if "over" in events:
        what = "is usual now" if surge.state == "usual now" else "over"
    else:
        what = f"{alarm.severity}, grew worse" if alarm.told else alarm.severity
    title = f"{pipeline}: surge of {surge.label} in {series_name(surge.key)} ({what})"
    return title, "\n".join(_lines(pipeline, alarm))


def _lines(pipeline: str, alarm: Alarm) -> Iterator[str]:
    surge = alarm.surge
    yield (
        f"{surge.counted:,} of {surge.texts:,} are {surge.label} ({surge.share:.0%}; usual are "
        f"{surge.usual_share:.0%}) from {surge.opened:%Y-%m-%d %H:%M} to {surge.until:%Y-%m-%d %H:%M} UTC."
    )
    if surge.cleared:
        yield f"Over since {surge.cleared:%Y-%m-%d %H:%M} UTC."
    if surge.also:
        yield f"Also in: {', '.join(series_name(key) for key in surge.also[:5])}."
    for name, mentions in (("Sources", surge.sources), ("Entities", surge.entities), ("Topics", surge.topics)):
        if mentions:
            yield f"{name}: {', '.join(f'{one.name} ({one.texts:,})' for one in mentions[:5])}."
    for headline in surge.headlines:
        yield f"- {headline.text}"
    yield f"Seen to: perennial alarms {pipeline} acknowledge {surge.id}"


def series_name(key: Key) -> str:
    """For people: the values of a series, as `topic energy`."""
    return ", ".join(f"{column} {value}" for column, value in key) or "all texts"
