"""What of an answer is explained: one number for each target, whatever the kind of task."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from perennial.core.errors import PackageError, listing
from perennial.inference.explanations.parts import Parts

Answer = Mapping[str, Any]


@dataclass(frozen=True)
class Target:
    """A label's score, a span's, or the one value of a regression."""

    label: str | None
    """None: a regression has no labels."""
    span: Mapping[str, Any] | None = None

    def value(self, answer: Answer, places: np.ndarray, words: np.ndarray) -> float:
        """Of `answer`; of a span the mean, over those of its `words` that are left (`places`: where they lie), of the
        score of the span of this label that holds them, 0 where there is none."""
        if self.label is None:
            return float(answer["value"])
        if self.span is None:
            return float(answer["scores"][self.label])
        left = places[words]
        left = left[left[:, 0] >= 0]
        scores = [self._score(answer["spans"], start, end) for start, end in left.tolist()]
        return sum(scores) / len(scores) if scores else 0.0

    def words(self, parts: Parts) -> np.ndarray:
        """The numbers of the words of its span; none of another target."""
        if self.span is None:
            return np.empty(0, np.int64)
        return np.flatnonzero((parts.bounds[:, 0] < self.span["end"]) & (parts.bounds[:, 1] > self.span["start"]))

    def _score(self, spans: Sequence[Mapping[str, Any]], start: int, end: int) -> float:
        return next(
            (
                float(span["score"])
                for span in spans
                if span["label"] == self.label and span["start"] < end and start < span["end"]
            ),
            0.0,
        )


EXPLAINED = ("spans", "scores", "value")
"""What an answer has to hold one of."""


def can_be_explained(answer: Answer) -> bool:
    """Whether answers of this kind of task hold a number that words could move."""
    return any(name in answer for name in EXPLAINED)


def targets_of(answer: Answer, labels: Sequence[str], label: str | None = None) -> list[Target]:
    """What of `answer` is explained: the score of `label` (None: of the likeliest), the value, or each span.

    Raises PackageError if the model has no such label, or gives no number that could be explained.
    """
    if label is not None and label not in labels:
        there = f"it has {listing(map(repr, labels), 12)}" if labels else "it has no labels"
        raise PackageError(f"This model has no such label to explain; {there}.", remedy="Name one of its labels.")
    if "spans" in answer:
        return [Target(span["label"], span) for span in answer["spans"] if label in (None, span["label"])]
    if "scores" in answer:
        scores = answer["scores"]
        return [Target(label or answer.get("label") or max(scores, key=lambda name: scores[name]))]
    if "value" in answer:
        return [Target(None)]
    raise PackageError(
        "The answers of this kind of task hold no score, no value and no spans, so there is nothing to explain.",
        remedy="Explanations are of answers with scores, a value or spans.",
    )
