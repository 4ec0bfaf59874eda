"""How many tokens texts have, estimated without a tokenizer, and the model.max_length that fits."""

import math
from collections.abc import Sequence

from perennial.rows.column_profile import WIDE

LENGTHS = (128, 256, 512)
"""Tokens. 512 is where the default base model ends; below 128 nothing is gained, as batches are padded to their own."""
TOKENS_PER_WORD = 1.4
CHARACTERS_PER_TOKEN = 1.5
"""In scripts without spaces."""
MARKS = 1
"""One after each text, and one before the first: [SEP] and [CLS]."""


def tokens(texts: Sequence[str | None]) -> float:
    """Estimated tokens of texts that a model reads together."""
    return MARKS + sum(_words(text or "") + MARKS for text in texts)


def longest(counts: Sequence[float]) -> int:
    """Tokens that 99 of 100 rows don't exceed."""
    ordered = sorted(counts)
    return math.ceil(ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]) if ordered else 0


def max_length(count: int) -> int:
    """The least of LENGTHS that holds `count` tokens, or else the greatest."""
    return next((length for length in LENGTHS if length >= count), LENGTHS[-1])


def _words(text: str) -> float:
    wide = sum(map(len, WIDE.findall(text)))
    return len(WIDE.sub(" ", text).split()) * TOKENS_PER_WORD + wide / CHARACTERS_PER_TOKEN
