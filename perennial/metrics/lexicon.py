"""A dictionary of the spans that were seen: the baseline of the CoNLL-2003 shared task (Tjong Kim Sang 2003)."""

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from perennial.inference.spans import Span
from perennial.inference.words import words_in

MAX_ROWS = 200_000
Words = tuple[str, ...]


@dataclass(frozen=True)
class Lexicon:
    """The spans that were seen."""

    labels: Mapping[Words, str]
    """The words of each span, and its commonest label."""
    sizes: Mapping[str, Sequence[int]]
    """By first word: how many words spans have, the longest first."""


def learn_lexicon(texts: Sequence[str], targets: Sequence[Sequence[Span]]) -> Lexicon:
    """Every span of `targets` (in characters of `texts`), with the label it has most often."""
    step = max(1, -(-len(texts) // MAX_ROWS))
    spans = [
        (text[start:end], label)
        for text, spans_of_text in zip(texts[::step], targets[::step], strict=True)
        for start, end, label in spans_of_text
    ]
    counts: defaultdict[Words, Counter[str]] = defaultdict(Counter)
    for (words, _), (_, label) in zip(_words([text for text, _ in spans]), spans, strict=True):
        counts[words][label] += 1
    sizes: defaultdict[str, set[int]] = defaultdict(set)
    for words in filter(None, counts):
        sizes[words[0]].add(len(words))
    return Lexicon(
        {words: labels.most_common(1)[0][0] for words, labels in counts.items()},
        {word: sorted(there, reverse=True) for word, there in sizes.items()},
    )


def find_spans(lexicon: Lexicon, texts: Sequence[str]) -> list[list[dict[str, Any]]]:
    """The spans of each text that are in `lexicon`, from the left, the longest first; predictions without a score."""
    return [_find(lexicon, words, places) for words, places in _words(texts)]


def _find(lexicon: Lexicon, words: Words, places: Sequence[Sequence[int]]) -> list[dict[str, Any]]:
    spans_found, position = [], 0
    while position < len(words):
        sizes = (size for size in lexicon.sizes.get(words[position], ()) if size <= len(words) - position)
        size = next((size for size in sizes if words[position : position + size] in lexicon.labels), 0)
        if size:
            label = lexicon.labels[words[position : position + size]]
            spans_found.append({"start": places[position][0], "end": places[position + size - 1][1], "label": label})
        position += size or 1
    return spans_found


def _words(texts: Sequence[str]) -> Iterator[tuple[Words, Sequence[Sequence[int]]]]:
    """The words of each text, and where they lie in it."""
    places, first = words_in(texts)
    bounds = np.append(np.searchsorted(places[:, 0], first), len(places)).tolist()
    for text, begun, (start, end) in zip(texts, first, itertools.pairwise(bounds), strict=True):
        here = (places[start:end] - begun).tolist()
        yield tuple(text[one:other] for one, other in here), here
