"""Metrics of numbers."""

from collections.abc import Sequence

from perennial.metrics.prediction import Prediction
from perennial.records.evaluation import Metrics


def regression_metrics(targets: Sequence[float], predictions: Sequence[Prediction]) -> Metrics:
    """RMSE and MAE in the target's unit, Spearman's rank correlation, and R² (1: perfect, 0: as good as the mean).

    No rows: no metrics. Where all targets or all answers are equal, a correlation says nothing and is 0; where all
    targets are, so is R².
    """
    import numpy as np
    import pandas as pd

    if not len(targets):
        return Metrics(n=0, values={})
    true = np.asarray(targets, dtype=np.float64)
    answered = np.array([prediction["value"] for prediction in predictions], dtype=np.float64)
    errors = answered - true
    varied = np.ptp(true) > 0
    # Deviations of equal numbers from their mean may be tiny instead of 0, so their sum is not asked.
    spread = float(np.square(true - true.mean()).sum()) if varied else 0.0
    ranked = varied and np.ptp(answered) > 0
    values = {
        "rmse": float(np.sqrt(np.square(errors).mean())),
        "mae": float(np.abs(errors).mean()),
        "spearman": float(np.corrcoef(pd.Series(true).rank(), pd.Series(answered).rank())[0, 1]) if ranked else 0.0,
        "r2": 1 - float(np.square(errors).sum()) / spread if spread else 0.0,
    }
    return Metrics(n=len(true), values=values)
