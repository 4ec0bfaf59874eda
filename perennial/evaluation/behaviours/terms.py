"""Terms that may stand for each other, such as names: found in a text as whole words, and swapped."""

import bisect
import functools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from perennial.inference.words import words_in
from perennial.rows.text_edits import Edit

BUILT_IN = Path(__file__).with_name("terms.yaml")
VOWELS = "aeiou"
Words = tuple[str, ...]


@dataclass(frozen=True)
class Terms:
    """Lists of terms, each of which may stand for the others of its list."""

    others: Mapping[Words, Mapping[str, Sequence[str]]]
    """By a term's words in lower case, then as it is written: the other terms of its list."""
    sizes: Mapping[str, Sequence[int]]
    """By first word: how many words terms have, the longest first."""


def terms_of(lists: Sequence[Sequence[str]]) -> Terms:
    """Terms that are swapped within each of `lists`; a term of several lists, within the first."""
    others: dict[str, Sequence[str]] = {}
    for terms in lists:
        for term in terms:
            others.setdefault(term, [other for other in terms if other != term])
    return _by_words(others)


def terms_replacing(pairs: Mapping[str, str]) -> Terms:
    """Each term of `pairs` is swapped for the one it is mapped to, and never back."""
    return _by_words({term: [new] for term, new in pairs.items()})


def _by_words(others: Mapping[str, Sequence[str]]) -> Terms:
    by_words: defaultdict[Words, dict[str, Sequence[str]]] = defaultdict(dict)
    sizes: defaultdict[str, set[int]] = defaultdict(set)
    for term, its in others.items():
        words = _words(term.casefold())
        if words:
            by_words[words][term] = its
            sizes[words[0]].add(len(words))
    return Terms(by_words, {word: sorted(there, reverse=True) for word, there in sizes.items()})


@functools.cache
def built_in_terms() -> Mapping[str, Sequence[Sequence[str]]]:
    """The lists of each group, which are English."""
    from perennial.settings import strict_yaml

    groups: Mapping[str, Sequence[Sequence[str]]] = strict_yaml.load(BUILT_IN.read_text(encoding="utf-8"))
    return groups


def rows_with_terms(terms: Terms, texts: Sequence[str]) -> list[int]:
    """The places of those of `texts` that may hold a term, in order: quick, where most hold none."""
    words, first = words_in(texts)
    together = "\n".join(texts)
    hits = [start for start, end in words.tolist() if together[start:end].casefold() in terms.sizes]
    return sorted({bisect.bisect_right(first, start) - 1 for start in hits})


def swaps(terms: Terms, texts: Sequence[str], draw: Random) -> list[list[Edit]]:
    """Edits of each of `texts`, which belong together, that swap every term in them: one term always for the same one.

    A term of lower case is found in any case, and its case is kept; one with capitals is found as it is written, and in
    all capitals. What is put in is none of the terms that are there or were put in already, and begins with a vowel
    only if the term did ("an American"), as far as its list allows.
    """
    matches = [list(_find(terms, text)) for text in texts]
    there = {term for row in matches for _, _, term, _ in row}
    chosen: dict[str, str] = {}
    edits: list[list[Edit]] = [[] for _ in texts]
    for row, text in enumerate(texts):
        for start, end, term, others in matches[row]:
            if term not in chosen:
                chosen[term] = draw.choice(_suited(term, others, there, set(chosen.values())))
            edits[row].append(Edit(start, end, _cased(chosen[term], term, text[start:end])))
    return edits


def _suited(term: str, others: Sequence[str], there: set[str], taken: set[str]) -> Sequence[str]:
    # Two companies that become one would change what the text says.
    free = [other for other in others if other not in taken] or others
    new = [other for other in free if other not in there] or free
    alike = [other for other in new if (other[0].lower() in VOWELS) == (term[0].lower() in VOWELS)]
    return alike or new


def _find(terms: Terms, text: str) -> Iterator[tuple[int, int, str, Sequence[str]]]:
    """First character, the one behind, the term and the others of its list; from the left, the longest first."""
    word_bounds, _ = words_in([text])
    bounds = word_bounds.tolist()
    words = [text[start:end].casefold() for start, end in bounds]
    position = 0
    while position < len(words):
        size = 1
        for longest in terms.sizes.get(words[position], ()):
            written = terms.others.get(tuple(words[position : position + longest]), {})
            if not written or position + longest > len(words):
                continue
            start, end = bounds[position][0], bounds[position + longest - 1][1]
            term = next((term for term in written if _is_written(term, text[start:end])), None)
            if term is not None:
                yield start, end, term, written[term]
                size = longest
                break
        position += size


def _is_written(term: str, text: str) -> bool:
    return term == term.lower() or text in {term, term.upper()}


def _cased(new: str, term: str, text: str) -> str:
    """`new` in the case in which `term` was `text`."""
    if text == term:
        return new
    # A single capital, as of "I", may begin a sentence or be one of many.
    if text == term.upper() and len(text) > 1:
        return new.upper()
    return new[:1].upper() + new[1:] if text[:1].isupper() else new


def _words(text: str) -> Words:
    word_bounds, _ = words_in([text])
    return tuple(text[start:end] for start, end in word_bounds.tolist())
