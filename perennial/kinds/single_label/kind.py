"""Exactly one of some labels, whatever is read: what the kinds of that sort share."""

from __future__ import annotations

from abc import ABC
from typing import TYPE_CHECKING

from perennial.core.percent import percent
from perennial.kinds.floors import LOPSIDED, Floor, above_chance, share_of_commonest
from perennial.kinds.single_label.answering import SingleLabelAnswering
from perennial.kinds.single_label.judging import SingleLabelJudging
from perennial.kinds.single_label.learning import SingleLabelLearning
from perennial.kinds.single_label.reading import SingleLabelReading
from perennial.kinds.single_label.reviewing import SingleLabelReviewing

if TYPE_CHECKING:
    from perennial.kinds.floors import CountedRows


class SingleLabelKind(
    SingleLabelReading, SingleLabelLearning, SingleLabelAnswering, SingleLabelJudging, SingleLabelReviewing, ABC
):
    """Exactly one of `data.labels` for each row."""

    def floor(self, counted: CountedRows) -> Floor:
        counts = counted.rows_per_label
        share = share_of_commonest(counts)
        if share <= LOPSIDED:
            basis = f"always answering the commonest label is right for {percent(share)} of the rows"
            return Floor(metric="accuracy", value=above_chance(share), basis=basis)
        # Macro F1 of always answering the commonest label: its own F1, and 0 for every other label.
        chance = 2 * share / (1 + share) / len(counts)
        basis = f"{percent(share)} of the rows have one label, so accuracy would say little"
        return Floor(metric="macro_f1", value=above_chance(chance), basis=basis)

    def majority(self, counted: CountedRows) -> float | None:
        counts = counted.rows_per_label
        return share_of_commonest(counts) if counts else None
