"""How far people agree beyond chance: Krippendorff's alpha, with an interval by resampling the texts.

Krippendorff, K. (2011), Computing Krippendorff's Alpha-Reliability, University of Pennsylvania. It takes any number of
people, of whom each may have seen other texts, and any way to tell how far two answers are apart: labels are the same
or not; sets of labels by MASI (Passonneau, R. (2006), Measuring Agreement on Set-valued Items, LREC); numbers by the
square of their difference. Spans are compared word by word, each with the label it lies in.
"""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np

RESAMPLES = 1_000
MOST_VALUES = 4_000
"""Different answers beyond which no interval is computed."""

Unit = Sequence[Hashable]
"""What each person said of one thing."""


def alpha(
    texts: Sequence[Sequence[Unit]], confidence: float = 0.95, seed: int = 0
) -> tuple[float, float, float] | None:
    """Alpha, and its interval by the bootstrap (percentiles, texts drawn with replacement): value, low, high.

    `texts`: of each text the units people judged: one, the text itself, or its words. Values are all labels (strings),
    all sets of labels (frozensets) or all numbers. 1: all agree; 0: as chance would have it. None: nothing was judged
    twice, or all gave one and the same answer.
    """
    judged = [[unit for unit in units if len(unit) > 1] for units in texts]
    judged = [units for units in judged if units]
    values = list(dict.fromkeys(value for units in judged for unit in units for value in unit))
    if len(values) < 2:
        return None
    numbers = all(isinstance(value, float) for value in values)
    if not numbers and len(values) > MOST_VALUES:
        return None
    sums = _moments(judged) if numbers else _counts(judged, values)
    observed = np.array([sum(map(_observed, units)) for units in judged])
    apart = None if numbers else _distances(values)
    drawn = np.random.default_rng(seed).multinomial(len(judged), [1 / len(judged)] * len(judged), size=RESAMPLES)
    weights = np.concatenate([np.ones((1, len(judged))), drawn])
    middle, *resampled = _alphas(weights, observed, sums, apart).tolist()
    low, high = np.nanquantile(resampled, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(middle), float(low), float(high)


def _alphas(weights: np.ndarray, observed: np.ndarray, sums: Any, apart: np.ndarray | None) -> np.ndarray:
    """Of each row of weights (resamples × texts); nan where all answers drawn are the same."""
    totals = np.asarray(weights @ sums)
    if apart is None:
        n, first, second = totals.T
        between = 2 * (n * second - first**2)
    else:
        n = totals.sum(axis=1)
        between = np.einsum("bv,bv->b", totals @ apart, totals)
    with np.errstate(invalid="ignore", divide="ignore"):
        value: np.ndarray = 1 - (weights @ observed) * (n - 1) / between
    return np.where(between > 0, value, np.nan)


def _counts(texts: Sequence[Sequence[Unit]], values: Sequence[Hashable]) -> Any:
    """How often each value was given in each text (texts × values, sparse)."""
    from scipy.sparse import csr_array

    number = {value: index for index, value in enumerate(values)}
    cells = [(row, number[value]) for row, units in enumerate(texts) for unit in units for value in unit]
    rows, columns = zip(*cells, strict=True)
    return csr_array((np.ones(len(cells)), (rows, columns)), shape=(len(texts), len(values)))


def _moments(texts: Sequence[Sequence[Unit]]) -> np.ndarray:
    """Of each text how many numbers, their sum, and the sum of their squares (texts × 3)."""
    numbers = [np.array([value for unit in units for value in unit], dtype=np.float64) for units in texts]
    return np.array([[len(row), row.sum(), np.square(row).sum()] for row in numbers])


def _observed(unit: Unit) -> float:
    """How far the answers to one thing are from one another: over all pairs, as Krippendorff weighs them."""
    if len(set(unit)) == 1:
        return 0.0
    return sum(_distance(one, other) for one in unit for other in unit) / (len(unit) - 1)


def _distance(one: Hashable, other: Hashable) -> float:
    """0 (the same) to 1, or the squared difference of numbers."""
    if isinstance(one, float) and isinstance(other, float):
        return (one - other) ** 2
    return float(_distances([one, other])[0, 1]) if one != other else 0.0


def _distances(values: Sequence[Hashable]) -> np.ndarray:
    """Between labels, the same or not; between sets of labels 1 - MASI: the shared part of both, weighed by how they
    lie, one in the other (2/3), across (1/3) or apart."""
    sets = [value for value in values if isinstance(value, frozenset)]
    apart: np.ndarray = 1 - np.eye(len(values))
    if len(sets) < len(values):
        return apart
    number = {label: index for index, label in enumerate({label for one in sets for label in one})}
    members = np.zeros((len(sets), len(number)))
    for row, one in enumerate(sets):
        members[row, [number[label] for label in one]] = 1
    shared, sizes = members @ members.T, members.sum(axis=1)
    every = sizes[:, None] + sizes[None, :] - shared
    inside = shared == np.minimum(sizes[:, None], sizes[None, :])
    masi = np.where(shared > 0, np.where(inside, 2 / 3, 1 / 3) * shared / np.maximum(every, 1), 0.0)
    return np.where(apart > 0, 1 - masi, 0.0)


def word_values(words: Sequence[tuple[int, int]], spans: Sequence[Mapping[str, Any]]) -> list[str]:
    """Of each word (first character, the one behind) the label of the span it lies in; "" where there is none."""
    return [
        next((str(span["label"]) for span in spans if span["start"] < behind and first < span["end"]), "")
        for first, behind in words
    ]
