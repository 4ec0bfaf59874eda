"""Which rows are learned from where not all of them are: drawn by age and label, and the same row again in every run.

Every row has a random number of its own, a hash of its id. Divided by its weight it is the row's rank, and the lowest
ranks are drawn: a weighted sample without replacement (Efraimidis and Spirakis 2006). As weights only halve with age,
the order of ranks never changes, so from run to run a sample changes only by what came in, and what that displaced.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from perennial.settings.training import TrainingSpec

LEAST_SHARE = 0.1
"""What each label gets at least, as a share of what it would have if all had the same."""
DAY = 86_400_000_000
"""Microseconds."""
NO_TIME = np.iinfo(np.int64).min
LIGHTEST = 1e-9


@dataclass(frozen=True)
class Candidates:
    """The rows there are to draw from; each array has one element a row."""

    key: np.ndarray
    """A hash of the row's id, uint64."""
    time: np.ndarray
    """When the row came to be, in microseconds, int64; NO_TIME: not known, which counts as the oldest of all."""
    label: np.ndarray
    """The number of its label, or of its rarest; -1: none."""
    new: np.ndarray
    """Whether the model that training starts from did not learn from it."""

    def only(self, which: np.ndarray) -> Candidates:
        """Some of them."""
        return Candidates(self.key[which], self.time[which], self.label[which], self.new[which])

    def __len__(self) -> int:
        return len(self.key)


def draw(rows: Candidates, training: TrainingSpec) -> np.ndarray:
    """Whether each row is drawn (bool), as max_rows, half_life_days and replay of `training` say.

    The same whatever the order of the rows.
    """
    drawn = np.zeros(len(rows), bool)
    ages = _ages(rows.time)
    for group, size in _sizes(rows.new, training):
        row_numbers = group.nonzero()[0]
        drawn[row_numbers[_stratified(rows.only(row_numbers), ages[row_numbers], size, training)]] = True
    return drawn


def _sizes(new: np.ndarray, training: TrainingSpec) -> list[tuple[np.ndarray, int]]:
    """Of which rows how many are drawn.

    With max_rows 200, replay 0.25, 100 new rows and 1,000 old ones, all 100 new rows are drawn, and of the old ones
    0.25 / 0.75 × 100 = 33, so that they are a quarter of the 133. With max_rows 100 it is 75 new rows and 25 old ones.
    """
    limit = min(training.max_rows or len(new), len(new))
    fresh, old = int(new.sum()), int((~new).sum())
    # Where nothing is new, only settings are, and what was learned once is learned again.
    if training.replay is None or not fresh:
        return [(np.ones(len(new), bool), limit)]
    again = min(old, round(training.replay * limit), round(training.replay / (1 - training.replay) * fresh))
    return [(new, min(fresh, limit - again)), (~new, again)]


def _stratified(rows: Candidates, ages: np.ndarray, size: int, training: TrainingSpec) -> np.ndarray:
    """Places of the `size` rows that are drawn, each label's share by its weight."""
    half_lives = ages / training.half_life_days if training.half_life_days else np.zeros(len(rows))
    names, label = np.unique(rows.label, return_inverse=True)
    # Beside the newest of these rows, so that not all weights are nothing where all are old.
    weights = np.bincount(label, np.exp2(half_lives.min(initial=np.inf) - half_lives), len(names))
    room = quotas(weights, np.bincount(label, minlength=len(names)), size)
    order = np.lexsort((rows.key, ranks(rows.key, half_lives, training.seed), label))
    first = np.searchsorted(label[order], np.arange(len(names)))
    return order[np.arange(len(order)) - first[label[order]] < room[label[order]]]


def ranks(keys: np.ndarray, half_lives: np.ndarray, seed: int) -> np.ndarray:
    """The rank of rows of these ages, in half-lives; the lowest are drawn first.

    The logarithm of an exponential random number divided by the weight: so it stays a number, however old the row is.
    """
    ranks_drawn: np.ndarray = np.log(-np.log(_uniform(keys, seed))) + half_lives * np.log(2)
    return ranks_drawn


def quotas(weights: np.ndarray, counts: np.ndarray, size: int) -> np.ndarray:
    """How many of the `counts` rows of each label are drawn: `size` in all (or all), in proportion to `weights`.

    None has more rows than there are, and none fewer than LEAST_SHARE of an even share, or one if there is room.

    In proportion, 100 of these rows would be 98, 1.5 and 0.5. An even share is 33, a tenth of it 3: so the rare labels
    get 3 each, and the frequent one gives them up. Where a label has 2 rows only, those are all it can get.

    >>> quotas(np.array([980.0, 15, 5]), np.array([980, 15, 5]), 100).tolist()
    [94, 3, 3]
    >>> quotas(np.array([980.0, 15, 2]), np.array([980, 15, 2]), 100).tolist()
    [95, 3, 2]
    """
    if not len(counts) or size >= counts.sum():
        return counts.copy()
    least = np.minimum(counts, max(int(LEAST_SHARE * size / len(counts)), int(size >= len(counts))))
    weights = np.maximum(weights, weights.max() * LIGHTEST)
    low, high = 0.0, size / weights.min()
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if np.clip(middle * weights, least, counts).sum() < size else (low, middle)
    wanted = np.clip(high * weights, least, counts)
    return _rounded(wanted, counts, size)


def rarest_labels(held: Sequence[tuple[np.ndarray, np.ndarray]], sizes: Sequence[int], labels: int) -> np.ndarray:
    """For each row the number of the rarest label that it holds; -1: none.

    `held`: for each batch, in any order, rows of the batch and the number of a label they hold. `sizes`: rows of each
    batch.
    """
    codes_by_batch = [np.unique(row * labels + number) for row, number in held]
    counts = sum(
        (np.bincount(codes % labels, minlength=labels) for codes in codes_by_batch), np.zeros(labels, np.int64)
    )
    by_rarity = np.argsort(counts, kind="stable")
    rank = np.empty(labels, np.int64)
    rank[by_rarity] = np.arange(labels)
    result = []
    for codes, size in zip(codes_by_batch, sizes, strict=True):
        rarest = np.full(size, labels)
        np.minimum.at(rarest, codes // labels, rank[codes % labels])
        result.append(np.append(by_rarity, -1)[rarest])
    return np.concatenate(result) if result else np.empty(0, np.int64)


def _ages(time: np.ndarray) -> np.ndarray:
    """Days that each row is older than the newest."""
    has_time = time != NO_TIME
    if not has_time.any():
        return np.zeros(len(time))
    ages: np.ndarray = (time[has_time].max() - np.where(has_time, time, time[has_time].min())) / DAY
    return ages


def _rounded(wanted: np.ndarray, counts: np.ndarray, size: int) -> np.ndarray:
    """Whole numbers near `wanted` whose sum is `size`: the largest remainders are rounded up."""
    whole = np.floor(wanted + 1e-6).astype(np.int64)
    left = size - int(whole.sum())
    remainder = np.where(whole < counts, wanted - whole, -1.0)
    whole[np.argsort(-remainder, kind="stable")[:left]] += 1
    return whole


def _uniform(keys: np.ndarray, seed: int) -> np.ndarray:
    """A number between 0 and 1, neither included, for each key: the mixing function of SplitMix64 (Steele et al. 2014).

    The keys are hashes already; this makes other numbers of them for another seed.
    """
    with np.errstate(over="ignore"):
        mixed = keys.astype(np.uint64) + np.uint64(seed % 2**64) * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    return ((mixed >> np.uint64(11)).astype(np.float64) + 0.5) / 2**53
