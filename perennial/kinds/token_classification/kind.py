"""Spans in a text: entities, or whatever else is found inside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from perennial.kinds.floors import ABOVE_CHANCE, Floor
from perennial.kinds.token_classification import recognition
from perennial.kinds.token_classification.answering import SpanAnswering
from perennial.kinds.token_classification.judging import SpanJudging
from perennial.kinds.token_classification.learning import SpanLearning
from perennial.kinds.token_classification.reading import SpanReading
from perennial.kinds.token_classification.reviewing import SpanReviewing
from perennial.kinds.token_classification.wording import WORDING

if TYPE_CHECKING:
    from perennial.kinds.floors import CountedRows
    from perennial.kinds.recognition.sample import FileSample, Given, RecognisedColumns


class TokenClassificationKind(SpanReading, SpanLearning, SpanAnswering, SpanJudging, SpanReviewing):
    """Spans of `data.labels` in each text, which do not overlap; there may be none.

    Rows come as `tokens` with `tags`, or as `text` with `spans`.
    """

    name = "token-classification"
    asks = "spans"
    wording = WORDING
    roles = ("text", "tokens", "tags", "spans")
    recognised_after = 1

    def recognise(self, sample: FileSample, given: Given, *, forced: bool) -> RecognisedColumns | None:
        return recognition.find_token_classification(sample, given, forced=forced)

    def conflict_of_roles(self, roles_named: Sequence[str]) -> str | None:
        return recognition.conflict_of_roles(roles_named)

    def oddity(self, sample: FileSample) -> str | None:
        return recognition.oddity(sample)

    def floor(self, counted: CountedRows) -> Floor:
        basis = "a span counts if both its ends and its label are right"
        return Floor(metric="f1", value=ABOVE_CHANCE, basis=basis)


KIND = TokenClassificationKind()
