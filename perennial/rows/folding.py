"""What of a text is looked at to tell whether another is the same: normalised, or folded to its letters.

Normalising takes away case, width and white space. Folding takes away whatever an editor, a scraper or a template adds
without writing another text: markup, entities, punctuation, digits, symbols, emoji, invisible characters.
"""

from __future__ import annotations

import html
import re
import unicodedata
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa
    import regex

# What `normalise` only lowers: printable ASCII with single spaces between.
PLAIN = r"\A([!-~]+( [!-~]+)*)?\z"
# ASCII without what could begin a tag or an entity, of which `fold` keeps the letters.
UNMARKED = r"\A[\x00-%'-;=-\x7f]*\z"
_UNWRAPPINGS = 3
"""How often markup may be escaped as text in markup."""
_TAG, _ENTITY = re.compile(r"<[A-Za-z/!][^>]*>"), re.compile(r"&#?\w+;")
_FILLERS = frozenset("\u115f\u1160\u3164\uffa0")
_LOWER = bytes(range(256)).lower()
_NO_LETTERS = bytes(code for code in range(128) if not chr(code).isalpha())


def normalise(text: str) -> str:
    """`text` without differences of case, width and whitespace.

    Unicode NFKC and case folding (as in toNFKC_Casefold, without dropping ignorable characters), then whitespace
    collapsed to single spaces and stripped.
    """
    if not text.isascii():
        return " ".join(_casefolded(text).split())
    return " ".join(text.lower().split())


def normalised(column: pa.Array) -> list[str]:
    """`normalise` of each text of an array of strings, faster for many; null counts as ""."""
    import pyarrow.compute as pc

    lowered = pc.ascii_lower(pc.fill_null(column, ""))
    texts: list[str] = lowered.to_pylist()
    for index in pc.indices_nonzero(pc.invert(pc.match_substring_regex(lowered, PLAIN))).to_pylist():
        # The texts themselves: to lower a letter before its width is made normal could tell two texts apart.
        texts[index] = normalise(column[index].as_py() or "")
    return texts


def fold(text: str) -> str:
    """The letters of `text`, with the marks they bear, in one case and width; `normalise` of one that has none.

    Tags go, entities count as what they stand for, and of the rest only Unicode's letters (L) and marks (M) stay that
    are not invisible (Default_Ignorable_Code_Point). No spaces are left, so that "well-known" is "well known".
    """
    letters = _letters(_without_markup(text))
    return letters or normalise(text)


def folded(column: pa.Array) -> list[str]:
    """`fold` of each text of an array of strings, faster for many; null counts as ""."""
    import pyarrow.compute as pc

    texts: list[str] = pc.fill_null(column, "").to_pylist()
    plain = pc.indices_nonzero(pc.match_substring_regex(pc.fill_null(column, ""), UNMARKED)).to_pylist()
    # A byte that no ASCII text has stands between them.
    letters = b"\xff".join([texts[index].encode() for index in plain]).translate(_LOWER, _NO_LETTERS)
    done = dict(zip(plain, letters.decode("latin-1").split("\xff"), strict=True)) if plain else {}
    return [done.get(index) or fold(text) for index, text in enumerate(texts)]


def _casefolded(text: str) -> str:
    # Folding can undo the normal form, so it is made again.
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def _letters(text: str) -> str:
    if text.isascii():
        return text.encode().translate(_LOWER, _NO_LETTERS).decode()
    if not unicodedata.is_normalized("NFKC", text):
        # A sign that stands for letters, such as ™, is no letter.
        text = _only_letters(text)
    return unicodedata.normalize("NFKC", _only_letters(_casefolded(text)))


def _only_letters(text: str) -> str:
    if any(unicodedata.category(one)[0] == "M" for one in set(text) if one > "\x7f"):
        return str(_others().sub("", text))
    # The same, many times as fast; the only letters that are invisible are fillers of Hangul.
    letters = "".join(filter(str.isalpha, text))
    return letters if _FILLERS.isdisjoint(letters) else "".join(one for one in letters if one not in _FILLERS)


@cache
def _others() -> regex.Pattern[str]:
    """What is neither a letter nor a mark that one bears."""
    import regex

    return regex.compile(r"(?:[^\p{L}\p{M}]|\p{Default_Ignorable_Code_Point})+")


def _without_markup(text: str) -> str:
    for _ in range(_UNWRAPPINGS):
        if "<" not in text and "&" not in text:
            return text
        bare = _ENTITY.sub(lambda match: html.unescape(match[0]), _TAG.sub("", text))
        if bare == text:
            return text
        text = bare
    return text
