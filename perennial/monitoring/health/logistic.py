"""Logistic regression with weights, small enough to be fitted hundreds of times for an interval."""

from __future__ import annotations

import numpy as np

STEPS = 25
LONGEST_STEP = 3.0
CLOSE = 1e-6


def fitted(
    features: np.ndarray, yes: np.ndarray, weights: np.ndarray, ridge: float, start: np.ndarray | None = None
) -> np.ndarray:
    """The coefficients (d,) that make `yes` (n,) likeliest, by Newton's method; the first feature is a constant.

    `features`: (n, d), standardised. `weights`: (n,). `ridge`: half of it times the squared coefficients, but the
    constant's, is added to the loss. `start`: where to begin, as near the end as it can be.
    """
    penalty = np.full(features.shape[1], ridge)
    penalty[0] = 1e-6
    coefficients = np.zeros(features.shape[1]) if start is None else start.copy()
    for _ in range(STEPS):
        likely = sigmoid(features @ coefficients)
        slope = features.T @ (weights * (yes - likely)) - penalty * coefficients
        curve = (features * (weights * likely * (1 - likely))[:, None]).T @ features + np.diag(penalty)
        step = np.clip(np.linalg.solve(curve, slope), -LONGEST_STEP, LONGEST_STEP)
        coefficients += step
        if np.abs(step).max() < CLOSE:
            break
    return coefficients


def sigmoid(values: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-values)), of the same shape."""
    return np.asarray(1 / (1 + np.exp(-np.clip(values, -30, 30))))
