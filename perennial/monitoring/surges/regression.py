"""Penalised quasi-likelihood regressions of many series at once.

All series share one design. What a coefficient may be
is a normal prior (its standard deviation in `priors`): a series of few texts stays near its mean, one of many has its
own seasons. Fitted as Noufaily et al. (Statistics in Medicine 32, 2013) do: twice, the second time with the buckets
whose residuals stand out weighted down, so that old surges are not learned as what is usual.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from perennial.monitoring.surges.families import Family

ROUNDS = 30
CLOSE = 1e-4
STANDS_OUT = 2.58
"""The standardised residual from which a bucket counts less (Noufaily et al. 2013)."""
LARGEST = 30.0
"""Of a linear predictor: no share or count is beyond it, and its exponential is finite."""
STEP = 2.0
"""A coefficient moves by no more in one round, so that a bad start does not throw it off."""


class Fit(NamedTuple):
    """Regressions of `s` series with `p` coefficients."""

    coefficients: np.ndarray
    """(s, p)."""
    covariance: np.ndarray
    """(s, p, p)."""
    dispersion: np.ndarray
    """(s,), as the family defines it."""

    def predictor(self, design: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The linear predictor of buckets and its standard error; `design` (n, p), both (s, n)."""
        mean = np.clip(self.coefficients @ design.T, -LARGEST, LARGEST)
        spread = np.sum((design @ self.covariance) * design, axis=2)
        return mean, np.sqrt(np.maximum(spread, 0.0))


def fit(
    family: Family, design: np.ndarray, priors: np.ndarray, weights: np.ndarray, start: np.ndarray | None = None
) -> Fit:
    """Fit all series; `design` (n, p) with a first column of ones, `priors` (p,), `weights` (s, n) of their buckets.

    `start`: coefficients of a fit a little while ago, (s, p).
    """
    if start is None:
        start = np.zeros((len(weights), design.shape[1]))
        start[:, 0] = family.start(weights)
    none = np.full(len(weights), family.none)
    first = _solved(family, design, priors, weights, start, none)
    mean = _mean(family, design, first.coefficients)
    lighter = weights * _weights_of(family.residuals(mean, first.dispersion))
    return _solved(family, design, priors, lighter, first.coefficients, first.dispersion)


def _solved(
    family: Family,
    design: np.ndarray,
    priors: np.ndarray,
    weights: np.ndarray,
    start: np.ndarray,
    dispersion: np.ndarray,
) -> Fit:
    """Newton's method (Fisher scoring) at a dispersion, which is measured anew at the end."""
    penalty = np.diag(priors**-2.0)
    coefficients = start.copy()
    for _ in range(ROUNDS):
        mean = _mean(family, design, coefficients)
        scale = weights / family.inflation(dispersion)
        gradient = (scale * (family.observed - mean)) @ design - coefficients * priors**-2.0
        # A series at a time: all products of two columns at once would be gigabytes where buckets are narrow.
        precision = np.stack([(design.T * one) @ design for one in scale * family.slope(mean)]) + penalty
        step = np.linalg.solve(precision, gradient[:, :, None])[:, :, 0]
        coefficients += np.clip(step, -STEP, STEP)
        if np.abs(step).max() < CLOSE:
            break
    covariance = np.linalg.inv(precision)
    # Coefficients that the priors hold take less than a degree of freedom each.
    lost = design.shape[1] - np.einsum("spp,p->s", covariance, priors**-2.0)
    return Fit(coefficients, covariance, family.dispersion(_mean(family, design, coefficients), weights, lost))


def _mean(family: Family, design: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    return family.mean(np.clip(coefficients @ design.T, -LARGEST, LARGEST))


def _weights_of(residuals: np.ndarray) -> np.ndarray:
    return np.where(residuals > STANDS_OUT, np.maximum(residuals, STANDS_OUT) ** -2.0, 1.0)
