"""Spans as tags and tags as spans: BIO2, whatever scheme the tags came in."""

import itertools
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

OUTSIDE = 0
"""The output that says: this word is in no span."""
Span = tuple[int, int, str]
"""First word (or character), the one after the last, label."""

Numbers = TypeVar("Numbers", int, np.ndarray)

_FIRST, _INSIDE, _LAST, _ONLY = "B", "I", "EL", "SU"
PREFIXES = {*_FIRST, *_INSIDE, *_LAST, *_ONLY, "M"}


def output_count(labels: Sequence[str]) -> int:
    """Width of a model's output for a word: outside, and the first and any further word of each label."""
    return 1 + 2 * len(labels)


def begin(label: Numbers) -> Numbers:
    """The output that says: a span of label number `label` begins here. The next output: it goes on."""
    return 1 + 2 * label


def legal() -> str:
    """The schemes that `of_tags` reads, in words."""
    return "BIO (BIO1 and BIO2), IOBES (BIOES), BMES and BIOLU (BILOU)"


def of_tags(tags: Sequence[str]) -> list[Span]:
    """The spans (in words) of `tags` in any scheme of `legal()`.

    A tag that goes on with what did not begin begins it, as in the CoNLL shared tasks' own evaluation. Raises
    ValueError, naming the tag, for one of no known scheme.
    """
    spans: list[Span] = []
    start, label = 0, ""
    for index, tag in enumerate([*tags, "O"]):
        prefix, name = split(tag)
        if label and (prefix in "OB" or prefix in _ONLY or name != label):
            spans.append((start, index, label))
            label = ""
        if prefix != "O" and not label:
            start, label = index, name
        if label and (prefix in _LAST or prefix in _ONLY):
            spans.append((start, index + 1, label))
            label = ""
    return spans


def split(tag: str) -> tuple[str, str]:
    """(`B`, `PER`) of `B-PER`, (`B`, `per`) of `b-per`; (`O`, "") of `O` and `o`. Raises ValueError for a tag of no
    known scheme."""
    if tag in ("O", "o"):
        return "O", ""
    prefix, joint, label = tag[:1].upper(), tag[1:2], tag[2:]
    if prefix not in PREFIXES or joint not in ("-", "_") or not label:
        raise ValueError(tag)
    return prefix, label


def scheme(tags: Sequence[str]) -> str | None:
    """The scheme that these tags show they are in, if it is not BIO2. Raises ValueError as `split` does."""
    prefixes = {split(tag)[0] for tag in set(tags)}
    if prefixes & {"U", "L"}:
        return "BIOLU"
    if "M" in prefixes:
        return "BMES"
    if prefixes & {"S", "E"}:
        return "IOBES"
    return "BIO1" if any(starts_inside(tags)) else None


def starts_inside(tags: Sequence[str]) -> list[bool]:
    """Whether each tag goes on with what did not begin: a span's first tag in BIO1, an error in BIO2."""
    return [split(tag)[0] == "I" and split(last)[1] != split(tag)[1] for last, tag in itertools.pairwise(["O", *tags])]


def likeliest(scores: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The likeliest legal outputs of each row: no label's further word without its first.

    `scores`: log probabilities (words × outputs), row after row; `lengths`: words of each row. Viterbi (1967), where a
    transition is legal or is not. All rows advance together, word by word; none depends on another.
    """
    order = np.argsort(-lengths, kind="stable")
    firsts = (np.cumsum(lengths) - lengths)[order]
    live = _live(lengths[order])
    best = np.full((len(order), scores.shape[1]), -np.inf)
    came: list[tuple[np.ndarray, np.ndarray]] = []
    for word, rows in enumerate(live):
        before = best[:rows]
        # What is outside or begins may follow anything; what goes on follows its label's begin or itself.
        top = before.argmax(axis=1)
        goes_on = before[:, 2::2] > before[:, 1::2]
        inside = np.maximum(before[:, 1::2], before[:, 2::2])
        reached = np.repeat(before.max(axis=1, keepdims=True) if word else np.zeros((rows, 1)), best.shape[1], axis=1)
        reached[:, 2::2] = inside
        best[:rows] = reached + scores[firsts[:rows] + word]
        came.append((top, goes_on))
    return _traced(best, came, firsts, live)


def _live(lengths: np.ndarray) -> list[int]:
    """For each word number, how many rows have such a word; `lengths` descend."""
    longest = int(lengths[0]) if len(lengths) else 0
    live: list[int] = np.searchsorted(-lengths, -np.arange(longest), "left").tolist()
    return live


def _traced(
    best: np.ndarray, came: Sequence[tuple[np.ndarray, np.ndarray]], firsts: np.ndarray, live: Sequence[int]
) -> np.ndarray:
    """The best paths, from their ends."""
    traced = np.full(sum(live), OUTSIDE)
    current = best.argmax(axis=1)
    for word in range(len(live) - 1, -1, -1):
        # Rows that end here join in; their current output is that of their end.
        rows = live[word]
        here = current[:rows]
        traced[firsts[:rows] + word] = here
        top, goes_on = came[word]
        label = np.maximum(here - 1, 0) // 2
        inside = here - ~goes_on[np.arange(rows), label]
        current[:rows] = np.where((here > 0) & (here % 2 == 0), inside, top)
    return traced
