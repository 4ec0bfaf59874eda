"""What each word adds to an answer, from answers to texts without some of their words. numpy only.

A game is a function from the words that are kept to one number a target. It is asked in rounds, as a generator: what it
yields are rows of words kept (bool), what it is sent are their values (rows × targets). The first row of the first
round keeps all words, the second none. Of a text with more words than can be asked about, neighbours are taken
together, and what moves the answer most is parted further.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

Unit = tuple[int, int]
"""Neighbouring words that are left out together: the first, and the one after the last."""


@dataclass(frozen=True)
class Weighted:
    """What each unit adds."""

    units: list[Unit]
    """All words, in order."""
    weights: np.ndarray
    """Units × targets, float64."""
    rows: int
    """How many rows were asked."""


Game = Generator[np.ndarray, np.ndarray, Weighted]
FEWEST_ROWS = 6
"""All words, none, and what tells two halves apart in both orders."""
WHOLE_AND_NONE = 2
SEED = 0
"""The same text is always explained the same way."""


def occlusion(starts: Sequence[int], words: int, rows: int) -> Game:
    """What is lost when each unit alone is left out (Zeiler and Fergus 2014; of words: Li, Monroe and Jurafsky 2016).

    `starts`: words with which a text begins, so that no unit reaches over it. `rows`: to be asked at most.
    """
    budget = rows - WHOLE_AND_NONE
    units = even_units(starts, words, words if words <= budget else max(len(starts), budget // 4))
    values = yield np.concatenate([_ends(words), ~_masks(units, words)])
    whole = values[0]
    effects = dict(zip(units, whole - values[WHOLE_AND_NONE:], strict=True))
    asked = len(values)
    while parted := _strongest(effects, min((rows - asked) // 2, max(1, budget // 8))):
        halves = [half for unit in parted for half in _halves(unit)]
        values = yield ~_masks(halves, words)
        for unit in parted:
            del effects[unit]
        effects |= dict(zip(halves, whole - values, strict=True))
        asked += len(values)
    return _weighted(effects, len(whole), asked)


def shapley(starts: Sequence[int], words: int, rows: int) -> Game:
    """Shapley values (1953) of the units: what each adds, on average over all orders in which they may come.

    Of orders drawn by chance each is asked backwards, too (antithetic pairs; Castro, Gómez and Tejada 2009; Mitchell et
    al. 2022), which is exact wherever units act by themselves and in twos. Few units are asked in all combinations. The
    weights of a target add up to the difference between all words and none.
    """
    budget = rows - WHOLE_AND_NONE
    pairable = max(2, budget // 2 + 1)
    if words <= 2 * pairable:
        units = even_units(starts, words, min(words, pairable))
        return (yield from _in_orders(units, words, budget, first=True))
    coarse = even_units(starts, words, max(len(starts), budget // 4))
    values = yield np.concatenate([_ends(words), ~_masks(coarse, words)])
    effects = dict(zip(coarse, values[0] - values[WHOLE_AND_NONE:], strict=True))
    left = budget - len(coarse)
    while len(effects) < left // 2 + 1 and (parted := _strongest(effects, 1)):
        for half in _halves(parted[0]):
            effects[half] = effects[parted[0]] / 2
        del effects[parted[0]]
    weighted = yield from _in_orders(sorted(effects), words, left, first=False, ends=values[:WHOLE_AND_NONE])
    return Weighted(weighted.units, weighted.weights, weighted.rows + len(values))


METHODS: Mapping[str, Callable[[Sequence[int], int, int], Game]] = {"shapley": shapley, "occlusion": occlusion}


def even_units(starts: Sequence[int], words: int, count: int) -> list[Unit]:
    """About `count` units of like sizes, none of which reaches over one of `starts`, at least one for each text."""
    units: list[Unit] = []
    for first, behind in pairwise([*starts, words]):
        size = behind - first
        share = min(size, max(1, round(count * size / max(words, 1))))
        cuts = np.linspace(first, behind, share + 1).round().astype(int).tolist() if size else []
        units += list(pairwise(cuts))
    # Rounding may have given a text one unit too many.
    while len(units) > max(count, len(starts)):
        mergeable = [index for index in range(len(units) - 1) if units[index + 1][0] not in starts]
        if not mergeable:
            break
        index = min(mergeable, key=lambda number: units[number + 1][1] - units[number][0])
        units[index : index + 2] = [(units[index][0], units[index + 1][1])]
    return units


def _in_orders(
    units: list[Unit], words: int, budget: int, *, first: bool, ends: np.ndarray | None = None
) -> Generator[np.ndarray, np.ndarray, Weighted]:
    """Shapley values of `units` from at most `budget` rows beside all words and none, which are asked if `first`."""
    count = len(units)
    if 2**count - 2 <= budget:
        kept = np.array([[number >> unit & 1 for unit in range(count)] for number in range(1, 2**count - 1)], bool)
        orders: list[np.ndarray] = []
    else:
        orders = _antithetic(count, max(1, budget // max(1, 2 * (count - 1))))
        kept = np.concatenate([_prefixes(order) for order in orders])
    rows = kept.reshape(-1, count) @ _masks(units, words).astype(np.int64) > 0 if count else np.empty((0, words), bool)
    values = yield np.concatenate([_ends(words), rows]) if first else rows
    whole, none = values[:WHOLE_AND_NONE] if ends is None else ends
    inner = values[WHOLE_AND_NONE:] if first else values
    weights = _from_orders(orders, whole, none, inner) if orders else _from_all(count, whole, none, inner)
    return Weighted(units, weights, len(values))


def _antithetic(count: int, pairs: int) -> list[np.ndarray]:
    draw = np.random.default_rng(SEED)
    drawn = [draw.permutation(count) for _ in range(pairs)]
    return [order for one in drawn for order in (one, one[::-1])]


def _prefixes(order: np.ndarray) -> np.ndarray:
    """Which units are there after the first of `order`, the first two, … all but the last."""
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    prefixes: np.ndarray = rank[None, :] < np.arange(1, len(order))[:, None]
    return prefixes


def _from_orders(orders: Sequence[np.ndarray], whole: np.ndarray, none: np.ndarray, values: np.ndarray) -> np.ndarray:
    weights = np.zeros((len(orders[0]), len(whole)))
    for order, along in zip(orders, np.split(values, len(orders)), strict=True):
        weights[order] += np.diff(np.concatenate([none[None], along, whole[None]]), axis=0)
    return weights / len(orders)


def _from_all(count: int, whole: np.ndarray, none: np.ndarray, values: np.ndarray) -> np.ndarray:
    """By the definition: `values` are of every combination, in binary order."""
    every = np.concatenate([none[None], values, whole[None]])[: 2**count]
    sizes = np.array([number.bit_count() for number in range(2**count)])
    factorial = np.cumprod(np.concatenate([[1.0], np.arange(1.0, count + 1)]))
    weights = np.zeros((count, len(whole)))
    for unit in range(count):
        without = np.flatnonzero((np.arange(2**count) >> unit & 1) == 0)
        share = factorial[sizes[without]] * factorial[count - 1 - sizes[without]] / factorial[count]
        weights[unit] = share @ (every[without | 1 << unit] - every[without])
    return weights


def _strongest(effects: Mapping[Unit, np.ndarray], most: int) -> list[Unit]:
    """The units of more than one word that move any target most; `most` of them."""
    parts = [unit for unit in effects if unit[1] - unit[0] > 1]
    return sorted(parts, key=lambda unit: (-float(np.abs(effects[unit]).max(initial=0)), unit))[: max(0, most)]


def _halves(unit: Unit) -> list[Unit]:
    middle = (unit[0] + unit[1]) // 2
    return [(unit[0], middle), (middle, unit[1])]


def _ends(words: int) -> np.ndarray:
    return np.stack([np.ones(words, bool), np.zeros(words, bool)])


def _masks(units: Sequence[Unit], words: int) -> np.ndarray:
    """Which words each unit holds (units × words)."""
    bounds = np.array(units, np.int64).reshape(-1, 2)
    numbers = np.arange(words)
    masks: np.ndarray = (numbers >= bounds[:, :1]) & (numbers < bounds[:, 1:])
    return masks


def _weighted(effects: Mapping[Unit, np.ndarray], targets: int, rows: int) -> Weighted:
    units = sorted(effects)
    weights = np.array([effects[unit] for unit in units], np.float64).reshape(len(units), targets)
    return Weighted(units, weights, rows)
