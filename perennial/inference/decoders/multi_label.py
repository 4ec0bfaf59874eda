"""Any number of labels for a text: each whose probability reaches its own threshold."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from perennial.inference.decoders.base import Encoded, Outputs, Reading, sigmoid
from perennial.inference.decoders.text_classification import TextClassification

THRESHOLD = 0.5
"""Of a label for which none was chosen on validation rows."""


class MultiLabel(TextClassification):
    """A text in, {"labels" (those that hold, the likeliest first), "scores" (each label's probability)} out."""

    def decode(self, outputs: Outputs, encoded: Encoded, reading: Reading) -> list[dict[str, Any]]:
        chosen = reading.decoding.get("thresholds", {})
        thresholds = {label: chosen.get(label, THRESHOLD) for label in reading.labels}
        answers = []
        for scores in sigmoid(np.stack(outputs)).tolist() if len(outputs) else []:
            named = dict(zip(reading.labels, scores, strict=True))
            holding = [label for label, score in named.items() if score >= thresholds[label]]
            answers.append({"labels": sorted(holding, key=lambda name: -named[name]), "scores": named})
        return answers

    def in_words(self, answer: Mapping[str, Any]) -> str:
        return ", ".join(f"{label} {answer['scores'][label]:.3f}" for label in answer["labels"]) or "—"


DECODER = MultiLabel()
