"""From a model's outputs to answers, one decoder for each kind of task."""

from collections.abc import Callable
from typing import Any

import numpy as np

from perennial.errors import PackageError, listing
from perennial.inference.package import PackageInfo

Decoder = Callable[[np.ndarray, PackageInfo], list[dict[str, Any]]]
"""Logits (rows × outputs, float32) and the package to one JSON-ready answer a row."""


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


def text_classification(logits: np.ndarray, package: PackageInfo) -> list[dict[str, Any]]:
    """{"label", "score" (its probability), "scores" (each label's)} for each row."""
    answers = []
    for scores in softmax(logits).tolist() if len(logits) else []:
        best = max(range(len(scores)), key=scores.__getitem__)
        named = dict(zip(package.labels, scores, strict=True))
        answers.append({"label": package.labels[best], "score": scores[best], "scores": named})
    return answers


_DECODERS: dict[str, Decoder] = {"text-classification": text_classification}
