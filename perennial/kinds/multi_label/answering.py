"""What an answer with any number of labels is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from perennial.kinds.base import KindBase
from perennial.metrics.prediction import Prediction

if TYPE_CHECKING:
    from perennial.inference.spans import Span
    from perennial.settings.behaviours import ExpectSpec

ROUNDING = 1e-4
"""Scores that differ by less may lie on either side of a threshold by the rounding of float32 alone."""


class MultiLabelAnswering(KindBase):
    """What an answer with any number of labels is."""

    degree_of = "label"
    expected_forms = ("has", "lacks")

    def labels_answered(self, prediction: Prediction) -> list[str]:
        return [str(label) for label in prediction["labels"]]

    def collapsed(self, predictions: Sequence[Prediction]) -> str | None:
        answers = {tuple(sorted(prediction["labels"])) for prediction in predictions}
        if len(answers) != 1:
            return None
        only = answers.pop()
        return f"labels {', '.join(map(repr, only))}" if only else "no label"

    def same_answer(self, one: Prediction, other: Prediction) -> bool:
        changed = set(one["labels"]) ^ set(other["labels"])
        # A threshold that lies between two scores as close as these tells nothing about the models.
        return all(abs(one["scores"][label] - other["scores"][label]) < ROUNDING for label in changed)

    def meets(self, expect: ExpectSpec, marks: Sequence[Span], prediction: Prediction) -> bool:
        return set(expect.has) <= set(prediction["labels"]) and not set(expect.lacks) & set(prediction["labels"])

    def degree(self, prediction: Prediction, label: str | None) -> float:
        # A champion gives no probability to a label that it does not know.
        return float(prediction["scores"].get(label, 0.0))

    def shift(self, before: Prediction, after: Prediction) -> float:
        # The label that moved most: of many labels, most never move.
        return float(max(abs(score - after["scores"][label]) for label, score in before["scores"].items()))
