"""Words: what entities are made of. Found in the text itself, whatever the tokenizer, so that offsets are exact."""

import itertools
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

_TOGETHER, _ALONE, _SPACE, _MARK = range(4)
# Scripts that write words without spaces between them, and Korean, whose particles stick to names: each character is a
# word, as far as the tokenizer parts them. (Blocks of Unicode: the standard library does not know scripts.)
_UNSPACED = (
    *((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0xA9E0, 0xA9FF), (0xAA60, 0xAA7F)),  # Thai to Myanmar
    *((0x1100, 0x11FF), (0x3130, 0x318F), (0xA960, 0xA97F), (0xAC00, 0xD7FF)),  # Korean
    *((0x2E80, 0x312F), (0x31A0, 0x31FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF)),  # Chinese, Japanese
    *((0xFF66, 0xFFDC), (0x16FE0, 0x18DFF), (0x1AFF0, 0x1B16F), (0x20000, 0x3FFFF)),
)
_BY_CATEGORY = {"P": _ALONE, "S": _ALONE, "Cs": _ALONE, "M": _MARK, "Z": _SPACE, "Cc": _SPACE, "Cf": _SPACE}

JOINING = frozenset("'’-‐‑.,:_@&/")
"""Marks that make one word of what stands before and behind them."""


def words_in(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """The words of all texts (words × 2, int64), and the first character of each text (int64).

    Both count the characters of all texts, with one more between each text and the next. A punctuation mark, a symbol
    and a character of a script without spaces are a word each, with the marks upon them; so is whatever lies between
    those and white space, control and format characters.
    """
    first = np.cumsum([0, *(len(text) + 1 for text in texts)])[: len(texts)]
    kinds = _kinds("\n".join(texts))
    if not len(kinds):
        return np.empty((0, 2), np.int64), first
    # A mark goes with the character that it stands upon.
    upon = kinds[np.maximum.accumulate(np.where(kinds == _MARK, 0, np.arange(len(kinds))))]
    before = np.concatenate([[_SPACE], kinds[:-1]])
    starts = (kinds == _ALONE) | ((kinds != _SPACE) & (before == _SPACE))
    starts[1:] |= (kinds[1:] == _TOGETHER) & (upon[:-1] == _ALONE)
    ends = (kinds != _SPACE) & np.append(starts[1:] | (kinds[1:] == _SPACE), True)
    return np.stack([np.flatnonzero(starts), np.flatnonzero(ends) + 1], axis=1), first


def whole_words(text: str) -> np.ndarray:
    """The words of `text` (words × 2, int64) as people count them: what one mark joins without a space, such as don't,
    3.5 and e-mail, is one word; all else is as `words_in` has it."""
    pieces, _ = words_in([text])
    joins = [
        last[1] == mark[0]
        and mark[1] == following[0]
        and text[mark[0] : mark[1]] in JOINING
        and _kind(ord(text[last[1] - 1])) == _kind(ord(text[following[0]])) == _TOGETHER
        for last, mark, following in zip(pieces.tolist(), pieces[1:].tolist(), pieces[2:].tolist(), strict=False)
    ]
    # A mark that joins begins no word, nor does what it joins.
    begins = np.ones(len(pieces), bool)
    for index in np.flatnonzero(joins):
        begins[index + 1 : index + 3] = False
    ends = np.append(begins[1:], True)[: len(pieces)]
    return np.stack([pieces[begins, 0], pieces[ends, 1]], axis=1)


def joined(tokens: Sequence[str]) -> tuple[str, list[tuple[int, int]]]:
    """`tokens` as one text, a space between them, and where each lies in it: first character, the one behind."""
    starts = itertools.accumulate((len(token) + 1 for token in tokens), initial=0)
    return " ".join(tokens), [(start, start + len(token)) for token, start in zip(tokens, starts, strict=False)]


def touched(words: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For stretches of characters, the first word each touches and the one after the last; not before it: none."""
    return np.searchsorted(words[:, 1], starts, "right"), np.searchsorted(words[:, 0], ends, "left")


def stretches(first: np.ndarray, behind: np.ndarray) -> np.ndarray:
    """All numbers from each of `first` to before its `behind`, one stretch after the other."""
    sizes = np.maximum(behind - first, 0)
    positions: np.ndarray = np.arange(int(sizes.sum())) + np.repeat(first - (np.cumsum(sizes) - sizes), sizes)
    return positions


def is_unicode(text: str) -> bool:
    """Whether `text` holds no half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _kinds(text: str) -> np.ndarray:
    """How each character of `text` makes words."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    different = np.unique(codes)
    table = np.zeros(int(different[-1]) + 1 if len(different) else 0, np.uint8)
    table[different] = [_kind(code) for code in different.tolist()]
    character_kinds: np.ndarray = table[codes]
    return character_kinds


@lru_cache(maxsize=1 << 16)
def _kind(code: int) -> int:
    category = unicodedata.category(chr(code))
    character_kind = _BY_CATEGORY.get(category, _BY_CATEGORY.get(category[0], _TOGETHER))
    alone = character_kind == _TOGETHER and any(start <= code <= end for start, end in _UNSPACED)
    return _ALONE if alone else character_kind
