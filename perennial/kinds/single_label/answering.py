"""What an answer with one label each is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from perennial.kinds.base import KindBase
from perennial.metrics.prediction import Prediction

if TYPE_CHECKING:
    from perennial.inference.spans import Span
    from perennial.settings.behaviours import ExpectSpec


class SingleLabelAnswering(KindBase):
    """What an answer with one label each is."""

    expected_forms: tuple[str, ...] = ("label",)
    degree_of: Literal["label", "number"] | None = "label"

    def labels_answered(self, prediction: Prediction) -> list[str]:
        return [str(prediction["label"])]

    def collapsed(self, predictions: Sequence[Prediction]) -> str | None:
        answers = {prediction["label"] for prediction in predictions}
        return f"label {answers.pop()!r}" if len(answers) == 1 else None

    def same_answer(self, one: Prediction, other: Prediction) -> bool:
        return bool(one["label"] == other["label"])

    def meets(self, expect: ExpectSpec, marks: Sequence[Span], prediction: Prediction) -> bool:
        return bool(prediction["label"] == expect.label)

    def degree(self, prediction: Prediction, label: str | None) -> float:
        # A champion gives no probability to a label that it does not know.
        return float(prediction["scores"].get(label, 0.0))

    def shift(self, before: Prediction, after: Prediction) -> float:
        return abs(self.degree(before, before["label"]) - self.degree(after, before["label"]))
