"""Seasons as columns of a regression: hours, weekdays, holidays and a slow trend, with what each may come to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perennial.monitoring.trends.calendar import CalendarTimes

DAYS_OF_A_TREND = 28.0
WEEKEND = 5


@dataclass(frozen=True)
class SeasonPriors:
    """How large a season's effects are likely to be: standard deviations, on the scale of a logarithm or a logit."""

    weekday: float
    slot: float
    """Of the hour of the day, or however wide buckets are."""
    free_slot: float
    """By how much more an hour of Saturdays, Sundays and holidays differs."""
    holiday: float
    trend: float
    """In 28 days."""


OF_COUNTS = SeasonPriors(weekday=0.7, slot=1.0, free_slot=0.5, holiday=0.7, trend=0.3)
"""At night there is a tenth of what there is at noon."""
OF_SHARES = SeasonPriors(weekday=0.15, slot=0.15, free_slot=0.1, holiday=0.2, trend=0.2)
LEVEL = 10.0
"""Nothing is supposed of a series' level."""
MOST_SLOTS = 24
"""Of a day's season: quarters of an hour share their hour's, or more were to be learned than days can tell."""


def season_slots(slots: int) -> int:
    """How many slots the season of a day with so many buckets has."""
    return min(slots, MOST_SLOTS)


def season_design(times: CalendarTimes, days: np.ndarray, slots: int) -> np.ndarray:
    """The columns: level, trend, holiday, seven weekdays, and hours twice (all days; free days); (n, p).

    `days`: how long before now each of the `n` buckets is, as a number below 0. `slots`: how many buckets a day has.
    """
    in_season = season_slots(slots)
    one = np.ones(len(days))
    columns = [one, days / DAYS_OF_A_TREND, times.holiday.astype(float)]
    columns += [times.weekday == day for day in range(7)]
    if in_season > 1:
        hours = [times.slot * in_season // slots == slot for slot in range(in_season)]
        columns += hours + [hour & (times.weekday >= WEEKEND) for hour in hours]
    return np.column_stack(columns).astype(float)


def season_scales(priors: SeasonPriors, slots: int) -> np.ndarray:
    """What each column's coefficient may come to; (p,)."""
    slots = season_slots(slots)
    scales = [LEVEL, priors.trend, priors.holiday] + [priors.weekday] * 7
    if slots > 1:
        scales += [priors.slot] * slots + [priors.free_slot] * slots
    return np.array(scales)
