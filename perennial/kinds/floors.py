"""The floor that a first candidate must reach: well above what always the same answer gives, whatever the data."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from perennial.core.record import Record

LOPSIDED = 0.8
"""Share of the commonest label from which accuracy says little."""
ABOVE_CHANCE = 0.2
"""Part of the way from always answering the same to no errors: noisy sets of many labels reach it, a model that learned
nothing does not."""


class Floor(Record):
    """The least value of a metric that may serve."""

    metric: str
    value: float
    basis: str
    """What the same answer to everything reaches, in words."""


class CountedRows(Protocol):
    """What a kind must know of all rows of a file to say what may be asked of a first model."""

    @property
    def usable(self) -> int:
        """Rows with a text and a target, each once."""

    @property
    def unlabelled(self) -> int:
        """Rows with an empty list of labels or spans."""

    @property
    def rows_per_label(self) -> Counter[str]:
        """Rows of each label."""

    @property
    def numbers(self) -> Sequence[float]:
        """What a kind without labels learns, of the first rows."""


def above_chance(chance: float) -> float:
    """A fifth of the way from `chance` to no errors, rounded down to hundredths."""
    return math.floor((chance + ABOVE_CHANCE * (1 - chance)) * 100) / 100


def share_of_commonest(counts: Counter[str]) -> float:
    """Which part of the rows have the commonest label, where each row has one."""
    return max(counts.values()) / max(counts.total(), 1)
