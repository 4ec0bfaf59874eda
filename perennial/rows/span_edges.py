"""Where spans begin and end: at words, not at the blanks between them and not inside them."""

import unicodedata

from perennial.inference.words import words_in


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


def is_aligned(text: str, start: int, end: int) -> bool:
    """Whether the stretch begins and ends with words, as people mark them."""
    return trimmed(text, start, end) == (start, end) and snapped(text, start, end) == (start, end)


def _may_cut(text: str, place: int) -> bool:
    """Whether a word may go on from before `place` to behind it; ASCII text is told at a glance."""
    if not 0 < place < len(text):
        return False
    return _in_word(text[place - 1]) and _in_word(text[place])


def _in_word(character: str) -> bool:
    return character.isalnum() or unicodedata.category(character)[0] not in "PSZC"
