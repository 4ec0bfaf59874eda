"""How a tool counts a text: in code points, UTF-16, UTF-8 bytes, grapheme clusters, or as a browser shows it.

Offsets say nothing of what they count. A view gives, for each of a tool's positions, where that is in the text itself.
"""

import html
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

CHARACTERS, UTF16, UTF8, GRAPHEMES, HTML, RENDERED = "characters", "utf-16", "utf-8", "graphemes", "html", "rendered"
NAMES = (CHARACTERS, UTF16, UTF8, GRAPHEMES, HTML, RENDERED)
WORDS: Mapping[str, str] = MappingProxyType(
    {
        CHARACTERS: "characters (code points)",
        UTF16: "UTF-16 units",
        UTF8: "UTF-8 bytes",
        GRAPHEMES: "grapheme clusters",
        HTML: "characters of the text without its HTML",
        RENDERED: "characters of the text as a browser shows it",
    }
)
_INSIDE = -1
"""A position in the middle of a code point, where nothing can begin or end."""
_HTML = re.compile(r"(?P<tag><[A-Za-z/!][^>]*>)|(?P<entity>&#?\w+;)|(?P<line>\r\n?)|(?P<other>.)", re.DOTALL)


@dataclass(frozen=True)
class TextView:
    """A text by a tool's own units."""

    starts: tuple[int, ...] | range
    """For each unit, the code point at which it begins."""
    ends: tuple[int, ...] | range
    """For each unit, the code point before which it ends."""
    shown: str | None = None
    """What the tool shows, where that is another text; None: the text itself."""

    def stretch(self, start: int, end: int) -> tuple[int, int] | None:
        """The code points (first, behind the last) of the tool's units from `start` to before `end`; None: none are."""
        if not 0 <= start < end <= len(self.starts):
            return None
        first, behind = self.starts[start], self.ends[end - 1]
        return None if _INSIDE in (first, behind) else (first, behind)

    def says(self, text: str, start: int, end: int) -> str | None:
        """What stands there as the tool sees `text`."""
        if self.shown is not None:
            return self.shown[start:end] if 0 <= start < end <= len(self.shown) else None
        position = self.stretch(start, end)
        return None if position is None else text[slice(*position)]


def view(text: str, name: str) -> TextView:
    """`text` as the view `name` (one of NAMES) counts it."""
    if is_plain(text):
        return TextView(range(len(text)), range(1, len(text) + 1))
    return _VIEWS[name](text)


def is_plain(text: str) -> bool:
    """Whether all views count `text` alike, as far as a glance tells."""
    return text.isascii() and not _ODD.search(text)


_ODD = re.compile(r"[<&\x00-\x08\x0b-\x1f\x7f\t\n]|\s\s|^\s|\s$")


def _characters(text: str) -> TextView:
    return TextView(range(len(text)), range(1, len(text) + 1))


def _utf16(text: str) -> TextView:
    return _by_width(text, lambda character: 2 if character > "\uffff" else 1)


def _utf8(text: str) -> TextView:
    return _by_width(text, lambda character: len(character.encode("utf-8", "surrogatepass")))


def _by_width(text: str, width: Callable[[str], int]) -> TextView:
    starts: list[int] = []
    ends: list[int] = []
    for position, character in enumerate(text):
        inside = [_INSIDE] * (width(character) - 1)
        starts += [position, *inside]
        ends += [*inside, position + 1]
    return TextView(tuple(starts), tuple(ends))


def _graphemes(text: str) -> TextView:
    import regex

    bounds = [(match.start(), match.end()) for match in regex.finditer(r"\X", text)]
    return TextView(tuple(start for start, _ in bounds), tuple(end for _, end in bounds))


def _html(text: str) -> TextView:
    return _of_pieces(_without_html(text))


def _without_html(text: str) -> Iterator[tuple[str, int, int]]:
    """Each character that an HTML parser leaves, and where it comes from."""
    for match in _HTML.finditer(text):
        start, end = match.span()
        if match.lastgroup == "entity":
            for character in html.unescape(match[0]):
                yield character, start, end
        elif match.lastgroup == "line":
            yield "\n", start, end
        elif match.lastgroup == "other":
            yield match[0], start, end


def _rendered(text: str) -> TextView:
    """Entities decoded, tags and control characters dropped, runs of blanks one blank, the ends trimmed."""
    pieces: list[tuple[str, int, int]] = []
    for character, start, end in _without_html(text):
        if character.isspace():
            if pieces and pieces[-1][0] != " ":
                pieces.append((" ", start, end))
        elif unicodedata.category(character) != "Cc":
            pieces.append((character, start, end))
    if pieces and pieces[-1][0] == " ":
        pieces.pop()
    return _of_pieces(iter(pieces))


def _of_pieces(pieces: Iterator[tuple[str, int, int]]) -> TextView:
    rows = list(pieces)
    shown = "".join(character for character, _, _ in rows)
    return TextView(tuple(start for _, start, _ in rows), tuple(end for _, _, end in rows), shown)


_VIEWS: Mapping[str, Callable[[str], TextView]] = MappingProxyType(
    {
        CHARACTERS: _characters,
        UTF16: _utf16,
        UTF8: _utf8,
        GRAPHEMES: _graphemes,
        HTML: _html,
        RENDERED: _rendered,
    }
)
