"""What an answer with spans is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from perennial.inference import spans
from perennial.kinds.base import KindBase
from perennial.kinds.token_classification.marked_text import without_marks
from perennial.kinds.token_classification.span_rows import (
    as_tuples,
)
from perennial.metrics.prediction import Prediction

if TYPE_CHECKING:
    from perennial.rows.text_edits import Edit
    from perennial.settings.behaviours import ExpectSpec


class SpanAnswering(KindBase):
    """What an answer with spans is."""

    reads_whole = True

    def labels_answered(self, prediction: Prediction) -> list[str]:
        return sorted({span["label"] for span in prediction["spans"]})

    def collapsed(self, predictions: Sequence[Prediction]) -> str | None:
        return "no span" if predictions and not any(prediction["spans"] for prediction in predictions) else None

    def same_answer(self, one: Prediction, other: Prediction) -> bool:
        return as_tuples(one["spans"]) == as_tuples(other["spans"])

    def unmarked(self, texts: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[spans.Span, ...]]:
        (text,) = texts
        bare, marks = without_marks(text)
        return (bare,), marks

    def meets(self, expect: ExpectSpec, marks: Sequence[spans.Span], prediction: Prediction) -> bool:
        return as_tuples(prediction["spans"]) == list(marks)

    def moved(self, prediction: Prediction, edits: Sequence[Edit]) -> Prediction:
        from perennial.rows.text_edits import moved_end, moved_start

        there = [
            {**span, "start": moved_start(edits, span["start"]), "end": moved_end(edits, span["end"])}
            for span in prediction["spans"]
        ]
        return {"spans": there}

    def shift(self, before: Prediction, after: Prediction) -> float:
        first, then = (
            dict(zip(as_tuples(answer["spans"]), (span["score"] for span in answer["spans"]), strict=True))
            for answer in (before, after)
        )
        # A span that one answer lacks had no score there; two answers without any have not moved.
        moves = [abs(first.get(span, 0.0) - then.get(span, 0.0)) for span in {**first, **then}]
        return float(sum(moves) / max(len(moves), 1))

    def without_text(self, prediction: Prediction) -> Prediction:
        return {"spans": [{name: span[name] for name in span if name != "text"} for span in prediction["spans"]]}
