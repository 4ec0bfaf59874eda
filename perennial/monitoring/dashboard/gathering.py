"""All that a dashboard shows, gathered from the stored texts, alarms, health and versions; nothing is measured anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from perennial.monitoring.alarms.alarm import Alarm
from perennial.monitoring.dashboard.became import what_became
from perennial.monitoring.dashboard.columns import answered
from perennial.monitoring.dashboard.counting import SeriesCounts
from perennial.monitoring.dashboard.dashboard_material import (
    MOST_ALARMS,
    MOST_MENTIONS,
    MOST_WINDOWS,
    DashboardMaterial,
)
from perennial.monitoring.dashboard.figures import (
    DashboardFigures,
    DrawnAlarm,
    DrawnRange,
    DrawnSeries,
    ShownText,
)
from perennial.monitoring.dashboard.ranges import time_ranges
from perennial.monitoring.dashboard.remarks import all_remarks
from perennial.monitoring.dashboard.selection import chosen_series, cut, series_name
from perennial.monitoring.dashboard.shown_texts import LONGEST_TEXT, NewestStories, TextPool, standing_out
from perennial.monitoring.dashboard.survey import MOST_MARKS, StreamSurvey
from perennial.monitoring.dashboard.tiles import head_tiles
from perennial.monitoring.health.health_figures import HealthFigures
from perennial.monitoring.trends.calendar import DAY, Calendar
from perennial.monitoring.trends.series import Key


def dashboard_figures(material: DashboardMaterial, now: datetime) -> DashboardFigures:
    """What the page draws; as large for any number of texts. `now`: aware; texts of later times are not drawn."""
    if iter(material.tables) is material.tables:
        raise ValueError("tables are gone through several times; give a list, or what reads them anew")
    survey = StreamSurvey(material.monitor.trends, now)
    for table in material.tables:
        survey.add(table)
    newest_first = sorted(material.alarms, key=lambda one: (one.surge.opened, one.surge.id), reverse=True)
    alarms = newest_first[:MOST_ALARMS]
    series = chosen_series(survey, alarms)
    drawn = _drawn_stream(material, survey, [one.key for one in series], alarms)
    health = sorted(material.health, key=lambda one: one.last)[-MOST_WINDOWS:]
    marks = sorted([*survey.answerers.marks(), *material.promotions[-MOST_MARKS:]], key=lambda one: one.since)
    calendar = Calendar(DAY, material.monitor.trends.timezone)
    return DashboardFigures(
        pipeline=material.pipeline,
        made=calendar.local(now),
        zone=calendar.zone,
        watched=material.monitor.alarms.label,
        tiles=tuple(head_tiles(survey, drawn.ranges, alarms, health, calendar)),
        series=series,
        ranges=drawn.ranges,
        texts=drawn.texts,
        newest=drawn.newest,
        alarms=tuple(_drawn_alarm(one, series, calendar) for one in alarms),
        versions=tuple(one.model_copy(update={"since": calendar.local(one.since)}) for one in marks),
        health=tuple(_local_health(one, calendar) for one in health),
        remarks=(*material.remarks, *all_remarks(material, survey, series, drawn.ranges)),
    )


@dataclass(frozen=True)
class _DrawnStream:
    """What is drawn of the texts themselves."""

    ranges: tuple[DrawnRange, ...] = ()
    texts: tuple[ShownText, ...] = ()
    newest: tuple[ShownText, ...] = ()


def _drawn_stream(
    material: DashboardMaterial, survey: StreamSurvey, keys: Sequence[Key], alarms: Sequence[Alarm]
) -> _DrawnStream:
    if survey.span is None:
        return _DrawnStream()
    trends, watched = material.monitor.trends, material.monitor.alarms.label
    ranges = time_ranges(trends, *survey.span, survey.answered)
    counted = SeriesCounts(ranges, keys)
    for table in material.tables:
        counted.add(answered(table, trends, watched).until(survey.now))
    # What stands out is known only now.
    pool, newest = TextPool(ranges, keys, standing_out(counted), alarms), NewestStories()
    for table in material.tables:
        texts = answered(table, trends, watched).until(survey.now)
        pool.add(texts)
        newest.add(texts)
    return _DrawnStream(counted.drawn(), pool.texts(), newest.shown(ranges[0], keys))


def _drawn_alarm(alarm: Alarm, series: Sequence[DrawnSeries], calendar: Calendar) -> DrawnAlarm:
    surge, keys = alarm.surge, [one.key for one in series]
    headlines = tuple(
        one.model_copy(update={"text": one.text and cut(one.text, LONGEST_TEXT)}) for one in surge.headlines
    )
    shown = surge.model_copy(
        update={
            "headlines": headlines,
            "opened": calendar.local(surge.opened),
            "until": calendar.local(surge.until),
            "cleared": surge.cleared and calendar.local(surge.cleared),
            "sources": surge.sources[:MOST_MENTIONS],
            "entities": surge.entities[:MOST_MENTIONS],
            "topics": surge.topics[:MOST_MENTIONS],
        }
    )
    return DrawnAlarm(
        alarm=alarm.model_copy(update={"surge": shown}),
        name=series_name(surge.key),
        series=keys.index(surge.key) if surge.key in keys else None,
        became=what_became(alarm, calendar),
    )


def _local_health(figures: HealthFigures, calendar: Calendar) -> HealthFigures:
    times = {name: calendar.local(getattr(figures, name)) for name in ("looked", "first", "last")}
    return figures.model_copy(update=times)
