"""Spans as tags, the other way round from what Perennial does."""

from collections.abc import Sequence

from perennial.inference.spans import Span


def bio2(spans: Sequence[Span], words: int) -> list[str]:
    """`spans` (in words, not overlapping) as BIO2 tags, one for each of `words` words."""
    tags = ["O"] * words
    for start, end, label in spans:
        tags[start:end] = [f"B-{label}", *[f"I-{label}"] * (end - start - 1)]
    return tags
