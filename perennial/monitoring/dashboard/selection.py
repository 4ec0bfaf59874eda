"""Which series are drawn: all texts, the values with most texts of each column, and what alarms are about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from perennial.core.errors import listing
from perennial.monitoring.alarms.alarm import Alarm
from perennial.monitoring.dashboard.figures import DashboardRemark, DrawnSeries
from perennial.monitoring.dashboard.survey import StreamSurvey
from perennial.monitoring.trends.series import Key

MOST_OF = {"topic": 12, "entities": 20}
MOST_OF_ANY = 10
"""Of the values of another column."""
MOST_SERIES = 60
MOST_ALARMS_DRAWN = 20
"""The series of the newest alarms are drawn, however few texts they have."""
LONGEST_NAME = 60
"""Characters."""


def chosen_series(survey: StreamSurvey, alarms: Sequence[Alarm]) -> tuple[DrawnSeries, ...]:
    """All texts first; then column by column, the values with most texts first. `alarms`: the newest first."""
    alarming = {key for alarm in alarms[:MOST_ALARMS_DRAWN] if _is_one_value(key := alarm.surge.key, survey)}
    keys: list[Key] = [()]
    for column in survey.by:
        counts: dict[str, int] = survey.values.get(column, Counter())
        most = [((column, value),) for value, _ in _ordered(counts)[: MOST_OF.get(column, MOST_OF_ANY)]]
        also = sorted((key for key in alarming if key[0][0] == column and key not in most), key=str)
        keys += [*most, *also]
    return tuple(DrawnSeries(key=key, name=series_name(key)) for key in keys[:MOST_SERIES])


def series_name(key: Key) -> str:
    """For people: the value, or all texts; of several columns each with its name."""
    if len(key) == 1:
        return cut(key[0][1], LONGEST_NAME)
    return cut(", ".join(f"{column} {value}" for column, value in key), 2 * LONGEST_NAME) or "all texts"


def cut(text: str, longest: int) -> str:
    """`text` of so many characters at most."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def selection_remarks(survey: StreamSurvey, series: Sequence[DrawnSeries]) -> Iterator[DashboardRemark]:
    """Which columns have no values, and how many values are not drawn."""
    if not survey.answered:
        return
    if empty := [column for column in survey.by if not survey.values.get(column)]:
        yield _remark(f"The stream has no {listing(empty)}: there is nothing to choose by.")
    for column in survey.by:
        there = len(survey.values.get(column, {}))
        drawn = sum(one.key[0][0] == column for one in series if one.key)
        if there > drawn:
            more = " or more" if column in survey.rare_dropped else ""
            yield _remark(f"{column}: {drawn:,} of {there:,}{more} values are drawn, those with most texts first.")


def _remark(text: str) -> DashboardRemark:
    return DashboardRemark(about="series", text=text)


def _is_one_value(key: Key, survey: StreamSurvey) -> bool:
    return len(key) == 1 and key[0][0] in survey.by


def _ordered(counts: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda one: (-one[1], one[0]))
