"""How unlike each other texts are, by their words: TF-IDF of hashed words and pairs of words, and cosines.

Cheap, the same on every machine, and without a vocabulary to keep: a word that nobody labelled yet is seen at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

FEATURES = 2**18
NEIGHBOURS = 10
"""Other texts that must be near a text for it to stand for something new, and not to be mere noise."""
BLOCK = 1_000
"""Texts that are compared at a time, so that memory does not grow with their number squared."""
LONGEST = 5_000
"""Characters of a text that are looked at."""


class Likeness:
    """The words of texts, weighed by how rare they are among them all."""

    def __init__(self, texts: Sequence[str]) -> None:
        from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer

        hashing = HashingVectorizer(n_features=FEATURES, ngram_range=(1, 2), alternate_sign=False, norm=None)
        counts = hashing.transform([text[:LONGEST] for text in texts])
        self._vectors = TfidfTransformer(sublinear_tf=True).fit_transform(counts).tocsr()

    def nearest(self, these: np.ndarray, those: np.ndarray) -> np.ndarray:
        """Of each of `these` (numbers of texts), the cosine with the nearest of `those`, 0 to 1; 0: there are none."""
        nearness = np.zeros(len(these))
        if len(those):
            others = self._vectors[those].T
            for start in range(0, len(these), BLOCK):
                cosines = self._vectors[these[start : start + BLOCK]] @ others
                nearness[start : start + BLOCK] = cosines.max(axis=1).toarray().ravel()
        return nearness

    def to_one(self, these: np.ndarray, one: int) -> np.ndarray:
        """Of each of `these`, the cosine with the text `one`."""
        cosines: np.ndarray = (self._vectors[these] @ self._vectors[[one]].T).toarray().ravel()
        return cosines

    def density(self, these: np.ndarray) -> np.ndarray:
        """Of each of `these`, the mean cosine with the NEIGHBOURS others of them that are nearest."""
        nearness = np.zeros(len(these))
        wanted = min(NEIGHBOURS, len(these) - 1)
        if wanted > 0:
            others = self._vectors[these].T
            for start in range(0, len(these), BLOCK):
                block = (self._vectors[these[start : start + BLOCK]] @ others).toarray()
                rows = np.arange(len(block))
                block[rows, start + rows] = -1.0  # A text is no neighbour of its own.
                nearness[start : start + BLOCK] = np.partition(block, -wanted, axis=1)[:, -wanted:].mean(axis=1)
        return nearness


def most_novel(likeness: Likeness, candidates: np.ndarray, familiar: np.ndarray, count: int) -> list[int]:
    """`count` of `candidates` (numbers of texts), each far from all that is `familiar` and from those chosen before it.

    Far by the cosine with the nearest, times the density among the candidates: what is unlike everything, as noise is,
    stands for nothing that will come again (Settles and Craven 2008, information density).
    """
    nearest, density = likeness.nearest(candidates, familiar), likeness.density(candidates)
    chosen: list[int] = []
    while len(chosen) < min(count, len(candidates)):
        worth = (1 - nearest) * (density + 1e-6)
        worth[[int(np.flatnonzero(candidates == one)[0]) for one in chosen]] = -1.0
        best = int(candidates[int(worth.argmax())])
        chosen.append(best)
        nearest = np.maximum(nearest, likeness.to_one(candidates, best))
    return chosen


def spread_out(likeness: Likeness, ordered: np.ndarray, count: int, most_alike: float) -> list[int]:
    """The first `count` of `ordered` (numbers of texts) of which no two are more alike than `most_alike`, a cosine.

    Where there are not so many, the first of the others fill up.
    """
    chosen: list[int] = []
    for one in ordered:
        if len(chosen) == count:
            break
        if not chosen or likeness.to_one(np.array(chosen), int(one)).max() <= most_alike:
            chosen.append(int(one))
    rest = [int(one) for one in ordered if int(one) not in set(chosen)]
    return chosen + rest[: count - len(chosen)]
