"""One label for a text: the likeliest."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from perennial.inference.decoders.base import Encoded, Outputs, Reading, TextDecoder, softmax, tempered
from perennial.inference.decoders.json_schema import SHARE, obj


class TextClassification(TextDecoder):
    """A text in, {"label", "score" (its probability), "scores" (each label's)} out."""

    def decode(self, outputs: Outputs, encoded: Encoded, reading: Reading) -> list[dict[str, Any]]:
        if not len(outputs):
            return []
        logits = np.stack(outputs)
        answers = []
        # By the outputs themselves: two of them may be too close to have different scores.
        for best, scores in zip(
            logits.argmax(axis=1).tolist(), softmax(tempered(logits, reading)).tolist(), strict=True
        ):
            named = dict(zip(reading.labels, scores, strict=True))
            answers.append({"label": reading.labels[best], "score": scores[best], "scores": named})
        return answers

    def answer_schema(self, labels: Sequence[str]) -> dict[str, Any]:
        return obj({"label": {"enum": list(labels)}, "score": SHARE, "scores": obj(dict.fromkeys(labels, SHARE))})

    def in_words(self, answer: Mapping[str, Any]) -> str:
        return f"{answer['label']}  {answer['score']:.3f}"


DECODER = TextClassification()
