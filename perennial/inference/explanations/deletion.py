"""How faithful explanations are: whether leaving out the words they name first moves the answer more than chance does.

The deletion curve of Samek et al. (2017), up to half of the words, as comprehensiveness is measured over several shares
(DeYoung et al. 2020): the mean drop of what is explained, in the explanation's order and in random order.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from perennial.inference.decoders import Input
from perennial.inference.explanations.explaining import METHOD, ROWS, Weighed, answered_by, target_values, weighing
from perennial.inference.predictor import Predictor

SHARES = (0.1, 0.2, 0.3, 0.4, 0.5)
"""Of the words, left out first."""
FEWEST_WORDS = 2
"""In a text with fewer there is no order."""


@dataclass(frozen=True)
class DeletionCurve:
    """Of one text: how far the first target's value drops at each of SHARES."""

    explained: np.ndarray
    """In the explanation's order."""
    random: np.ndarray
    """On average over a random order and the same backwards."""


def deletion_curves(
    predictor: Predictor,
    inputs: Sequence[Input],
    *,
    method: str = METHOD,
    rows: int = ROWS,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[DeletionCurve]:
    """The curves of `inputs`; those with fewer than two words or without an answer to explain (no span) have none.

    Raises PackageError as `explaining` does.
    """
    curves = []
    for number, one in enumerate(inputs):
        weighed = answered_by(predictor.predict, weighing(predictor, one, method=method, rows=rows))
        if len(weighed.parts) >= FEWEST_WORDS and weighed.targets:
            curves.append(_curve(predictor, weighed, number))
        if on_progress:
            on_progress(number + 1, len(inputs))
    return curves


def _curve(predictor: Predictor, weighed: Weighed, number: int) -> DeletionCurve:
    words = len(weighed.parts)
    by_chance = np.random.default_rng(number).permutation(words)
    orders = (_order(weighed), by_chance, by_chance[::-1])
    left_out = [int(np.ceil(share * words)) for share in SHARES]
    masks = np.ones((len(orders), len(SHARES), words), bool)
    for index, order in enumerate(orders):
        for point, many in enumerate(left_out):
            masks[index, point, order[:many]] = False
    flat = masks.reshape(-1, words)
    answers = predictor.predict([weighed.parts.without(kept) for kept in flat])
    values = target_values(answers, flat, weighed.parts, weighed.targets[:1])[:, 0].reshape(len(orders), -1)
    drops = weighed.ends[0, 0] - values
    return DeletionCurve(drops[0], drops[1:].mean(axis=0))


def _order(weighed: Weighed) -> np.ndarray:
    """All words, those first that add most to the first target; words of one unit share its weight."""
    sizes = np.array([behind - first for first, behind in weighed.units])
    by_word = np.repeat(weighed.weights[:, 0] / sizes, sizes)
    return np.argsort(-by_word, kind="stable")
