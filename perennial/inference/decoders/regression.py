"""One number for a text."""

from collections.abc import Mapping, Sequence
from typing import Any

from perennial.inference.decoders.base import Encoded, Outputs, Reading, TextDecoder
from perennial.inference.decoders.json_schema import obj

DECIMALS = 5
"""Of a standard deviation: those behind change with a row's neighbours in the batch, by float32's rounding."""


class Regression(TextDecoder):
    """A text in, {"value"} out. The model answers in standard deviations from the mean of what it learned from."""

    def decode(self, outputs: Outputs, encoded: Encoded, reading: Reading) -> list[dict[str, Any]]:
        mean, scale = reading.decoding.get("mean", 0.0), reading.decoding.get("scale", 1.0)
        return [{"value": round(float(output[0]), DECIMALS) * scale + mean} for output in outputs]

    def answer_schema(self, labels: Sequence[str]) -> dict[str, Any]:
        return obj({"value": {"type": "number"}})

    def in_words(self, answer: Mapping[str, Any]) -> str:
        return f"{answer['value']:.4g}"


DECODER = Regression()
