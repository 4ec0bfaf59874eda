"""Words for nothing where a label should be, as tools write them for an empty cell, told from labels so called."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from perennial.core.errors import listing

ALWAYS = {"nan", "null", "<na>", "#n/a"}
"""No label is called so; without case."""
RARELY = {"na", "n/a", "none", "nil", "-"}
"""May be a label: of a survey, a region, a stance."""
MOST_NUMBERS = 4
"""Labels that are numbers, from which on one below 0 stands alone: -1, 0 and 1 are bad, plain and good."""
_WHOLE = re.compile(r"-?\d+")
RARE = 0.05
"""Share of the rows up to which one of RARELY stands for no label, and not for one of its own."""


def null_words(labels: Mapping[str, int], least: int) -> list[str]:
    """Those of `labels` (with their rows) that stand for no label; none if fewer than `least` were left."""
    rows = max(sum(labels.values()), 1)
    words = [
        label
        for label, count in labels.items()
        if label.casefold() in ALWAYS or (label.casefold() in RARELY and count <= RARE * rows)
    ]
    return words if len(labels) - len(words) >= least else []


def take_out(labels: Mapping[str, Counter[str]], least: int) -> dict[str, int]:
    """Take such words out of the counts of every split; gives them with their rows."""
    all_of_them = sum(labels.values(), Counter[str]())
    words = {word: all_of_them[word] for word in null_words(all_of_them, least)}
    for counts in labels.values():
        for word in words:
            del counts[word]
    return words


def sentence(words: Mapping[str, int]) -> str:
    """What becomes of these rows."""
    shown = listing(f"{word!r} ({count:,} row{'s' * (count != 1)})" for word, count in words.items())
    them, one = ("them", "one") if len(words) > 1 else ("it", "it")
    return (
        f"{shown} stand{'s' * (len(words) == 1)} for no label, as an empty cell does: data.labels does not name {them} "
        f"and a run sets these rows aside. If {one} is a label, add it there."
    )


def lone_negative(labels: Mapping[str, int]) -> str:
    """A sentence where labels are whole numbers of which one alone is below 0: it may stand for none; else empty."""
    if len(labels) < MOST_NUMBERS or not all(_WHOLE.fullmatch(label) for label in labels):
        return ""
    negative = [label for label in labels if label.startswith("-")]
    if len(negative) != 1:
        return ""
    return (
        f"{negative[0]!r} ({labels[negative[0]]:,} rows) is the only label below 0. If it stands for no label, take it "
        "out of data.labels: a run then sets these rows aside."
    )
