"""Streams of texts, hour by hour, with seasons, noise and surges of which all is known."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np

FIRST = datetime(2024, 3, 4, tzinfo=UTC)
HOURS = 24
HOLIDAYS = tuple(date(2024, 3, 4) + timedelta(days=day) for day in (9, 25, 28, 59, 66, 77))
FACTORS = (2.0, 3.0, 5.0)
MOST_SHARE = 0.95


@dataclass(frozen=True)
class Streams:
    """`s` streams of so many hours."""

    texts: np.ndarray
    """(s, hours)."""
    negative: np.ndarray
    """(s, hours)."""
    a_day: np.ndarray
    """(s,): mean texts a day."""
    surge_start: np.ndarray
    """(s,): the hour at which the planted surge begins; -1: none."""
    surge_end: np.ndarray
    factor: np.ndarray
    """(s,): how many times the usual share."""


def simulate(
    random: np.random.Generator, streams: int, history_days: int, watched_days: int, *, planted: float = 0.5
) -> Streams:
    """Draw streams of 20 to 2,000 texts a day (log-uniform), a share `planted` of which has a surge while watched.

    Those have an older one in their history, too, which nobody marked. Starts are any hour, whatever the hour's texts.
    """
    days = history_days + watched_days
    a_day = np.exp(random.uniform(np.log(20), np.log(2000), streams))
    texts = random.poisson(_rates(random, a_day, days))
    share = _shares(random, streams, days)
    has = np.arange(streams) < round(planted * streams)
    factor = np.where(has, np.resize(FACTORS, streams), 1.0)
    length = np.where(has, _lengths(random, a_day), 0)
    start = (history_days + 2) * HOURS + random.integers(0, np.maximum(1, (watched_days - 4) * HOURS - length))
    old = random.integers(0, np.maximum(1, history_days * HOURS - length))
    hour = np.arange(days * HOURS)[None, :]
    for begin in (old, start):
        inside = has[:, None] & (hour >= begin[:, None]) & (hour < (begin + length)[:, None])
        share = np.where(inside, np.minimum(MOST_SHARE, share * factor[:, None]), share)
    return Streams(
        texts, random.binomial(texts, share), a_day, np.where(has, start, -1), np.where(has, start + length, -1), factor
    )


def _lengths(random: np.random.Generator, a_day: np.ndarray) -> np.ndarray:
    """Hours: longer where little is written, as nobody can see half a day of a series with 20 texts a day."""
    return np.where(a_day < 200, random.integers(72, 120, len(a_day)), random.integers(24, 72, len(a_day)))


def _calendar(days: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    dates = [FIRST.date() + timedelta(days=day) for day in range(days)]
    weekday = np.array([one.weekday() for one in dates])
    holiday = np.array([one in HOLIDAYS for one in dates])
    return weekday, holiday, np.arange(HOURS)


def _rates(random: np.random.Generator, a_day: np.ndarray, days: int) -> np.ndarray:
    """Texts an hour: two peaks a day, weekends and holidays, a random walk by week, days that are busy."""
    weekday, holiday, hour = _calendar(days)
    s = len(a_day)
    peaks = random.normal((10.0, 16.0), 1.0, (s, 2))[:, :, None]
    day = 0.08 + np.sum(np.exp(-0.5 * ((hour - peaks) / 2.5) ** 2) * random.uniform(0.5, 1, (s, 2, 1)), axis=1)
    flat = 0.3 + np.exp(-0.5 * ((hour - 14) / 5.0) ** 2)
    free = (weekday >= 5) | holiday
    profile = np.where(
        free[None, :, None], (flat / flat.mean())[None, None], (day / day.mean(axis=1, keepdims=True))[:, None]
    )
    levels = (
        np.where(free[None, :], random.uniform(0.3, 0.9, (s, 1)), 1.0) * random.lognormal(0, 0.1, (s, 7))[:, weekday]
    )
    levels = (
        levels * np.exp(np.cumsum(random.normal(0, 0.02, (s, days)), axis=1)) * random.lognormal(0, 0.15, (s, days))
    )
    levels /= levels.mean(axis=1, keepdims=True)
    rates = (a_day[:, None, None] / HOURS * levels[:, :, None] * profile).reshape(s, -1)
    return rates * random.gamma(10, 1 / 10, rates.shape)


def _shares(random: np.random.Generator, s: int, days: int) -> np.ndarray:
    """Negative shares: 0.1 to 0.25 at first, by hour and weekday, drifting slowly, of texts that tell the same."""
    weekday, holiday, hour = _calendar(days)
    base = np.log(1 / (1 / random.uniform(0.10, 0.25, s) - 1))[:, None, None]
    by_hour = random.normal(0, 0.15, (s, 1, 1)) * np.cos(2 * np.pi * (hour - random.uniform(0, 24, (s, 1, 1))) / 24)
    by_day = random.normal(0, 0.1, (s, 7))[:, weekday] + random.normal(0, 0.2, (s, 1)) * holiday
    drift = np.cumsum(random.normal(0, 0.02, (s, days)), axis=1)
    share = 1 / (1 + np.exp(-(base + by_hour + (by_day + drift)[:, :, None])))
    share = share.reshape(s, -1)
    size = 1 / random.uniform(0.005, 0.03, (s, 1)) - 1
    return np.clip(random.beta(share * size, (1 - share) * size), 1e-4, 1 - 1e-4)
