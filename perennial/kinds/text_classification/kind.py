"""One label for a text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perennial.kinds.recognition.sample import RowShape
from perennial.kinds.single_label.kind import SingleLabelKind
from perennial.kinds.text_classification import recognition
from perennial.kinds.text_classification.wording import WORDING

if TYPE_CHECKING:
    from perennial.kinds.recognition.sample import FileSample, Given, RecognisedColumns


class TextClassificationKind(SingleLabelKind):
    """Exactly one of `data.labels` for each text."""

    cascades = True
    name = "text-classification"
    asks = "label"
    wording = WORDING
    recognised_after = 5
    shape = RowShape.LABEL

    def recognise(self, sample: FileSample, given: Given, *, forced: bool) -> RecognisedColumns | None:
        return recognition.find_one_label(sample, given)


KIND = TextClassificationKind()
