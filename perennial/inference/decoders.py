"""From a model's outputs to answers, one decoder for each kind of task."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from perennial.errors import PackageError, listing


class Reading(Protocol):
    """What a decoder must know to read a model's outputs; a package knows it."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the order of the outputs."""


@dataclass(frozen=True)
class OutputLabels:
    """The reading of a model that is not packed yet."""

    labels: tuple[str, ...]


Decoder = Callable[[np.ndarray, Reading], list[dict[str, Any]]]
"""Logits (rows × outputs, float32) to one JSON-ready answer a row."""


def get(kind: str) -> Decoder:
    """The decoder of `kind`. Raises PackageError if there is none."""
    if kind not in _DECODERS:
        raise PackageError(
            f"The package is for the kind of task {kind!r}; this version of perennial decodes {listing(_DECODERS)}.",
            remedy="Update perennial where the package is used.",
        )
    return _DECODERS[kind]


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities (float32) along the last axis; computed in float64, so that they don't overflow and add up to 1."""
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    powers = np.exp(shifted)
    probabilities: np.ndarray = powers / powers.sum(axis=-1, keepdims=True)
    return probabilities.astype(np.float32)


def text_classification(logits: np.ndarray, reading: Reading) -> list[dict[str, Any]]:
    """{"label", "score" (its probability), "scores" (each label's)} for each row."""
    answers = []
    for scores in softmax(logits).tolist() if len(logits) else []:
        best = max(range(len(scores)), key=scores.__getitem__)
        named = dict(zip(reading.labels, scores, strict=True))
        answers.append({"label": reading.labels[best], "score": scores[best], "scores": named})
    return answers


_DECODERS: dict[str, Decoder] = {"text-classification": text_classification}
