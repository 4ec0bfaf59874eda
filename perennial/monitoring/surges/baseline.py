"""What a series' own past makes usual: the share of its texts that are counted, and how many those are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from perennial.monitoring.surges.families import Counts, Shares
from perennial.monitoring.surges.regression import Fit, fit
from perennial.monitoring.trends.seasons import DAYS_OF_A_TREND, OF_COUNTS, OF_SHARES, season_scales

HALF_LIFE_DAYS = 28.0
"""Of how much an old bucket counts; what is usual changes."""


class Usual(NamedTuple):
    """What is expected of `b` buckets of `s` series, (s, b): predictions, that allow for what is not known of them."""

    share: np.ndarray
    correlation: np.ndarray
    """Of two texts of one bucket, 0 to 1: overdispersion, and how unsure the share itself is."""
    number: np.ndarray
    """Of texts that are counted."""
    number_variance: np.ndarray


@dataclass(frozen=True)
class Baseline:
    """The baselines of `s` series that share a calendar."""

    shares: Fit
    counts: Fit

    def expected(self, design: np.ndarray) -> Usual:
        """What is expected of the buckets of `design` (b, p), with days counted as in learning."""
        logit, unsure = self.shares.predictor(design)
        share = 1 / (1 + np.exp(-logit))
        correlation = np.minimum(0.9, self.shares.dispersion[:, None] + share * (1 - share) * unsure**2)
        log_count, log_unsure = self.counts.predictor(design)
        count = np.exp(log_count)
        variance = count * self.counts.dispersion[:, None] + (count * log_unsure) ** 2
        return Usual(share, np.maximum(correlation, 1e-6), count, variance)


def learn_baseline(
    counted: np.ndarray,
    texts: np.ndarray,
    design: np.ndarray,
    usable: np.ndarray,
    slots: int,
    start: Baseline | None = None,
) -> Baseline:
    """Learn from `counted` of `texts`, both (s, n), in the buckets of `design` (n, p) of `season_design`.

    `usable` (s, n): 0 where a bucket is not to be learned from, as in a surge. `slots`: how many buckets a day has.
    `start`: the same series' baseline of a day ago, which is near.
    """
    weights = usable * 0.5 ** (-design[:, 1] * DAYS_OF_A_TREND / HALF_LIFE_DAYS)
    before = (start.shares.coefficients, start.counts.coefficients) if start else (None, None)
    shares = fit(Shares(counted, texts), design, season_scales(OF_SHARES, slots), weights, before[0])
    counts = fit(Counts(counted), design, season_scales(OF_COUNTS, slots), weights, before[1])
    return Baseline(shares, counts)
