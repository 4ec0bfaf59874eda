"""Columns of the known rows that say more of whether an answer is right than its score does.

A live text mostly has no such column (how many annotators agreed, say), and its text may not show it. If its values
became more or less frequent, accuracy would move, and no estimate from scores and texts could see it.
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
MOST_HIDDEN = 0.06
"""How much more or less often right than the score says the rows of a value may be that live texts do not state."""
MOST_MOVED = 0.02
"""Where live texts state it: how far accuracy may move by there being more or fewer of them."""

Columns = Mapping[str, Sequence[str | None]]


@dataclass(frozen=True)
class HiddenColumn:
    """The value that moves accuracy most."""

    name: str
    value: str
    apart: float
    """How much more often right its rows are than the score says, less if below 0."""
    before: float
    """Its share of the known rows."""
    now: float | None
    """Its share of the live texts; None: they do not state it."""

    @property
    def beyond(self) -> float:
        """How far it moves accuracy, as a multiple of what it may."""
        if self.now is None:
            return abs(self.apart) / MOST_HIDDEN
        return abs(self.apart) * abs(self.now - self.before) / MOST_MOVED


def hidden_column(columns: Columns, live: Columns, right: np.ndarray, likely: np.ndarray) -> HiddenColumn | None:
    """The value whose rows are right so much more or less often than answers like theirs, beyond chance, that an
    estimate from scores can't be had.

    `columns`: the values of each; n each. `live`: those of the live texts, of the columns that they state. `right`
    (n,): 0 or 1. `likely` (n,): the chance to be right by the score. None: no column has one.
    """
    from scipy.stats import norm

    tried = [(name, value, of) for name, values in columns.items() for value, of in _values(values)]
    if not tried:
        return None
    limit = float(norm.isf(CHANCE / 2 / len(tried)))
    worst = max(
        (
            HiddenColumn(name, value, apart, float(of.mean()), _share(live.get(name), value))
            for name, value, of in tried
            if (apart := _apart(right - likely, likely * (1 - likely), of, limit)) is not None
        ),
        key=lambda one: one.beyond,
        default=None,
    )
    return worst if worst and worst.beyond >= 1 else None


def _share(values: Sequence[str | None] | None, value: str) -> float | None:
    return None if values is None else sum(one == value for one in values) / max(1, len(values))


def _values(values: Sequence[str | None]) -> list[tuple[str, np.ndarray]]:
    """The commonest values, and which rows have them (n, bool)."""
    column = np.array([value or "" for value in values], dtype=str)
    names, counts = np.unique(column, return_counts=True)
    kept = [row for row in np.argsort(-counts)[:MOST_VALUES] if LEAST_ROWS <= counts[row] <= len(column) - LEAST_ROWS]
    return [(str(names[row]), column == names[row]) for row in kept if names[row]]


def _apart(errors: np.ndarray, varies: np.ndarray, of: np.ndarray, limit: float) -> float | None:
    """The mean of `errors` of the rows in `of`; None: chance could make them differ from the others' so far."""
    inside, outside = float(errors[of].mean()), float(errors[~of].mean())
    spread = float(np.sqrt(varies[of].sum() / of.sum() ** 2 + varies[~of].sum() / (~of).sum() ** 2))
    return inside if abs(inside - outside) > limit * spread else None
