"""One label for two texts read together: a relation, an entailment, a question and its answer."""

from __future__ import annotations

from perennial.kinds.recognition.sample import FileSample, Given, RecognisedColumns, RowShape
from perennial.kinds.single_label.kind import SingleLabelKind
from perennial.kinds.text_pair import recognition
from perennial.kinds.text_pair.wording import WORDING


class TextPairKind(SingleLabelKind):
    """Exactly one of `data.labels` for each pair of texts; where they are too long, the longer one is cut first."""

    name = "text-pair"
    text_columns = ("text", "text_pair")
    input_columns = ("text", "text_pair")
    wording = WORDING
    roles = ("text", "text_pair", "label")
    recognised_after = 2
    shape = RowShape.PAIR

    def recognise(self, sample: FileSample, given: Given, *, forced: bool) -> RecognisedColumns | None:
        return recognition.find_text_pair(sample, given, forced=forced)


KIND = TextPairKind()
