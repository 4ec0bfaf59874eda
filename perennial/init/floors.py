"""The floor that a first candidate must reach: well above what always the same answer gives, whatever the data."""

from __future__ import annotations

import math
import statistics
from collections import Counter

from perennial.core.record import Record
from perennial.init.file_census import Census
from perennial.kinds import Kind

LOPSIDED = 0.8
"""Share of the commonest label from which accuracy says little."""
ABOVE_CHANCE = 0.2
"""Part of the way from always answering the same to no errors: noisy sets of many labels reach it, a model that learned
nothing does not."""
EXPLAINED = 0.1
"""R² for numbers: people who rate texts agree with each other less than people who sort them."""


class Floor(Record):
    """The least value of a metric that may serve."""

    metric: str
    value: float
    basis: str
    """What the same answer to everything reaches, in words."""


def floor(kind: Kind, census: Census) -> Floor:
    """The floor for data of this kind."""
    if kind.name == "regression":
        spread = statistics.pstdev(census.numbers)
        basis = f"0 is as good as always answering the mean, which is off by {spread:.3g} (rmse)"
        return Floor(metric="r2", value=EXPLAINED, basis=basis)
    if kind.name == "token-classification":
        return Floor(metric="f1", value=ABOVE_CHANCE, basis="a span counts if both its ends and its label are right")
    if kind.name == "multi-label":
        chance = _same_labels(census)
        basis = f"always answering the commonest labels reaches {chance:.2f}"
        return Floor(metric="micro_f1", value=_above(chance), basis=basis)
    return _single(census.rows_per_label)


def majority(kind: Kind, census: Census) -> float | None:
    """Share of the commonest label where each row has one; None for other kinds."""
    counts = census.rows_per_label
    if kind.name not in ("text-classification", "text-pair") or not counts:
        return None
    return max(counts.values()) / max(counts.total(), 1)


def _single(counts: Counter[str]) -> Floor:
    share = max(counts.values()) / max(counts.total(), 1)
    if share <= LOPSIDED:
        basis = f"always answering the commonest label is right for {share:.0%} of the rows"
        return Floor(metric="accuracy", value=_above(share), basis=basis)
    # Macro F1 of always answering the commonest label: its own F1, and 0 for every other label.
    chance = 2 * share / (1 + share) / len(counts)
    basis = f"{share:.0%} of the rows have one label, so accuracy would say little"
    return Floor(metric="macro_f1", value=_above(chance), basis=basis)


def _same_labels(census: Census) -> float:
    """The best micro F1 of answering the same labels to every row."""
    held = sorted(census.rows_per_label.values(), reverse=True)
    rows = max(census.usable, 1)
    return max(2 * sum(held[:n]) / (n * rows + sum(held)) for n in range(1, len(held) + 1))


def _above(chance: float) -> float:
    return math.floor((chance + ABOVE_CHANCE * (1 - chance)) * 100) / 100
