"""From surges of series to alarms: one an event, in whatever series it is noticed, until it is over in all of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from perennial.monitoring.alarms.alarm import Alarm, at_least, severity_of
from perennial.monitoring.alarms.alarm_table import keep_alarms, kept_alarm
from perennial.monitoring.alarms.surge_texts import SurgeTexts
from perennial.monitoring.surges.events import Surge
from perennial.monitoring.surges.evidence import OVERLAP, SurgeText, with_evidence
from perennial.monitoring.trends.calendar import Calendar
from perennial.settings.monitor.alarms import AlarmsSpec


@dataclass
class AlarmChanges:
    """The alarms that a look made, or made other; by id."""

    new: dict[str, Alarm] = field(default_factory=dict)
    changed: dict[str, Alarm] = field(default_factory=dict)


class EventKeeper:
    """Keeps surges with the alarm that each belongs to, and the alarms."""

    def __init__(self, connection: sqlite3.Connection, spec: AlarmsSpec, texts: SurgeTexts) -> None:
        """`texts`: those of the label since the earliest open surge began."""
        self._connection, self._spec, self._texts = connection, spec, texts
        self.changes = AlarmChanges()

    def keep(self, surges: Sequence[Surge], calendar: Calendar) -> None:
        """Bring the alarms of these surges up to date; one that belongs to none yet makes one, or joins one.

        It joins where half of the smaller one's texts are the larger one's too: series overlap (a topic, an entity in
        it, all texts), so one story makes several surge.
        """
        if not surges:
            return
        touched = self._with_members(surges)
        first = min(one.opened for members in [*touched.values(), surges] for one in members)
        texts = self._texts.between(first, max(one.until for one in surges))
        ids = {
            alarm: {one.id for one in texts if any(one.is_in(member) for member in members)}
            for alarm, members in touched.items()
        }
        for surge in sorted(self._without_alarm(surges), key=lambda one: (one.opened, -one.counted, one.key)):
            own = {one.id for one in texts if one.is_in(surge)}
            alarm = self._joined(surge, own, ids, touched) or surge.id
            touched.setdefault(alarm, []).append(surge)
            ids.setdefault(alarm, set()).update(own)
        for alarm, members in touched.items():
            self._keep_members(alarm, members)
            self._keep_alarm(alarm, members, texts, calendar)

    def open_surges(self) -> list[Surge]:
        """Those that go on, of all series."""
        rows = self._connection.execute("SELECT surge FROM surges WHERE is_open ORDER BY id")
        return [Surge.model_validate_json(text) for (text,) in rows]

    def _with_members(self, surges: Sequence[Surge]) -> dict[str, list[Surge]]:
        """Each open alarm and each alarm of `surges`, with all its surges, of which `surges` are the newest state."""
        given = {one.id: one for one in surges}
        ids = ", ".join("?" * len(given))
        query = (
            "SELECT alarm, id, surge FROM surges WHERE alarm IN (SELECT alarm FROM surges WHERE is_open OR "  # noqa: S608
            f"id IN ({ids})) ORDER BY rowid"
        )
        touched: dict[str, list[Surge]] = {}
        for alarm, one, text in self._connection.execute(query, tuple(given)):
            touched.setdefault(alarm, []).append(given.get(one) or Surge.model_validate_json(text))
        return touched

    def _without_alarm(self, surges: Sequence[Surge]) -> list[Surge]:
        has = {one for (one,) in self._connection.execute("SELECT id FROM surges")}
        return [one for one in surges if one.id not in has]

    def _joined(
        self, surge: Surge, own: set[str], ids: dict[str, set[str]], touched: dict[str, list[Surge]]
    ) -> str | None:
        for alarm, others in ids.items():
            goes_on = any(one.cleared is None or one.cleared > surge.opened for one in touched[alarm])
            common = len(own & others)
            if goes_on and common and common >= OVERLAP * min(len(own), len(others)):
                return alarm
        return None

    def _keep_members(self, alarm: str, members: Sequence[Surge]) -> None:
        rows = [(one.id, alarm, one.cleared is None, one.model_dump_json()) for one in members]
        self._connection.executemany(
            "INSERT INTO surges VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
            "is_open = excluded.is_open, surge = excluded.surge",
            rows,
        )

    def _keep_alarm(self, one: str, members: Sequence[Surge], texts: Sequence[SurgeText], calendar: Calendar) -> None:
        before = kept_alarm(self._connection, one)
        surge = self._event(members, texts, before)
        severity = severity_of(surge, self._spec.severe_factor, self._spec.many_sources)
        if before and at_least(before.severity, severity):
            severity = before.severity
        noticed = before.noticed if before else None
        if noticed is None and surge.source_count >= self._spec.at_least_sources:
            noticed = _noticed(members[0], surge, texts, self._spec.at_least_sources, calendar)
        after = (before or Alarm(surge=surge, severity=severity)).model_copy(
            update={"surge": surge, "severity": severity, "noticed": noticed}
        )
        if after == before:
            return
        keep_alarms(self._connection, [after])
        if noticed:
            self._tell(before, after)

    def _event(self, members: Sequence[Surge], texts: Sequence[SurgeText], before: Alarm | None) -> Surge:
        """The first surge of an event, with what all of them have: its end, its series, what it is about."""
        lead = members[0]
        goes_on = any(one.cleared is None for one in members)
        ends = [one.cleared for one in members if one.cleared]
        until = max(one.until for one in members)
        whole = lead.model_copy(update={"until": until, "cleared": None if goes_on else max(ends)})
        whole = with_evidence(
            whole if goes_on else whole.model_copy(update={"state": lead.state}),
            texts,
            at_least_sources=self._spec.at_least_sources,
        )
        if before and whole.source_count < before.surge.source_count:
            # Some of its texts are not there any more.
            kept = ("sources", "source_count", "entities", "topics", "headlines")
            whole = whole.model_copy(update={name: getattr(before.surge, name) for name in kept})
        also = dict.fromkeys(one.key for one in members if one.key != lead.key)
        return whole.model_copy(update={"also": tuple(also)})

    def _tell(self, before: Alarm | None, after: Alarm) -> None:
        one = after.surge.id
        is_new = before is None or before.noticed is None
        (self.changes.new if is_new or one in self.changes.new else self.changes.changed)[one] = after
        events = ["begin"] if is_new else []
        if before and not is_new and before.severity != after.severity:
            events.append("worse")
        if after.is_over and not (before and before.noticed and before.is_over):
            events.append("over")
        self._connection.executemany("INSERT INTO news (alarm, event) VALUES (?, ?)", [(one, what) for what in events])


def _noticed(
    lead: Surge, surge: Surge, texts: Sequence[SurgeText], at_least_sources: int, calendar: Calendar
) -> datetime:
    """The end of the bucket in which it was a surge, and enough sources had it."""
    earliest: dict[str, datetime] = {}
    for text in texts:
        if text.is_in(surge):
            earliest.setdefault(text.source, text.time)
    first = calendar.end(calendar.start(lead.opened))
    enough = sorted(earliest.values())[at_least_sources - 1 : at_least_sources]
    return max(first, *(calendar.end(calendar.start(one)) for one in enough)) if enough else first
