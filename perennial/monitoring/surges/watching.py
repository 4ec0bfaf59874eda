"""One bucket after another: is this one far over what is usual, at a rate of false alarms that was set?

The rate is a budget. Each bucket of each series brings in the same small part of it, and a critical count spends what
it is likely to be reached by chance, which is known exactly given how many texts came. Counts are whole numbers, so no
bucket spends just its part; what is left is kept for the next. Expectations add up whatever depends on what, so the
false alarms of all series together are as many as was set, also where one series is a part of another.

Where the bucket before was unusual already, more is spent: its p-value u is turned into the factor 1/(2 sqrt(u)), whose
mean is 1 (a calibrator of Vovk and Wang, Annals of Statistics 49, 2021). So two buckets that are each not enough can be
enough together.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from perennial.monitoring.surges.baseline import Usual
from perennial.monitoring.surges.tails import count_quantile, share_tails

MOST_FACTOR = 20.0
MOST_KEPT = 20.0
"""Of the parts that buckets bring in: what is kept beyond is lost, else a long quiet would be spent on one bucket."""
LEVEL_OF_COUNT = 0.1
"""How unusual the count has to be beside the share: 3 bad texts of 3 are no surge where 50 at that hour are usual."""
LEAST_COUNT = 3
GOES_ON = 0.1
"""A surge goes on while a bucket's share is over nine of ten usual ones."""
CLEAR_AFTER = 2
"""Buckets in a row that are usual again end it; one where buckets are wide."""
WIDE = 720
"""Minutes: who waits for two days of calm misses what begins on the second."""
NEUTRAL = 0.25
"""The p-value that makes no difference to the bucket after: where there was no text."""


@dataclass(frozen=True)
class SeriesMemory:
    """What is remembered from bucket to bucket of `s` series; (s,) each."""

    kept: np.ndarray
    """Expected false alarms that were not spent; below 0: spent in advance."""
    before: np.ndarray
    """The p-value of the bucket before."""
    is_open: np.ndarray
    """Whether a surge goes on."""
    quiet: np.ndarray
    """How many buckets of an open one were usual, up to the last."""

    @classmethod
    def fresh(cls, series: int) -> SeriesMemory:
        """Nothing remembered."""
        none = np.zeros(series)
        return cls(none, none + NEUTRAL, none.astype(bool), none.astype(int))


class BucketLook(NamedTuple):
    """What a bucket came to; (s,) each."""

    opens: np.ndarray
    goes_on: np.ndarray
    clears: np.ndarray
    p_value: np.ndarray
    """How likely so large a share is, halved for what is just as large (mid-p)."""
    critical: np.ndarray
    """The count from which it is a surge."""
    spent: np.ndarray
    """How likely that was reached by chance."""


def look(
    watch: SeriesMemory,
    texts: np.ndarray,
    counted: np.ndarray,
    usual: Usual,
    level: np.ndarray,
    clear_after: int = CLEAR_AFTER,
) -> tuple[SeriesMemory, BucketLook]:
    """Look at one bucket; `texts`, `counted` and what `usual` has are (s,).

    `level` (s,): expected false alarms a bucket; `level_a_bucket` says what a month's number comes to. `clear_after`:
    how many usual buckets in a row end a surge.
    """
    tails = share_tails(texts, usual.share, usual.correlation)
    series = np.arange(len(texts))
    p_value = np.where(texts > 0, (tails[series, counted] + tails[series, counted + 1]) / 2, NEUTRAL)
    kept = np.minimum(watch.kept + level, MOST_KEPT * level)
    factor = np.minimum(MOST_FACTOR, 0.5 / np.sqrt(np.maximum(watch.before, 1e-12)))
    critical = _critical(tails, kept + level * (factor - 1), usual)
    spent = np.where(watch.is_open, 0.0, tails[series, np.minimum(critical, tails.shape[1] - 1)])
    opens = ~watch.is_open & (counted >= critical)
    quiet = np.where(opens | (p_value <= GOES_ON), 0, watch.quiet + 1)
    clears = watch.is_open & (quiet >= clear_after)
    is_open = (watch.is_open | opens) & ~clears
    after = replace(watch, kept=kept - spent, before=np.where(clears, NEUTRAL, p_value), is_open=is_open, quiet=quiet)
    return after, BucketLook(opens, watch.is_open & ~clears, clears, p_value, critical, spent)


def _critical(tails: np.ndarray, allowance: np.ndarray, usual: Usual) -> np.ndarray:
    """The smallest count that costs no more than the allowance, and is a lot for this series besides."""
    by_share = np.sum(tails > np.maximum(allowance, 0.0)[:, None], axis=1)
    by_count = count_quantile(LEVEL_OF_COUNT, usual.number, usual.number_variance)
    return np.asarray(np.maximum(np.maximum(by_share, by_count), LEAST_COUNT), int)


def buckets_to_clear(minutes: int) -> int:
    """How many usual buckets of this width in a row end a surge."""
    return 1 if minutes >= WIDE else CLEAR_AFTER


def level_a_bucket(false_alarms_per_month: float, minutes: int, series: int) -> float:
    """Expected false alarms that one bucket of one series may cost where so many `series` are watched together."""
    return false_alarms_per_month / series / (DAYS_A_MONTH * 24 * 60 / minutes)


DAYS_A_MONTH = 365.25 / 12
