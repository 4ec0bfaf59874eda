"""One number for a text."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from perennial.kinds.floors import Floor
from perennial.kinds.recognition.sample import RowShape
from perennial.kinds.regression import recognition
from perennial.kinds.regression.answering import NumberAnswering
from perennial.kinds.regression.judging import NumberJudging
from perennial.kinds.regression.learning import NumberLearning
from perennial.kinds.regression.reading import NumberReading
from perennial.kinds.regression.reviewing import NumberReviewing
from perennial.kinds.regression.wording import WORDING

if TYPE_CHECKING:
    from perennial.kinds.floors import CountedRows
    from perennial.kinds.recognition.sample import FileSample, Given, RecognisedColumns

EXPLAINED = 0.1
"""R² for numbers: people who rate texts agree with each other less than people who sort them."""


class RegressionKind(NumberReading, NumberLearning, NumberAnswering, NumberJudging, NumberReviewing):
    """A number for each text, in whatever unit `data.columns.label` has."""

    name = "regression"
    asks = "number"
    wording = WORDING
    recognised_after = 4
    shape = RowShape.NUMBER

    def recognise(self, sample: FileSample, given: Given, *, forced: bool) -> RecognisedColumns | None:
        return recognition.find_regression(sample, given, forced=forced)

    def floor(self, counted: CountedRows) -> Floor:
        spread = statistics.pstdev(counted.numbers)
        basis = f"0 is as good as always answering the mean, which is off by {spread:.3g} (rmse)"
        return Floor(metric="r2", value=EXPLAINED, basis=basis)


KIND = RegressionKind()
