"""The figures of the page's head."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from perennial.core.percent import percent
from perennial.monitoring.alarms.alarm import Alarm
from perennial.monitoring.dashboard.figures import DashboardTile, DrawnRange, IndexFigure
from perennial.monitoring.dashboard.survey import StreamSurvey
from perennial.monitoring.health.health_figures import HealthFigures
from perennial.monitoring.trends.calendar import Calendar

OPEN = ("open", "waiting")


def head_tiles(
    survey: StreamSurvey,
    ranges: Sequence[DrawnRange],
    alarms: Sequence[Alarm],
    health: Sequence[HealthFigures],
    calendar: Calendar,
) -> Iterator[DashboardTile]:
    """What a person wants to know first."""
    if ranges and survey.span:
        whole = ranges[0].series[0].total
        newest = f"the newest of {calendar.local(survey.span[1]):%Y-%m-%d %H:%M}"
        yield DashboardTile(name="texts", value=f"{whole.texts:,}", note=f"{whole.stories:,} stories; {newest}")
        for one in {ranges[0].name: ranges[0], ranges[-1].name: ranges[-1]}.values():
            figure = one.series[0].total
            name = "sentiment" if one is ranges[0] else f"sentiment, {one.name}"
            yield DashboardTile(name=name, value=in_words(figure.index), note=_interval(figure))
    going_on = sum(one.surge.state in OPEN for one in alarms)
    note = f"of {len(alarms):,} in all" if alarms else "none has sounded"
    yield DashboardTile(name="open alarms", value=f"{going_on:,}", note=note)
    if version := survey.answerers.version:
        yield DashboardTile(name="answered by", value=f"version {version}")
    if health:
        yield from _health_tiles(health[-1])


def in_words(index: float | None) -> str:
    """An index as people read it."""
    return "—" if index is None else f"{index:+.2f}".replace("-", "−")


def _interval(figure: IndexFigure) -> str:
    return f"{in_words(figure.low)} to {in_words(figure.high)}; −1 all negative, +1 all positive"


def _health_tiles(newest: HealthFigures) -> Iterator[DashboardTile]:
    estimated = newest.estimated_accuracy
    if estimated is not None:
        interval = newest.estimated_interval
        note = f"{percent(interval.low)} to {percent(interval.high)}, without labels" if interval else "without labels"
        yield DashboardTile(name="estimated accuracy", value=percent(estimated, 1), note=note)
    elif newest.accuracy is not None:
        note = f"of {newest.labelled:,} texts whose labels came"
        yield DashboardTile(name="accuracy", value=percent(newest.accuracy, 1), note=note)
    else:
        yield DashboardTile(name="accuracy", value="—", note="can't be told")
