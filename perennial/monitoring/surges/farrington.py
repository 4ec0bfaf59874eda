"""Farrington Flexible (Noufaily et al., Statistics in Medicine 32, 2013) for buckets of hours in weeks.

The paper has weeks in years: a quasi-Poisson regression with a linear trend and a factor of ten levels, of which one is
the time of the year that is looked at, give or take `w` weeks, in the years before. Here the season is a week, and the
reference level is the time of the week, give or take one bucket, in the weeks before; the rest of the week is cut into
nine equal levels. As in the paper, buckets with Anscombe residuals over 2.58 count less, the newest (a day)
are left out, and the threshold is a quantile of a negative binomial with the fitted mean and dispersion.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from perennial.monitoring.surges.families import Counts
from perennial.monitoring.surges.regression import fit
from perennial.monitoring.surges.tails import count_tail

WEEKS = 8
HALF_WINDOW = 1
OTHER_LEVELS = 9
FREE = 10.0
"""A prior so wide that it says nothing."""


class Farrington(NamedTuple):
    """What is expected of one bucket; (s,) each."""

    mean: np.ndarray
    dispersion: np.ndarray

    def p_value(self, counts: np.ndarray) -> np.ndarray:
        """How likely so many or more are."""
        return count_tail(counts, self.mean, self.mean * self.dispersion)


def farrington(counts: np.ndarray, bucket: int, per_week: int, texts: np.ndarray | None = None) -> Farrington:
    """Expect `bucket` of `counts` (s, n) from the eight weeks before it.

    `per_week`: buckets a week. `texts` (s, n): what the counts are a part of, as an offset; None: they stand alone.
    """
    newest = bucket - max(1, per_week // 7)
    past = np.arange(max(0, bucket - WEEKS * per_week), newest)
    trend = (past - bucket) / (4 * per_week)
    levels = _levels(past, bucket, per_week)
    design = np.column_stack([np.ones(len(past)), trend, *(levels == one for one in range(1, levels.max() + 1))])
    offset = None if texts is None else np.log(np.maximum(texts[:, past], 0.5))
    family = Counts(counts[:, past].astype(float), offset)
    fitted = fit(family, design.astype(float), np.full(design.shape[1], FREE), np.ones((len(counts), len(past))))
    mean = np.exp(np.clip(fitted.coefficients[:, 0], -30, 30))
    if texts is not None:
        mean = mean * texts[:, bucket]
    return Farrington(mean, fitted.dispersion)


def _levels(past: np.ndarray, bucket: int, per_week: int) -> np.ndarray:
    """0 for the reference time of the week, 1 to 9 for the rest of it."""
    after = (past - bucket + HALF_WINDOW) % per_week
    reference = 2 * HALF_WINDOW + 1
    rest = per_week - reference
    others = 1 + (after - reference) * min(OTHER_LEVELS, rest) // rest
    return np.where(after < reference, 0, others)
