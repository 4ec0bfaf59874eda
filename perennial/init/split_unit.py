"""What a new pipeline's rows are split by: what they must not share across splits, as far as the file tells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from perennial.rows.folding import fold
from perennial.settings.data import SplitUnit

LARGEST = 0.02
"""Share of the rows that one text may have for rows to be split by it: more, and shares of splits are a lottery."""
FEW = 10
"""Rows that a text may have in any case."""


def split_unit(texts: Sequence[Sequence[object]]) -> SplitUnit:
    """What data.splits.by should be for rows with these columns of text.

    Of two texts read together the one that is repeated more, so that it is in no two splits; not one that so many rows
    share (a question that is asked of every text) that splits could not have the shares asked for.
    """
    if len(texts) != 2:
        return "folded_text"
    sides: dict[SplitUnit, Counter[str]] = {
        "first_text": Counter(fold(str(text)) for text in texts[0] if text is not None),
        "second_text": Counter(fold(str(text)) for text in texts[1] if text is not None),
    }
    limit = max(FEW, LARGEST * len(texts[0]))
    fitting = {name: len(counts) for name, counts in sides.items() if max(counts.values(), default=0) <= limit}
    return min(fitting, key=lambda name: fitting[name], default="folded_text")
