"""One label for a text: the likeliest."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from perennial.inference.decoders.base import Columns, Encoded, Input, Outputs, Reading, answer_to, softmax
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
        answers = []
        for scores in softmax(np.stack(outputs)).tolist() if len(outputs) else []:
            best = max(range(len(scores)), key=scores.__getitem__)
            named = dict(zip(reading.labels, scores, strict=True))
            answers.append({"label": reading.labels[best], "score": scores[best], "scores": named})
        return answers

    def in_words(self, answer: Mapping[str, Any]) -> str:
        return f"{answer['label']}  {answer['score']:.3f}"

    def marked(self, answer: Mapping[str, Any]) -> list[tuple[int, int, str]]:
        return []


DECODER = TextClassification()
