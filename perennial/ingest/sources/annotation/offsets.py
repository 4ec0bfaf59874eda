"""Which units a file's offsets are in, and the same spans in code points of the text."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from perennial.ingest.sources.annotation.opinions import MarkedSpan, Spans, Tally
from perennial.rows import span_edges, text_views
from perennial.rows.text_views import CHARACTERS, GRAPHEMES, HTML, RENDERED, UTF8, UTF16, TextView

AUTO = "auto"
OTHER_TEXT = "answer with a span that says it is of another text than stands there; the answer was left out"
OUTSIDE = "answer with a span that ends behind its text or begins inside a character; the answer was left out"
EMPTY = "span that is empty or nothing but blanks"
_BY_TEXT = (CHARACTERS, UTF16, UTF8, GRAPHEMES, HTML, RENDERED)
_BY_EDGES = (UTF16, CHARACTERS, GRAPHEMES, UTF8)
"""Where spans don't carry their text only where they begin and end can tell."""


def _fits(view: TextView, text: str, mark: MarkedSpan) -> bool:
    said = view.says(text, mark.start, mark.end)
    return said is not None and (said == mark.text or _one_line(said) == _one_line(mark.text or ""))


def _one_line(text: str) -> str:
    """As tools write a span that goes over several lines: blanks, or backslash and n, for its line ends."""
    return re.sub(r"(\\r|\\n|\s)+", " ", text)


class MisfitError(ValueError):
    """A span that is not of its text; its message is the reason."""


class UnitVotes:
    """Which views of the texts their spans fit, counted over a file; texts that all views count alike say nothing."""

    def __init__(self) -> None:
        self._by_text: Counter[str] = Counter()
        self._by_edges: Counter[str] = Counter()

    def add(self, text: str, marks: Sequence[MarkedSpan]) -> None:
        """Count which views fit the spans of `text`."""
        if not marks or text_views.is_plain(text):
            return
        telling = _BY_TEXT if any(mark.text is not None for mark in marks) else _BY_EDGES
        views = {name: text_views.view(text, name) for name in telling}
        for mark in marks:
            if mark.text is not None:
                fit = [name for name in _BY_TEXT if _fits(views[name], text, mark)]
                self._by_text.update(fit)
            elif telling is _BY_EDGES:
                for name in _BY_EDGES:
                    stretch = views[name].stretch(mark.start, mark.end)
                    self._by_edges[name] += stretch is not None and span_edges.is_aligned(text, *stretch)

    def order(self, default: str) -> tuple[str, ...]:
        """All views, the likeliest first: by the spans' own texts, else by their edges, else the tool's `default`."""
        votes = self._by_text if self._by_text.total() else self._by_edges
        first = (default, *(name for name in text_views.NAMES if name != default))
        return tuple(sorted(first, key=lambda name: -votes[name]))


def in_characters(text: str, answer: Spans, views: Sequence[str], where: str, tally: Tally) -> Spans:
    """The spans of `text` in its code points, at word edges; what was changed is counted.

    `views`: the likeliest first; one that carries its text is of the first view under which it fits, one that does not
    is of the first. Raises MisfitError when a span is not of this text.
    """
    marks = sorted(_marks(text, answer, views, where, tally), key=lambda mark: (mark.start, mark.end))
    places, changes = span_edges.at_words(text, [(mark.start, mark.end) for mark in marks])
    for what, count in changes.items():
        tally.change(what, where, count)
    return Spans(tuple(MarkedSpan(*edges, mark.label) for edges, mark in zip(places, marks, strict=True)))


def _marks(text: str, answer: Spans, views: Sequence[str], where: str, tally: Tally) -> Iterator[MarkedSpan]:
    for mark in answer.marks:
        view, stretch = _stretch(text, mark, views)
        if view != CHARACTERS and stretch != (mark.start, mark.end):
            tally.change(f"span in {text_views.WORDS[view]}, converted to characters", where)
        if text[slice(*stretch)].strip():
            yield MarkedSpan(*stretch, mark.label)
        else:
            tally.leave_out(EMPTY, where)


def _stretch(text: str, mark: MarkedSpan, views: Sequence[str]) -> tuple[str, tuple[int, int]]:
    if mark.start == mark.end and 0 <= mark.start <= len(text):
        return CHARACTERS, (mark.start, mark.end)
    candidates = views if mark.text is not None else views[:1]
    for name in candidates:
        view = text_views.view(text, name)
        stretch = view.stretch(mark.start, mark.end)
        if stretch and (mark.text is None or _fits(view, text, mark)):
            return name, stretch
    raise MisfitError(OUTSIDE if mark.text is None else OTHER_TEXT)
