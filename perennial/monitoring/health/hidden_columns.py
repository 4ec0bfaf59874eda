"""Columns of the known rows that say more of whether an answer is right than its score does.

A live text has no such column (how many annotators agreed, say), and its text may not show it. If its values became
more or less frequent, accuracy would move, and no estimate from scores and texts could see it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

LEAST_ROWS = 30
"""Rows of a value, and of the others, below which nothing is said of it."""
MOST_VALUES = 20
"""Of a column, the commonest; more are looked at for nothing but chance."""
CHANCE = 0.01
"""Of naming a column that says nothing more, over all values of all columns (Bonferroni)."""


@dataclass(frozen=True)
class HiddenColumn:
    """The value that moves accuracy most."""

    name: str
    value: str
    apart: float
    """How much more often right its rows are than the score says, less if below 0."""


def hidden_column(
    columns: Mapping[str, Sequence[str | None]], right: np.ndarray, likely: np.ndarray, least: float
) -> HiddenColumn | None:
    """The value whose rows are right more or less often by `least` and more than answers like theirs, beyond chance.

    `columns`: the values of each; n each. `right` (n,): 0 or 1. `likely` (n,): the chance to be right by the score.
    None: no column has one.
    """
    from scipy.stats import norm

    tried = [(name, value, of) for name, values in columns.items() for value, of in _values(values)]
    if not tried:
        return None
    beyond = float(norm.isf(CHANCE / 2 / len(tried)))
    gaps = [
        (abs(apart), HiddenColumn(name, value, apart))
        for name, value, of in tried
        if (apart := _apart(right - likely, likely * (1 - likely), of, beyond)) is not None
    ]
    largest = max(gaps, key=lambda one: one[0], default=None)
    return largest[1] if largest and largest[0] >= least else None


def _values(values: Sequence[str | None]) -> list[tuple[str, np.ndarray]]:
    """The commonest values, and which rows have them (n, bool)."""
    column = np.array([value or "" for value in values], dtype=str)
    names, counts = np.unique(column, return_counts=True)
    kept = [row for row in np.argsort(-counts)[:MOST_VALUES] if LEAST_ROWS <= counts[row] <= len(column) - LEAST_ROWS]
    return [(str(names[row]), column == names[row]) for row in kept if names[row]]


def _apart(errors: np.ndarray, varies: np.ndarray, of: np.ndarray, beyond: float) -> float | None:
    """The mean of `errors` of the rows in `of`; None: chance could make them differ from the others' so far."""
    inside, outside = float(errors[of].mean()), float(errors[~of].mean())
    spread = float(np.sqrt(varies[of].sum() / of.sum() ** 2 + varies[~of].sum() / (~of).sum() ** 2))
    return inside if abs(inside - outside) > beyond * spread else None
