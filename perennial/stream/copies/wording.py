"""What of a text is compared: letters, words, names and figures, without what agencies and outlets put around it."""

from __future__ import annotations

import hashlib
import re
import struct
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from perennial.rows.folding import fold
from perennial.stream.copies.figures import Figure, figures

LETTERS = 1_000
"""Of a text that are looked at: its beginning, where news says what is new."""
MOST_WORDS = 64
"""Different words of a text that are compared."""
NAME, FIGURE = "=", "#"
"""What names and figures begin with among the words of a text."""
STEM = 5
"""Letters of a word that are compared, so that its endings make no difference (McNamee and Mayfield 2004)."""
_CASED_SHARE = 0.6
"""Of words with a capital: from here on capitals say nothing, as in headlines in title case."""
_SLUG = re.compile(r"\s*(?:[A-Z]{3,}(?: [A-Z]{3,})?(?:[ -]?\d{1,2})?\s?(?:[-–—]|:)\s?){1,2}(?=\S)")
_DATELINE = re.compile(r"[^()]{0,40}\([^()]{2,30}\)\s?[-–—]\s*")
_OUTLET = re.compile(r"\s(?:[-–—|·]\s|\()(?:[A-Z][\w.&]*)(?:\s(?:[A-Z][\w.&]*|of|and|the)){0,4}\)?\s*$")
_HEAD = 15
"""Letters that must be left when an outlet's name is cut from the end."""
_WORD = re.compile(r"[^\W\d_]+")
_STARTS = re.compile(r"([.!?:;|]\s|^)\W*$")
_IDEOGRAPH = re.compile(r"([\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff])")
_SPACELESS = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\uf900-\ufaff]{3,}")


@dataclass(frozen=True, slots=True)
class TextWording:
    """One way to tell a story, as it is compared with others."""

    letters: str
    """Folded, the beginning."""
    key: int
    """The same for texts whose letters and figures are the same: 64 bits."""
    words: frozenset[str]
    """Beginnings of words, of scripts without spaces pairs of signs; names whole, behind a sign of their own."""
    names: frozenset[str]
    """Those of `words` that are names."""
    figures: tuple[Figure, ...]

    @property
    def is_empty(self) -> bool:
        """Whether it says nothing that could be compared."""
        return not self.words and not self.figures


def bare(text: str) -> str:
    """The beginning of `text` without an agency's slug ("UPDATE 1-"), dateline or the outlet's name behind a dash."""
    text = text[: 4 * LETTERS].strip()
    for before in (_SLUG, _DATELINE):
        start = before.match(text)
        if start and len(text) - start.end() >= _HEAD and not _is_shouted(text):
            text = text[start.end() :]
    behind = _OUTLET.search(text, max(_HEAD, len(text) - 60)) if len(text) > _HEAD else None
    return text[: behind.start()] if behind else text


def sketched(letters: str) -> str:
    """`letters` as they are cut into runs of five: a sign that stands for a syllable or a word counts as three."""
    return letters if letters.isascii() else _IDEOGRAPH.sub(r"\1\1\1", letters)


def wording_of(
    text: str, is_name: Callable[[str], bool], letters: str | None = None, entities: Sequence[str] = ()
) -> TextWording:
    """`text` as it is compared, of which `bare` was taken.

    `is_name`: whether the stream knows a word, in one case, rather as a name: asked where a capital does not say.
    `letters`: `text` folded, if that is known. `entities`: those found in it; without, capitals say what is a name.
    """
    letters = (fold(text) if letters is None else letters)[:LETTERS]
    beginning = text[:LETTERS]
    stated = figures(beginning)
    words = _words(beginning, _given(entities) if entities else None, is_name)
    names = frozenset(word for word in words if word[0] == NAME)
    return TextWording(letters, _key(letters, stated), words.union(figure.word for figure in stated), names, stated)


def stem(word: str) -> str:
    """The beginning of `word`, in one case, without accents."""
    if not word.isascii():
        parted = unicodedata.normalize("NFKD", word.casefold())
        return "".join(one for one in parted if not unicodedata.combining(one))[:STEM]
    return word[:STEM].lower()


def lower_case(text: str) -> set[str]:
    """Beginnings of the words that `text` writes in lower case, where others have capitals."""
    return {stem(word) for word in _WORD.findall(text[:LETTERS]) if word[0].islower()}


def _given(entities: Sequence[str]) -> frozenset[str]:
    return frozenset(word.casefold() for entity in entities for word in _WORD.findall(entity))


def _words(text: str, given: frozenset[str] | None, is_name: Callable[[str], bool]) -> frozenset[str]:
    tokens = [(match[0], match.start()) for match in _WORD.finditer(text)]
    capitals = sum(word[0].isupper() for word, _ in tokens)
    capitals_say = capitals < _CASED_SHARE * len(tokens)
    words: set[str] = set()
    for word, at in tokens:
        if len(word) == 1 and word.isascii():
            continue
        if given is not None:
            named = word.casefold() in given
        elif not word[0].isupper():
            named = False
        else:
            sure = capitals_say and not _STARTS.search(text[max(0, at - 4) : at])
            named = sure or is_name(word)
        if named:
            words.add(NAME + word.casefold())
        else:
            words.update((word[:STEM].lower(),) if word.isascii() else _pieces(word))
        if len(words) >= MOST_WORDS:
            break
    return frozenset(words)


def _pieces(word: str) -> Sequence[str]:
    if not _SPACELESS.search(word):
        return (stem(word),)
    width = 2 if _IDEOGRAPH.search(word) else 4
    return [word[at : at + width] for at in range(len(word) - width + 1)] or (word,)


def _is_shouted(text: str) -> bool:
    """Whether all is in capitals, so that those of a slug say nothing."""
    return text.isupper()


def _key(letters: str, stated: Sequence[Figure]) -> int:
    numbers = "|".join(f"{figure.unit[0]}{figure.value:g}" for figure in stated)
    digest = hashlib.blake2b(f"{letters}|{numbers}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    key: int = struct.unpack("<q", digest)[0]
    return key
