"""Near copies: which texts are nearly the same as one of other texts, in bounded memory and linear time.

Two texts are nearly the same if of the runs of five letters that either has, both have three quarters or more: the
Jaccard similarity of their shingles (Broder 1997). It is estimated from 128 hashes of each text (one-permutation
MinHash, `minhash.py`), which also say which texts are worth comparing. Texts are folded first, so case, punctuation,
digits and markup make no difference.

Broder 1997, *Compression and Complexity of Sequences*
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from perennial.rows.likeness.minhash import BANDS, HASHES, NONE, band_keys, least_hashes

THRESHOLD = 0.75
"""Similarity from which two texts are near copies: a headline of fifty letters and two words of seven put before it, or
a text of which a sentence in seven was changed. Deduplication of training texts uses 0.7 to 0.8."""
LETTERS = 2_000
"""Of a text that are looked at: its beginning."""
BATCH_LETTERS = 4_000_000
"""About as many are worked on at a time: some 200 MB."""
COMPARED = 8
"""Most texts of a batch with which one is compared for one band: where there are more, they are alike themselves."""


def near_copies(texts: Iterable[str], others: Iterable[str]) -> np.ndarray:
    """Whether each of `texts` is a near copy of one of `others` (bool); all are folded (`folding.fold`)."""
    beginnings = [text[:LETTERS] for text in texts]
    numbers = {text: number for number, text in enumerate(dict.fromkeys(beginnings))}
    looked_for = _Sketches.of_texts(list(numbers))
    is_near = np.zeros(len(numbers), bool)
    for batch in _batches(others):
        is_near[[numbers[text] for text in batch if text in numbers]] = True
        if is_near.all():
            break
        _mark(is_near, looked_for, _Sketches.of_texts(batch))
    return is_near[[numbers[text] for text in beginnings]]


def _mark(is_near: np.ndarray, looked_for: _Sketches, batch: _Sketches) -> None:
    """Set those of `is_near` whose sketch in `looked_for` is near one in `batch`."""
    for band in range(BANDS):
        wanted = np.flatnonzero(~is_near)
        order = np.argsort(batch.bands[:, band], kind="stable")
        keys = batch.bands[order, band]
        first = np.searchsorted(keys, looked_for.bands[wanted, band], "left")
        behind = np.searchsorted(keys, looked_for.bands[wanted, band], "right")
        for step in range(COMPARED):
            there = first + step < behind
            wanted, first, behind = wanted[there], first[there], behind[there]
            if not len(wanted):
                break
            alike = _similarity(looked_for.hashes[wanted], batch.hashes[order[first + step]]) >= THRESHOLD
            is_near[wanted[alike]] = True
            wanted, first, behind = wanted[~alike], first[~alike], behind[~alike]


def _similarity(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Of each pair of sketches; hashes that neither text has say nothing."""
    either = (one != NONE) | (other != NONE)
    same = (one == other) & either
    similarity: np.ndarray = same.sum(axis=1) / np.maximum(either.sum(axis=1), 1)
    return similarity


@dataclass(frozen=True)
class _Sketches:
    """What is kept of texts."""

    hashes: np.ndarray
    """Of each text the least hash of a shingle in each of HASHES classes; NONE: it has no shingle of that class."""
    bands: np.ndarray
    """Of each text and band one number, the same for texts whose hashes there agree."""

    @classmethod
    def of_texts(cls, texts: Sequence[str]) -> _Sketches:
        hashes = [least_hashes(list(batch)) for batch in _batches(texts)]
        joined = np.concatenate(hashes) if hashes else np.empty((0, HASHES), np.uint32)
        return cls(joined, band_keys(joined))


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    """The texts' beginnings, so many at a time that their letters are about BATCH_LETTERS; each text once a batch."""
    held: dict[str, None] = {}
    size = 0
    for text in texts:
        beginning = text[:LETTERS]
        if beginning not in held:
            held[beginning] = None
            # A text's sketch is as large as that of many letters.
            size += len(beginning) + HASHES
        if size >= BATCH_LETTERS:
            yield list(held)
            held, size = {}, 0
    if held:
        yield list(held)
