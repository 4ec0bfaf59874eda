"""Any number of labels for a text: each whose probability reaches its own threshold."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from perennial.inference.decoders.base import Encoded, Outputs, Reading, TextDecoder, sigmoid, tempered
from perennial.inference.decoders.json_schema import SHARE, array, obj

THRESHOLD = 0.5
"""Of a label for which none was chosen on validation rows."""


class MultiLabel(TextDecoder):
    """A text in, {"labels" (those that hold, the likeliest first), "scores" (each label's probability)} out."""

    def decode(self, outputs: Outputs, encoded: Encoded, reading: Reading) -> list[dict[str, Any]]:
        if not len(outputs):
            return []
        logits = np.stack(outputs)
        chosen = reading.decoding.get("thresholds", {})
        thresholds = np.array([chosen.get(label, THRESHOLD) for label in reading.labels])
        # Thresholds are of the scores before any temperature, so that it can't change what holds.
        holds = sigmoid(logits) >= thresholds
        answers = []
        for row, scores in enumerate(sigmoid(tempered(logits, reading)).tolist()):
            likeliest_first = np.argsort(-logits[row], kind="stable")
            labels = [reading.labels[index] for index in likeliest_first if holds[row, index]]
            answers.append({"labels": labels, "scores": dict(zip(reading.labels, scores, strict=True))})
        return answers

    def answer_schema(self, labels: Sequence[str]) -> dict[str, Any]:
        return obj({"labels": array({"enum": list(labels)}), "scores": obj(dict.fromkeys(labels, SHARE))})

    def in_words(self, answer: Mapping[str, Any]) -> str:
        return ", ".join(f"{label} {answer['scores'][label]:.3f}" for label in answer["labels"]) or "—"


DECODER = MultiLabel()
