"""Temperature scaling: a model's outputs divided by one number, so that its scores are as sure as it is right.

Guo et al. 2017, "On Calibration of Modern Neural Networks". Dividing all outputs by one positive number changes how
sure the answers are and never which they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

Loss = Callable[[float], float]
"""The mean negative log likelihood at a temperature."""

LOWEST, HIGHEST = math.exp(-3), math.exp(3)
"""A temperature beyond says that something else is wrong with the model."""
PRECISION = 1e-3
"""Of the temperature's logarithm."""
FEWEST_ROWS = 10
ALL_RIGHT = "every validation answer is right, so nothing tells how sure is too sure"
GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True)
class Fitted:
    """A temperature and what it does on the rows it was fitted on."""

    temperature: float
    rows: int
    """Answers it was fitted on: rows, or words where each word is answered."""
    before: float | None
    """Mean negative log likelihood at temperature 1; None: there were no rows."""
    after: float | None
    problem: str | None = None
    """Why none was fitted, and the temperature is 1; None: it was."""

    def decoding(self) -> dict[str, Any]:
        """As a package's `decoding` keeps it."""
        facts = {"rows": self.rows, "log_loss_before": self.before, "log_loss_after": self.after}
        return {"temperature": self.temperature, "calibration": facts | {"problem": self.problem}}


def of_one(outputs: np.ndarray, right: np.ndarray) -> Fitted:
    """The temperature of a softmax over `outputs` (rows × outputs); `right`: the number of each row's right output."""
    import numpy as np

    logits = outputs.astype(np.float64)
    rows = np.arange(len(logits))

    def loss(temperature: float) -> float:
        scaled = logits / temperature
        scaled -= scaled.max(axis=1, keepdims=True)
        return float((np.log(np.exp(scaled).sum(axis=1)) - scaled[rows, right]).mean())

    return _fit(loss, len(logits), all_right=bool((logits[rows, right] >= logits.max(axis=1, initial=-np.inf)).all()))


def of_each(outputs: np.ndarray, held: np.ndarray) -> Fitted:
    """The temperature of sigmoids of `outputs` (rows × labels); `held`: whether each label holds, of the same shape."""
    import numpy as np

    # The output of the answer that is right: likely if it is above 0.
    signed = np.where(held, outputs, -outputs).astype(np.float64)

    def loss(temperature: float) -> float:
        return float(np.logaddexp(0, -signed / temperature).mean())

    return _fit(loss, len(signed), all_right=bool((signed >= 0).all()))


def _fit(loss: Loss, rows: int, *, all_right: bool) -> Fitted:
    if rows < FEWEST_ROWS:
        before = loss(1.0) if rows else None
        return Fitted(1.0, rows, before, before, f"{rows:,} validation rows are too few, {FEWEST_ROWS} are needed")
    before = loss(1.0)
    if all_right:
        # The lower the better then, without end; and a model that is never wrong here may be wrong elsewhere.
        return Fitted(1.0, rows, before, before, ALL_RIGHT)
    temperature = round(math.exp(_lowest(lambda exponent: loss(math.exp(exponent)))), 6)
    after = loss(temperature)
    return Fitted(temperature, rows, before, after) if after < before else Fitted(1.0, rows, before, before)


def _lowest(loss: Loss) -> float:
    """Where `loss`, which has one valley, is lowest between the logarithms of the bounds (golden-section search).

    The negative log likelihood is convex in the temperature's inverse, so it has one valley.
    """
    low, high = math.log(LOWEST), math.log(HIGHEST)
    left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    at_left, at_right = loss(left), loss(right)
    while high - low > PRECISION:
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - GOLDEN * (high - low)
            at_left = loss(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + GOLDEN * (high - low)
            at_right = loss(right)
    return (low + high) / 2
