"""One label for two texts read together: a relation, an entailment, a question and its answer."""

from __future__ import annotations

from perennial.kinds.text_classification.kind import TextClassificationKind
from perennial.kinds.text_pair.wording import WORDING


class TextPairKind(TextClassificationKind):
    """Exactly one of `data.labels` for each pair of texts; where they are too long, the longer one is cut first."""

    name = "text-pair"
    text_columns = ("text", "text_pair")
    input_columns = ("text", "text_pair")
    cascades = False
    wording = WORDING


KIND = TextPairKind()
