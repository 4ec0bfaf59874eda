"""One label for two texts read together."""

from collections.abc import Sequence

from perennial.inference.decoders.base import Columns, Encoded, Input, answer_to
from perennial.inference.decoders.text_classification import TextClassification
from perennial.inference.tokenization import Tokenizer


class TextPair(TextClassification):
    """(text, text_pair) in, the answers of text classification out."""

    columns = (("text", "text_pair"),)

    def inputs(self, columns: Columns) -> list[Input]:
        return list(zip(answer_to(columns["text"]), answer_to(columns["text_pair"]), strict=True))

    def encode(self, inputs: Sequence[Input], tokenizer: Tokenizer) -> Encoded:
        return Encoded(*tokenizer.encode_pairs(inputs))


DECODER = TextPair()
