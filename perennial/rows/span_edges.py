"""Where spans begin and end: at words, not at the blanks between them and not inside them."""

import unicodedata
from collections import Counter
from collections.abc import Sequence

from perennial.inference.words import words_in

TRIMMED = "span with blanks at its edges, which were cut off"
SNAPPED = "span that began or ended inside a word, widened to the whole of it"
SHARED = "span inside a word that another span shares, left as it is: a model answers by whole words"


def trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """The stretch without the blanks at its edges; the stretch itself where it is nothing but blanks."""
    inner = text[start:end]
    if not inner or inner.isspace() or not (inner[0].isspace() or inner[-1].isspace()):
        return start, end
    return start + len(inner) - len(inner.lstrip()), end - (len(inner) - len(inner.rstrip()))


def snapped(text: str, start: int, end: int) -> tuple[int, int]:
    """The stretch with the whole of each word it begins or ends in: a model answers by words, never by parts of one."""
    if not (_may_cut(text, start) or _may_cut(text, end)):
        return start, end
    words, _ = words_in([text])
    for first, behind in words.tolist():
        if first < start < behind:
            start = first
        if first < end < behind:
            end = behind
    return start, end


def at_words(text: str, spans: Sequence[tuple[int, int]]) -> tuple[list[tuple[int, int]], Counter[str]]:
    """`spans` of `text`, in order, without blanks at their edges and with whole words; and what was done, by count.

    A span is not widened into the one beside it: both are left as they are, for a person to see.
    """
    changes: Counter[str] = Counter()
    inner = [trimmed(text, *span) for span in spans]
    changes[TRIMMED] = sum(one != span for one, span in zip(inner, spans, strict=True))
    whole = [snapped(text, *span) for span in inner]
    for index, (one, span) in enumerate(zip(whole, inner, strict=True)):
        if one == span:
            continue
        before = whole[index - 1][1] if index else 0
        behind = whole[index + 1][0] if index + 1 < len(whole) else len(text)
        shared = one[0] < before or one[1] > behind
        changes[SHARED if shared else SNAPPED] += 1
        if shared:
            whole[index] = span
    return whole, +changes


def is_aligned(text: str, start: int, end: int) -> bool:
    """Whether the stretch begins and ends with words, as people mark them."""
    return trimmed(text, start, end) == (start, end) and snapped(text, start, end) == (start, end)


def _may_cut(text: str, position: int) -> bool:
    """Whether a word may go on from before `place` to behind it; ASCII text is told at a glance."""
    if not 0 < position < len(text):
        return False
    return _in_word(text[position - 1]) and _in_word(text[position])


def _in_word(character: str) -> bool:
    return character.isalnum() or unicodedata.category(character)[0] not in "PSZC"
