"""What a dashboard does not show, and why: each part of the page says so in its place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from perennial.monitoring.dashboard.dashboard_material import MOST_ALARMS, MOST_WINDOWS, DashboardMaterial
from perennial.monitoring.dashboard.figures import About, DashboardRemark, DrawnRange, DrawnSeries
from perennial.monitoring.dashboard.ranges import LONGEST
from perennial.monitoring.dashboard.selection import selection_remarks
from perennial.monitoring.dashboard.survey import MOST_MARKS, StreamSurvey


def all_remarks(
    material: DashboardMaterial, survey: StreamSurvey, series: Sequence[DrawnSeries], ranges: Sequence[DrawnRange]
) -> Iterator[DashboardRemark]:
    """One for each thing that is missing or left out."""
    yield from _about("stream", _of_the_stream(material, survey, ranges))
    yield from selection_remarks(survey, series)
    yield from _about("texts", _of_texts(survey))
    yield from _about("alarms", _of_alarms(material, series))
    yield from _about("health", _of_health(material))
    yield from _about("versions", _of_versions(survey))


def _about(about: About, sentences: Iterator[str]) -> Iterator[DashboardRemark]:
    return (DashboardRemark(about=about, text=text) for text in sentences)


def _of_the_stream(material: DashboardMaterial, survey: StreamSurvey, ranges: Sequence[DrawnRange]) -> Iterator[str]:
    if not survey.texts:
        yield f"No text is stored yet: `perennial monitor {material.pipeline}` reads the stream."
        return
    if unanswered := survey.texts - survey.answered:
        yield f"{unanswered:,} of {survey.texts:,} stored texts have no time or no label, and are counted nowhere."
    if survey.future:
        yield f"{survey.future:,} texts bear a time to come, and are not drawn."
    if survey.span and survey.span[1] - survey.span[0] > LONGEST:
        yield (
            f"Texts from more than {LONGEST.days} days before the newest one are not drawn; the earliest is of "
            f"{survey.span[0]:%Y-%m-%d}."
        )
    if ranges and len(ranges[0].starts) == 1:
        yield "All texts are of one bucket of time: there is no course to be drawn yet."
    if survey.answered and not survey.toned:
        yield (
            "No answer is one of monitor.trends.positive or monitor.trends.negative, so that the index is 0 "
            "everywhere: name the model's labels there."
        )


def _of_texts(survey: StreamSurvey) -> Iterator[str]:
    if survey.without_text == survey.answered > 0:
        yield "No words of the texts are stored: their ids are shown."
    elif survey.without_text:
        yield f"{survey.without_text:,} of {survey.answered:,} texts are stored without their words: ids are shown."


def _of_alarms(material: DashboardMaterial, series: Sequence[DrawnSeries]) -> Iterator[str]:
    if not material.alarms:
        yield "No alarm has sounded."
    if len(material.alarms) > MOST_ALARMS:
        yield f"The newest {MOST_ALARMS} of {len(material.alarms):,} alarms are shown."
    keys = {one.key for one in series}
    if elsewhere := sum(one.surge.key not in keys for one in material.alarms):
        yield f"{elsewhere:,} are of series that are not drawn, and stand in the list alone."


def _of_health(material: DashboardMaterial) -> Iterator[str]:
    if not material.health:
        every = material.monitor.health.window_texts
        yield f"The model's health was not looked at yet: that is done each time {every:,} more texts were answered."
    elif len(material.health) > MOST_WINDOWS:
        yield f"The newest {MOST_WINDOWS} of {len(material.health):,} looks are shown."


def _of_versions(survey: StreamSurvey) -> Iterator[str]:
    if survey.answerers.changes >= MOST_MARKS:
        yield (
            f"The version that answers changed {survey.answerers.changes:,} times; the last {MOST_MARKS} changes are "
            "marked."
        )
