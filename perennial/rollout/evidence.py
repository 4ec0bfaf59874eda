"""E-values: how strongly counts speak against a claim, valid however often they are looked at.

A bet against the claim "the mean of x is at most b", for x in [-1, 1], multiplies its stake by 1 + s (x - b) with each
x. Where the claim is true no stake s in [0, 1 / (1 + b)) gains on average, whatever came before; so the average of the
capitals over a fixed set of stakes is a test martingale, and ever reaches 1 / alpha with a probability of alpha at most
(Ville's inequality). This is the mixture sequential probability ratio test (Robbins 1970) as betting on a bounded mean
(Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", JRSS B 2024; Johari et al.,
"Always valid inference", Operations Research 2022). As stakes are fixed, the capital depends on how often each x came
and not on the order: what several processes counted can be added up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

STAKES = np.geomspace(0.01, 0.9, 12)
"""Parts of the largest stake that may be set. From small, which sees little effects in much noise, to large, which sees
harm at once where hardly anything ever differs."""


@dataclass(frozen=True)
class Outcomes:
    """How often the challenger did worse than the champion, as well, and better; each a number or an array."""

    worse: Any = 0
    same: Any = 0
    better: Any = 0

    @property
    def total(self) -> Any:
        """All of them."""
        return self.worse + self.same + self.better

    @property
    def excess(self) -> float:
        """The share in which it did worse, less that in which it did better; 0: nothing was counted."""
        return float(self.worse - self.better) / max(1, int(self.total))


def log_evidence_above(outcomes: Outcomes, bound: float) -> Any:
    """Natural logarithm of the e-value against: "worse, less better, is at most `bound` of all"; `bound` in [0, 1).

    Of the shape of the counts in `outcomes`.
    """
    return _log_capital(outcomes.worse, outcomes.same, outcomes.better, bound)


def log_evidence_below(outcomes: Outcomes, bound: float) -> Any:
    """Natural logarithm of the e-value against: "worse, less better, is at least `bound` of all"; `bound` in (0, 1)."""
    return _log_capital(outcomes.better, outcomes.same, outcomes.worse, -bound)


def _log_capital(up: Any, level: Any, down: Any, bound: float) -> Any:
    """Of bets against a mean of at most `bound`, with counts of 1, 0 and -1."""
    stakes = STAKES / (1 + bound)
    gains = [np.log1p(stakes * (x - bound)) for x in (1, 0, -1)]
    counts = [np.asarray(count, dtype=np.float64)[..., None] for count in (up, level, down)]
    capitals = counts[0] * gains[0] + counts[1] * gains[1] + counts[2] * gains[2]
    most = capitals.max(axis=-1, keepdims=True)
    return (most + np.log(np.exp(capitals - most).mean(axis=-1, keepdims=True)))[..., 0]


def mean_interval(hits: int, total: int, alpha: float) -> tuple[float, float]:
    """A confidence sequence for the mean of what is 0 or 1: all means against which the e-value is below 2 / alpha.

    It holds the mean at every look at once with a probability of 1 - alpha. (0, 1) where nothing was counted.
    """
    enough = np.log(2 / alpha)
    low = _outermost(lambda bound: _log_capital(hits, total - hits, 0, bound) >= enough)
    high = _outermost(lambda bound: _log_capital(total - hits, hits, 0, bound) >= enough)
    return low, 1 - high


def _outermost(is_excluded: Any) -> float:
    """The largest bound in [0, 1) that is excluded, to a ten-thousandth; 0: none is."""
    inside, outside = 0.0, 1.0
    if not is_excluded(inside):
        return 0.0
    while outside - inside > 1e-4:
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if is_excluded(middle) else (inside, middle)
    return inside
