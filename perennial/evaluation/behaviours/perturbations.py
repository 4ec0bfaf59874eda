"""Changes of a text by name, as edits: small ones that leave what it says alone. Any string will do."""

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from random import Random

from perennial.evaluation.behaviours import terms
from perennial.rows.text_edits import Edit

Change = Callable[[Sequence[str], Random], list[list[Edit]]]
"""Edits of each of some texts that belong together; none where the change finds nothing to change."""

LONG_WORD = re.compile(r"[^\W\d_]{5,}")
CASED = re.compile(r"[^\W\d_]+")
# A number by itself, as in 12, 1,200.50 and 12m; not as in Q3, 2nd and COVID19. The last group of digits is caught.
NUMBER = re.compile(r"(?<![\w.,])(?:[0-9]+[.,])*([0-9]+)(?=(?:bn|mn|m|k)?(?![\w]))(?![.,][0-9])")
NEUTRAL_OPENERS = ("Update: ", "In brief: ", "As reported, ")
NEUTRAL_ENDINGS = (", according to a statement", ", it was announced", ", report says")
FULL_STOPS = ".!"


def typo(texts: Sequence[str], draw: Random) -> list[list[Edit]]:
    """Two neighbouring letters inside one word of five or more are swapped; its first and last stay."""
    letter_pairs = [
        (row, position)
        for row, text in enumerate(texts)
        for word in LONG_WORD.finditer(text)
        for position in range(word.start() + 1, word.end() - 2)
        if text[position] != text[position + 1]
    ]
    edits: list[list[Edit]] = [[] for _ in texts]
    if letter_pairs:
        row, position = draw.choice(letter_pairs)
        edits[row].append(Edit(position, position + 2, texts[row][position + 1] + texts[row][position]))
    return edits


def upper(texts: Sequence[str], draw: Random) -> list[list[Edit]]:
    """All capitals."""
    return [_recased(text, str.upper) for text in texts]


def lower(texts: Sequence[str], draw: Random) -> list[list[Edit]]:
    """No capitals."""
    return [_recased(text, str.lower) for text in texts]


def final_punctuation(texts: Sequence[str], draw: Random) -> list[list[Edit]]:
    """The full stop or exclamation mark at the end is taken away; where a letter or digit ends the text, one is put."""
    return [_ended(text) for text in texts]


def numbers(texts: Sequence[str], draw: Random) -> list[list[Edit]]:
    """The last digit of each number becomes another one from 1 to 9; what only looks like a number (Q3, 2nd) stays."""
    return [
        [
            Edit(match.end(1) - 1, match.end(1), _other_digit(text[match.end(1) - 1], draw))
            for match in NUMBER.finditer(text)
        ]
        for text in texts
    ]


def neutral_words(texts: Sequence[str], draw: Random) -> list[list[Edit]]:
    """Words that say nothing, in English, are put before the first text or behind it."""
    text = texts[0]
    ending = draw.random() < 0.5 and text[-1:].isalnum()
    position = len(text) if ending else 0
    added = Edit(position, position, draw.choice(NEUTRAL_ENDINGS if ending else NEUTRAL_OPENERS))
    return [[added], *([] for _ in texts[1:])]


def swap(group: str) -> Change:
    """Terms of a built-in group are swapped for others of their list."""

    def change(texts: Sequence[str], draw: Random) -> list[list[Edit]]:
        return terms.swaps(_built_in(group), texts, draw)

    return change


NAMED: Mapping[str, Change] = {
    "typo": typo,
    "upper": upper,
    "lower": lower,
    "final_punctuation": final_punctuation,
    "numbers": numbers,
    "neutral_words": neutral_words,
    "names": swap("names"),
    "genders": swap("genders"),
    "nationalities": swap("nationalities"),
    "companies": swap("companies"),
}


def appending(words: str) -> Change:
    """`words` are put behind the first text."""
    return lambda texts, draw: [[Edit(len(texts[0]), len(texts[0]), words)], *([] for _ in texts[1:])]


def prepending(words: str) -> Change:
    """`words` are put before the first text."""
    return lambda texts, draw: [[Edit(0, 0, words)], *([] for _ in texts[1:])]


def replacing(pairs: Mapping[str, str]) -> Change:
    """Whole words are replaced."""
    return lambda texts, draw: terms.swaps(terms.terms_replacing(pairs), texts, draw)


@functools.cache
def _built_in(group: str) -> terms.Terms:
    return terms.terms_of(terms.built_in_terms()[group])


def _recased(text: str, recase: Callable[[str], str]) -> list[Edit]:
    words = CASED.finditer(text)
    return [Edit(*word.span(), recase(word[0])) for word in words if recase(word[0]) != word[0]]


def _ended(text: str) -> list[Edit]:
    end = len(text)
    if text[-1:].isalnum():
        return [Edit(end, end, ".")]
    # Three dots are no full stop, and a text of nothing but one would be left empty.
    return [Edit(end - 1, end, "")] if text[-1:] in tuple(FULL_STOPS) and text[-2:-1].isalnum() else []


def _other_digit(digit: str, draw: Random) -> str:
    return draw.choice([other for other in "123456789" if other != digit])
