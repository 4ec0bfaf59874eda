"""How unsure a model was of an answer, by the scores that it gave."""

from __future__ import annotations

import math
from collections.abc import Sequence

EVEN = 0.5
"""Where the score of one of several labels says neither that it holds nor that it does not."""


def unsureness(scores: Sequence[float], score: float | None, asks: str | None) -> float | None:
    """From 0, quite sure, to 1, not at all; None: the answer tells nothing of it, as a number does.

    Of one label by the margin between the two highest scores, which ranks as entropy does where there are two labels
    and is less drawn to texts that could be many things (Scheffer et al. 2001); of several labels by the one whose
    score is nearest to EVEN; of other answers by the score itself.
    """
    finite = [one for one in scores if math.isfinite(one)]
    if asks == "labels" and finite:
        return 1 - 2 * min(abs(one - EVEN) for one in finite)
    if asks == "label" and len(finite) > 1:
        second, first = sorted(finite)[-2:]
        return 1 - (first - second)
    if asks == "number" or score is None or not math.isfinite(score):
        return None
    return 1 - score
