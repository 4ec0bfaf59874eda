"""One label for a text: the likeliest."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from perennial.inference.decoders.base import Columns, Encoded, Input, Outputs, Reading, answer_to, softmax, tempered
from perennial.inference.tokenization import Tokenizer


class TextClassification:
    """A text in, {"label", "score" (its probability), "scores" (each label's)} out."""

    per_token = False
    columns: tuple[tuple[str, ...], ...] = (("text",),)

    def inputs(self, columns: Columns) -> list[Input]:
        return answer_to(columns["text"])

    def encode(self, inputs: Sequence[Input], tokenizer: Tokenizer) -> Encoded:
        return Encoded(*tokenizer.encode(inputs))

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

    def details(self, outputs: Outputs, encoded: Encoded, reading: Reading) -> list[dict[str, np.ndarray]]:
        return [{} for _ in outputs]

    def in_words(self, answer: Mapping[str, Any]) -> str:
        return f"{answer['label']}  {answer['score']:.3f}"

    def marked(self, answer: Mapping[str, Any]) -> list[tuple[int, int, str]]:
        return []


DECODER = TextClassification()
