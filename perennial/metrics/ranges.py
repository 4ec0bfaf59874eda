"""Between which numbers a metric can be, so that no interval says more than can be so."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

UNIT = (0.0, 1.0)
UNBOUNDED = (-math.inf, math.inf)
RANGES: dict[str, tuple[float, float]] = {
    **dict.fromkeys(("accuracy", "exact_match", "calibration_error"), UNIT),
    **dict.fromkeys(("precision", "recall", "f1"), UNIT),
    **{f"{way}_{name}": UNIT for way in ("macro", "micro", "weighted") for name in ("precision", "recall", "f1")},
    **dict.fromkeys(("log_loss", "rmse", "mae"), (0.0, math.inf)),
    # Of one label a row: 2 where all of the score is on a wrong one.
    "brier": (0.0, 2.0),
    "spearman": (-1.0, 1.0),
    "r2": (-math.inf, 1.0),
}
"""By a metric's name; of one that is not here, as of a kind from elsewhere, nothing is known."""


def bounds(
    metrics: Sequence[str], own: Mapping[str, tuple[float, float]], *, difference: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """The lowest and the highest that each of `metrics` can be, as `own` says or RANGES; `difference`: of one model's
    less another's."""
    low, high = np.array([own.get(metric, RANGES.get(metric, UNBOUNDED)) for metric in metrics]).reshape(-1, 2).T
    return (low - high, high - low) if difference else (low, high)
