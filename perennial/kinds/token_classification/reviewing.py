"""How targets with spans are looked at and corrected."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from perennial.kinds.base import KindBase, known_label
from perennial.kinds.token_classification.marked_text import SPANS_FORM, marked, meant_spans
from perennial.kinds.token_classification.span_rows import (
    FaultError,
    as_tuples,
    checked_spans,
    plain_spans,
)
from perennial.metrics.prediction import Prediction

if TYPE_CHECKING:
    from perennial.metrics.label_errors import Doubt


class SpanReviewing(KindBase):
    """How targets with spans are looked at and corrected."""

    doubts_need_details = True

    def doubts(self, targets: Sequence[Any], predictions: Sequence[Prediction], labels: Sequence[str]) -> list[Doubt]:
        from perennial.metrics import label_errors

        return label_errors.of_words([as_tuples(target) for target in targets], predictions, labels)

    def target_in_words(self, target: Any) -> str:
        return json.dumps(plain_spans(target), ensure_ascii=False)

    def target_of_words(self, words: str, labels: Sequence[str]) -> Any:
        _, spans_meant = meant_spans(words)
        return [{**span, "label": known_label(span["label"], labels)} for span in spans_meant]

    def beside_text(self, words: str, texts: Sequence[str]) -> str:
        from perennial.rows import spreadsheet

        (text,) = texts
        shown = marked(text, json.loads(words))
        # What a spreadsheet can't hold as it is would not come back as it was.
        held = len(shown) <= spreadsheet.MAX_CELL and text == text.strip() and not {"\x00", "\r"} & set(text)
        return shown if held and meant_spans(shown) == (text, json.loads(words)) else words

    def misfit(self, words: str, text: str | None) -> str | None:
        quoted, spans_meant = meant_spans(words)
        if quoted not in {None, text}:
            return f"without [ ](LABEL) its text is not the row's; leave the text as it is, or write {SPANS_FORM}"
        try:
            checked_spans(text or "", spans_meant)
        except FaultError as error:
            return str(error)
        return None
