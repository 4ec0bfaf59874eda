"""How alike two wordings are: nearly the same letters, or the same story in other words."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from perennial.rows.likeness.minhash import SHINGLE
from perennial.stream.copies.figures import Figure
from perennial.stream.copies.wording import FIGURE, NAME, TextWording, sketched

CONTAINED, SHORTEST, PART = 0.95, 20, 0.4
"""One text is a near copy of another also if it has this share of its runs of letters in common with it, at least so
many, and is no shorter than this part of it: what one of them adds before or behind is not another story."""
OVERLAP, WORDS, NAMES, FIGURES, SAME_WORDS = 3.4, 1.2, 6.0, 8.9, -1.2
"""For the share of the shorter one's words, weighed by their rarity, that both have; for how much the words, names and
figures say that both have; and against it where all the words are the same, as that is how templates look."""
OTHER_NAMES, OTHER_FIGURES, LATER, OFFSET = -4.0, -12.0, -1.1, -10.3
"""Against it: for names, and for figures, of each that the other has not; for the log of the hours between; for all.

Found by logistic regression on the odd events of `python -m benchmarks copies`, and rounded."""
UNLIKELY = -3.0
"""Log odds from which a story is not joined, even if another of its wordings speaks for it."""
_LITTLE, _MOST = 0.1, 3.0


def overlap(one: str, other: str) -> tuple[float, float]:
    """Of the runs of five letters of both: the share that both have (Jaccard), and of the shorter's (containment)."""
    first, second = _runs(one), _runs(other)
    common, fewer = len(first & second), min(len(first), len(second))
    return common / (len(first) + len(second) - common), common / fewer


def are_near(one: TextWording, other: TextWording, near: float) -> float | None:
    """Their overlap, if from `near` on, or if one holds the other; else None."""
    if not may_be_near(one, other, near) or gainsay(one, other):
        return None
    jaccard, contained = overlap(one.letters, other.letters)
    fewer = min(len(one.letters), len(other.letters))
    holds = contained >= CONTAINED and fewer >= SHORTEST and fewer >= PART * max(len(one.letters), len(other.letters))
    return jaccard if jaccard >= near or holds else None


def may_be_near(one: TextWording, other: TextWording, near: float) -> bool:
    """Whether their lengths allow it."""
    shorter, longer = sorted((len(one.letters), len(other.letters)))
    return shorter >= min(near, PART) * longer


def _runs(letters: str) -> set[str]:
    letters = sketched(letters)
    return {letters[at : at + SHINGLE] for at in range(max(1, len(letters) - SHINGLE + 1))}


def disagree(one: Sequence[Figure], other: Sequence[Figure]) -> bool:
    """Whether each states a figure that the other has not, of the same unit."""
    left = {figure.unit for figure in one if not any(figure.agrees(stated) for stated in other)}
    return any(figure.unit in left for figure in other if not any(figure.agrees(stated) for stated in one))


def gainsay(one: TextWording, other: TextWording) -> bool:
    """Whether they say different things in the same words: each has a figure, or a name, that the other has not."""
    if one.names - other.words and other.names - one.words:
        return True
    return disagree(one.figures, other.figures)


@dataclass(frozen=True, slots=True)
class WeighedWording:
    """A wording, and how much its words say: of each 1 if no other text of the stream has it, 0 if all have."""

    wording: TextWording
    says: Mapping[str, float]
    """Of each word, for as long as it is compared with others."""
    all: float
    names: float
    words: float
    """Together: of all, of the names, and of those that are neither names nor figures."""


def weighed(wording: TextWording, rarity: Callable[[str], float]) -> WeighedWording:
    """`wording` with what its words say by `rarity`."""
    says = {word: rarity(word) for word in wording.words}
    names = sum(says[word] for word in wording.names)
    stated = sum(value for word, value in says.items() if word[0] == FIGURE)
    together = sum(says.values())
    return WeighedWording(wording, says, together, names, together - names - stated)


def odds(new: WeighedWording, old: WeighedWording, hours: float) -> float:
    """The log of the odds that two wordings, told so many hours apart, tell the same story; UNLIKELY or less: no.

    A linear model of what both have and of what each has that the other has not, with the weights above.
    """
    names = stated = words = 0.0
    for word in new.wording.words & old.wording.words:
        if word[0] == NAME:
            names += new.says[word]
        elif word[0] == FIGURE:
            stated += new.says[word]
        else:
            words += new.says[word]
    for_it = OVERLAP * (names + stated + words) / (min(new.all, old.all) + _LITTLE)
    for_it += WORDS * min(words, _MOST) + NAMES * min(names, _MOST) + FIGURES * min(stated, _MOST)
    for_it += SAME_WORDS * words / (min(new.words, old.words) + _LITTLE)
    for_it += OTHER_NAMES * max(0.0, min(new.names, old.names) - names) + LATER * math.log1p(hours) + OFFSET
    # What takes most time is asked last, of the few that it matters for.
    if for_it > UNLIKELY and disagree(new.wording.figures, old.wording.figures):
        for_it += OTHER_FIGURES
    return for_it
