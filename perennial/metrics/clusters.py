"""What is independent among test rows: clusters of rows, and how sure shares are that are counted on them.

All copies of a text have one label and get one answer: they are one observation, however many rows they are. So what
is resampled, and what is counted where a number of observations matters, are clusters (Kish 1965, chapter 5; Field and
Welsh 2007). Rows may belong together in two ways that cross, such as a pair's first and second text; then the variance
is that of both, less that of what they share (Cameron, Gelbach and Miller 2011).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

GROUP = "group"
"""The way in which rows belong together that a user names."""
MOST_FLIPS = 20_000
"""In clusters of several, up to which the distribution of their signed sums is worked out; beyond, it is normal."""


@dataclass(frozen=True)
class Clusters:
    """Which test rows belong together, in one way or in two; that in which fewer rows are independent comes first."""

    numbers: Mapping[str, np.ndarray]
    """For each way, by its name (`group`, or a canonical column), the number of each row's cluster."""

    @classmethod
    def by_values(cls, values: Mapping[str, Sequence[object]]) -> Clusters:
        """Clusters of rows with equal values, in each of the ways; at least one."""
        return cls.by_numbers({name: _numbered(column) for name, column in values.items()})

    @classmethod
    def by_numbers(cls, numbers: Mapping[str, np.ndarray]) -> Clusters:
        """Clusters of rows with equal numbers, from 0, in each of the ways; at least one."""
        return cls(dict(sorted(numbers.items(), key=lambda way: effective_clusters(way[1]))))

    @cached_property
    def ways(self) -> tuple[np.ndarray, ...]:
        """Numbers of clusters: of each way, and where there are two, of what is together in both."""
        given = tuple(self.numbers.values())
        if len(given) == 1:
            return given
        both = given[0] * (int(given[1].max(initial=0)) + 1) + given[1]
        return (*given, np.unique(both, return_inverse=True)[1].ravel())

    @property
    def unit(self) -> str:
        """What rows are clustered by first."""
        return next(iter(self.numbers))

    @property
    def first(self) -> np.ndarray:
        """The numbers of the way in which fewest rows are independent."""
        return next(iter(self.numbers.values()))

    def inside(self, rows: np.ndarray) -> Clusters:
        """Those of the chosen `rows` (bool)."""
        return Clusters({name: way[rows] for name, way in self.numbers.items()})

    def count(self, inside: np.ndarray | None = None) -> int:
        """How many clusters there are, among all rows or those `inside` (bool)."""
        return len(np.unique(self.first if inside is None else self.first[inside]))

    def each_alone(self) -> bool:
        """Whether no two rows are together."""
        return all(len(np.unique(way)) == len(way) for way in self.numbers.values())


class Together(NamedTuple):
    """The rows that are in clusters of two rows or more."""

    rows: np.ndarray
    """Which of all rows these are, cluster by cluster."""
    starts: np.ndarray
    """Where in `rows` each cluster starts."""


def rows_together(numbers: np.ndarray) -> Together:
    """Of rows in these clusters those that are not alone."""
    _, cluster, rows = np.unique(numbers, return_inverse=True, return_counts=True)
    several = np.flatnonzero(rows[cluster] > 1)
    order = several[np.argsort(cluster[several], kind="stable")]
    ordered = cluster[order]
    return Together(order, np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(order) else order)


def _numbered(values: Sequence[object]) -> np.ndarray:
    numbers: dict[object, int] = {}
    return np.array([numbers.setdefault(value, len(numbers)) for value in values], dtype=np.int64)


def effective_clusters(numbers: np.ndarray) -> float:
    """How many clusters of one size would tell as much of a mean as these do, whose rows are all alike (Kish 1965)."""
    sizes = np.bincount(numbers).astype(np.float64)
    return float(sizes.sum() ** 2 / np.square(sizes).sum()) if len(numbers) else 0.0


def effective_rows(hits: np.ndarray, clusters: Clusters, z: float) -> float:
    """How many independent rows would tell as much of the share of `hits` (bool) as these clusters of rows do.

    That is the rows by the design effect (Kish 1965; for shares Rao and Scott 1992): how much more the share varies
    than if each row were by itself. It is as sure as there are clusters that tell of it: few of them are outvoted by
    z² imagined ones in which all rows are alike, the worst case.
    """
    residuals = hits - hits.mean()
    by_rows = float(np.square(residuals).sum())
    sums = [np.bincount(way, weights=residuals) for way in clusters.ways]
    squares = [float(np.square(each).sum()) for each in sums]
    together = max(_of_both(squares), *squares, by_rows)
    telling = squares[0] ** 2 / float((sums[0] ** 4).sum()) if squares[0] > 0 else 0.0
    kish = len(hits) / min(effective_clusters(way) for way in clusters.ways)
    effect = together / by_rows if by_rows > 0 else kish
    return len(hits) * (z**2 + telling) / (z**2 * kish + telling * effect)


def wilson(count: int, n: int, effective: float | None, z: float) -> tuple[float, float]:
    """The interval of the share `count` of `n` (Wilson 1927), as of `effective` rows (Korn and Graubard 1998)."""
    rows = n if effective is None else min(effective, n)
    share, scale = count / n, 1 + z * z / rows
    middle = (share + z * z / (2 * rows)) / scale
    half = z * math.sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows)) / scale
    return max(0.0, middle - half), min(1.0, middle + half)


def mcnemar_by_cluster(flips: np.ndarray, numbers: np.ndarray) -> float:
    """The two-sided p-value of `flips` (1: only one model is right, -1: only the other) of rows in clusters.

    If neither model is better, either sign of a cluster's sum is as likely: the exact distribution of all signs
    (Fisher's randomisation), which is McNemar's (1947) where each row is by itself, and beyond `MOST_FLIPS` the normal
    one that it comes to (in the manner of Durkalski et al. 2003, clusters weighed by their flips).
    """
    sums = np.bincount(numbers, weights=flips).astype(np.int64)
    sizes, total = np.abs(sums[sums != 0]), int(sums.sum())
    if not len(sizes):
        return 1.0
    if sizes.max() > 1 and sizes.sum() > MOST_FLIPS:
        return 2 * NormalDist().cdf(-abs(total) / math.sqrt(float(np.square(sizes, dtype=np.float64).sum())))
    signs = np.ones(1)
    for size, often in zip(*np.unique(sizes, return_counts=True), strict=True):
        spaced = np.zeros(size * often + 1)
        spaced[::size] = _fair_coin(int(often))
        signs = np.convolve(signs, spaced)
    fewer = (int(sizes.sum()) - abs(total)) // 2
    return min(1.0, 2 * float(signs[: fewer + 1].sum()))


def in_words(rows: int, clusters: int | None, clustered_by: str | None, of: str = "test row") -> str:
    """How many rows there are, and how many independent ones: 200 test rows of 30 texts."""
    counted = f"{rows:,} {of}{'' if rows == 1 else 's'}"
    return counted if clusters is None else f"{counted} of {units(clusters, clustered_by)}"


def units(count: int, clustered_by: str | None) -> str:
    """So many independent rows, texts or groups, in words."""
    one = "row" if clustered_by is None else "group" if clustered_by == GROUP else "text"
    return f"{count:,} {one}{'' if count == 1 else 's'}"


def _of_both(squares: Sequence[float]) -> float:
    """The variance by two ways that cross, from that by each and by what is together in both."""
    return squares[0] + squares[1] - squares[2] if len(squares) > 1 else squares[0]


def _fair_coin(tosses: int) -> np.ndarray:
    """The probability of each number of heads."""
    logs = np.r_[0.0, np.cumsum(np.log(np.arange(1, tosses + 1)))]
    return np.asarray(np.exp(logs[-1] - logs - logs[::-1] - tosses * math.log(2)))
