"""What an answer with a number is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from perennial.kinds.base import KindBase
from perennial.metrics.prediction import Prediction

if TYPE_CHECKING:
    from perennial.inference.spans import Span
    from perennial.settings.behaviours import ExpectSpec


class NumberAnswering(KindBase):
    """What an answer with a number is."""

    expected_forms = ("between",)
    degree_of = "number"

    def collapsed(self, predictions: Sequence[Prediction]) -> str | None:
        # The decoder leaves out what is rounding alone, so answers that mean the same are equal, in whatever unit.
        values = {prediction["value"] for prediction in predictions}
        return f"{values.pop():.4g}" if len(values) == 1 and len(predictions) > 1 else None

    def same_answer(self, one: Prediction, other: Prediction) -> bool:
        # Numbers differ by degrees; what a lower precision costs, the metrics tell.
        return True

    def meets(self, expect: ExpectSpec, marks: Sequence[Span], prediction: Prediction) -> bool:
        return expect.between is not None and expect.between[0] <= prediction["value"] <= expect.between[1]

    def degree(self, prediction: Prediction, label: str | None) -> float:
        return float(prediction["value"])

    def shift(self, before: Prediction, after: Prediction) -> float:
        return abs(self.degree(before, None) - self.degree(after, None))
