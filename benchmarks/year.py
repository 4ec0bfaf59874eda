"""A year of nightly runs, a thousand times over: what rules of promotion do in the long run.

Each night brings new test rows (1,000 at first, 5,000 after a year; texts come in copies, by a Zipf law) and a
candidate: no better than the champion, slightly worse, or worse than the margin allows. Three times a year something
real is learned: from then on candidates are better than the best champion so far by GAIN. What every model truly is
worth is known, so is which promotions were wrong. A text that is hard for one model is hard for most: a model answers
PRIVATE of the texts by luck of its own, the others as its accuracy says, so that equal models disagree on 7 % of rows.

The rules: "not lower than the champion's figure"; non-inferiority on rows, as Perennial decided without a budget;
the same on texts; with the best champion so far as anchor; and with an error for the whole year, in four ways. The
functions are those of the product. BENCH_YEARS: how many years (1,000; a fifth in each of the other worlds).
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import NormalDist

import numpy as np

from perennial.metrics import alpha_spending
from perennial.settings.evaluation import TEST_BUDGET

YEARS = int(os.environ.get("BENCH_YEARS", "1000"))
PROCESSES = 2
NIGHTS = 365
AT_ONCE = 25
"""Years; their answers fit into the processor's cache."""
ROWS = (1000, 5000)
"""Test rows on the first night and after the last."""
COPIES = np.arange(1, 41)
ZIPF = 3.0
"""A text comes k times with a probability of k to the minus this: 1,000 rows are 742 texts, and worth 379 rows."""
MARGIN = 0.02
GAIN = 0.02
GAINS = 3
WAIT = 10
"""Nights within which a gain should be promoted."""
GIVEN_UP = 30
FIRST = 0.88
PRIVATE = 0.18
CONFIDENCE = 0.95
BUDGET = TEST_BUDGET
USUAL = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
HALF = 0.5


@dataclass
class Spending:
    """How the levels of looks come about, over a year."""

    budget: float = BUDGET
    spent: np.ndarray = field(default_factory=lambda: np.zeros(AT_ONCE))

    def levels(self, fresh: int, texts: int) -> list[float]:
        """The level of this look in each year."""
        self.spent = np.array([alpha_spending.renewed(spent, fresh, texts) for spent in self.spent])
        return [alpha_spending.level_of_look(self.budget, spent) for spent in self.spent]

    def pay(self, levels: np.ndarray, p_values: np.ndarray) -> None:
        """Count the look."""
        self.spent = self.spent + levels


class EachNight(Spending):
    """The same level every night (Bonferroni)."""

    def levels(self, fresh: int, texts: int) -> list[float]:
        """A part of the year's."""
        return [self.budget / NIGHTS] * AT_ONCE


class Adaptive(Spending):
    """Tian and Ramdas 2021: a look that encourages costs nothing, for half the level."""

    def levels(self, fresh: int, texts: int) -> list[float]:
        """Half of what it would be."""
        return [HALF * level for level in super().levels(fresh, texts)]

    def pay(self, levels: np.ndarray, p_values: np.ndarray) -> None:
        """Count what discourages."""
        self.spent = self.spent + np.where(p_values > HALF, levels / HALF, 0.0)


@dataclass(frozen=True)
class Rule:
    """How it is decided whether a candidate serves."""

    anchor: bool = True
    by_text: bool = True
    spending: Callable[[], Spending] | None = None
    e_values: bool = False
    figure_only: bool = False


RULES = {
    "not lower than the champion's figure": Rule(anchor=False, figure_only=True),
    "champion, rows": Rule(anchor=False, by_text=False),
    "champion, texts": Rule(anchor=False),
    "anchor, texts": Rule(),
    "anchor, texts, each night 1/365": Rule(spending=EachNight),
    "anchor, texts, adaptive": Rule(spending=Adaptive),
    "anchor, texts, e-values": Rule(spending=Spending, e_values=True),
    "anchor, texts, spending": Rule(spending=Spending),
}
OURS = "anchor, texts, spending"


@dataclass(frozen=True)
class World:
    """What nature sends, on average; all arrays are years × texts unless said otherwise."""

    zipf: float = ZIPF
    rows: tuple[int, int] = ROWS
    private: float = PRIVATE
    first: float = FIRST
    all_worse: bool = False
    """Every candidate is worse than the best champion so far by the margin and a hair."""

    def copies(self, draw: np.random.Generator) -> np.ndarray:
        """How often each text is there."""
        often = COPIES**-self.zipf
        often = often / often.sum()
        texts = math.ceil(self.rows[1] / (often @ COPIES) * 1.3) + 50
        return draw.choice(COPIES, (AT_ONCE, texts), p=often).astype(np.float32)

    def steps(self, draw: np.random.Generator) -> np.ndarray:
        """What each year's candidate is worth beside the champion, on a night without a gain (years)."""
        sort = draw.random(AT_ONCE)
        no_better, worse = -np.abs(draw.normal(0, 0.002, AT_ONCE)), draw.uniform(-MARGIN, 0, AT_ONCE)
        return np.where(sort < 0.5, no_better, np.where(sort < 0.9, worse, draw.uniform(-0.05, -MARGIN, AT_ONCE)))

    def answers(self, luck: np.ndarray, hardness: np.ndarray, worth: np.ndarray) -> np.ndarray:
        """1 where a model of accuracy `worth` (years) is right."""
        accuracy = worth[:, None].astype(np.float32)
        private = np.float32(self.private)
        return np.where(luck < private, luck < private * accuracy, hardness < accuracy).astype(np.int8)


@dataclass(frozen=True)
class Texts:
    """The test texts of a night."""

    copies: np.ndarray
    rows: np.ndarray
    """In each year."""
    squares: np.ndarray
    fresh: int

    def compare(self, one: np.ndarray, other: np.ndarray, by_text: bool) -> tuple[np.ndarray, np.ndarray]:
        """What `one` is better by, and how far below the low end of its 95 % interval lies (years).

        Of cluster sums, each imagined cluster as large as an average row's (Kish 1965): what `resampling` comes to.
        """
        there = self.copies.shape[1]
        changes = one[:, :there] - other[:, :there]
        sums = self.copies * changes
        mean = sums.sum(1) / self.rows
        if by_text:
            around = np.einsum("yt,yt->y", sums, sums) - 2 * mean * np.einsum("yt,yt->y", sums, self.copies)
            square, worth = around + mean**2 * self.squares, self.squares / self.rows
        else:
            square, worth = np.einsum("yt,yt->y", sums, changes) - self.rows * mean**2, np.ones(AT_ONCE)
        return mean, USUAL * np.sqrt(square + (USUAL * worth) ** 2) / self.rows


@dataclass
class Year:
    """How one rule fared so far, in each year."""

    rule: Rule
    champion: np.ndarray
    anchor: np.ndarray
    worth: np.ndarray
    best: np.ndarray
    spending: Spending | None
    since: np.ndarray = field(default_factory=lambda: np.full(AT_ONCE, -1))
    """The night of a gain that still waits; -1: none does."""
    wrong: np.ndarray = field(default_factory=lambda: np.zeros(AT_ONCE, bool))
    far_below: np.ndarray = field(default_factory=lambda: np.zeros(AT_ONCE, bool))
    promotions: np.ndarray = field(default_factory=lambda: np.zeros(AT_ONCE, int))
    waits: list[tuple[int, int]] = field(default_factory=list)
    """Of each gain its night, and how many it took."""

    def offer(
        self, night: int, worth: np.ndarray, answers: Callable[[np.ndarray | slice, int], np.ndarray], texts: Texts
    ) -> None:
        """Let the rule decide on a candidate. `answers`: of those years, to so many texts, the first first."""
        candidate = answers(slice(None), texts.copies.shape[1])
        by_champion, by_anchor = self._compared(candidate, texts)
        passed = self._passed((by_champion, by_anchor), texts)
        self.wrong |= passed & (worth < self.best - MARGIN)
        self.far_below |= passed & (worth < self.best - 2 * MARGIN)
        self.promotions += passed
        over = passed & np.array([alpha_spending.takes_over(by) for by in by_anchor[0].tolist()])
        every_text = self.champion.shape[1]
        self.anchor[over], self.champion[passed] = answers(over, every_text), answers(passed, every_text)
        self.worth = np.where(passed, worth, self.worth)
        self.best = np.maximum(self.best, self.worth)
        waited = night - self.since + 1
        ended = (self.since >= 0) & (passed | (waited > GIVEN_UP))
        self.waits += [(int(self.since[y]), int(waited[y])) for y in np.flatnonzero(ended)]
        self.since = np.where(ended, -1, self.since)

    def _compared(self, candidate: np.ndarray, texts: Texts) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
        by_champion = texts.compare(candidate, self.champion, self.rule.by_text)
        return by_champion, texts.compare(
            candidate, self.anchor, self.rule.by_text
        ) if self.rule.anchor else by_champion

    def _passed(self, both: tuple[tuple[np.ndarray, np.ndarray], ...], texts: Texts) -> np.ndarray:
        if self.rule.figure_only:
            return np.asarray(both[0][0] >= 0)
        if self.spending is None:
            return np.asarray(np.all([value - half > -MARGIN for value, half in both], axis=0))
        levels = self.spending.levels(texts.fresh, texts.copies.shape[1])
        asked = [_e_level(level) for level in levels] if self.rule.e_values else levels
        lows = [_lows(value, half, asked) for value, half in both]
        p_values = np.max([_p_values((value + MARGIN) * USUAL / half) for value, half in both], axis=0)
        self.spending.pay(np.array(levels), p_values)
        return np.asarray(np.all([low > -MARGIN for low in lows], axis=0))


def _lows(value: np.ndarray, half: np.ndarray, levels: list[float]) -> np.ndarray:
    each = zip(value.tolist(), (value - half).tolist(), levels, strict=True)
    return np.array([alpha_spending.stricter_low(one, low, CONFIDENCE, level) for one, low, level in each])


def _e_level(level: float) -> float:
    """The level of a test whose e-value of best choice, exp(λz - λ²/2), has to reach 1 / `level`."""
    return NormalDist().cdf(-math.sqrt(2 * math.log(1 / level)))


def _p_values(z: np.ndarray) -> np.ndarray:
    return np.array([NormalDist().cdf(-one) for one in z.tolist()])


def simulate(world: World, rules: dict[str, Rule], years: int, seed: int = 1) -> dict[str, list[Year]]:
    """`years` years under each of `rules`, all with the same rows and luck."""
    numbers = range(math.ceil(years / AT_ONCE))
    with ProcessPoolExecutor(min(PROCESSES, len(numbers)), get_context("spawn")) as pool:
        lived = list(pool.map(partial(lived_through, world, rules, seed), numbers))
    return {name: [years[name] for years in lived] for name in rules}


def lived_through(world: World, rules: dict[str, Rule], seed: int, number: int) -> dict[str, Year]:
    """AT_ONCE years under each of `rules`."""
    draw = np.random.default_rng([seed, number])
    copies = world.copies(draw)
    hardness = draw.random(copies.shape, dtype=np.float32)
    worth = np.full(AT_ONCE, world.first)
    first = world.answers(draw.random(copies.shape, dtype=np.float32), hardness, worth)
    years = {
        name: Year(rule, first.copy(), first.copy(), worth, worth, rule.spending() if rule.spending else None)
        for name, rule in rules.items()
    }
    gains = draw.integers(3, NIGHTS - GIVEN_UP, (AT_ONCE, GAINS))
    before = 0
    for night in range(NIGHTS):
        texts = _texts(world, copies, night, before)
        before = texts.copies.shape[1]
        luck, steps = draw.random(copies.shape, dtype=np.float32), world.steps(draw)
        for year in years.values():
            comes = (gains == night).any(axis=1) & (year.since < 0) & (not world.all_worse)
            year.since = np.where(comes, night, year.since)
            offered = year.best - MARGIN - 1e-6 if world.all_worse else year.worth + steps
            offered = np.where(year.since >= 0, year.best + GAIN, offered)

            def answers(years: np.ndarray | slice, count: int, offered: np.ndarray = offered) -> np.ndarray:
                return world.answers(luck[years, :count], hardness[years, :count], offered[years])  # noqa: B023

            year.offer(night, offered, answers, texts)
    nothing = np.empty(0)
    return {name: replace(year, champion=nothing, anchor=nothing) for name, year in years.items()}


def _texts(world: World, copies: np.ndarray, night: int, before: int) -> Texts:
    rows = world.rows[0] + (world.rows[1] - world.rows[0]) * night / NIGHTS
    count = int(np.median((copies.cumsum(axis=1) < rows).sum(axis=1))) + 1
    there = copies[:, :count]
    return Texts(there, there.sum(axis=1), np.square(there).sum(axis=1), count - before)


def measure(scratch: Path) -> dict[str, object]:
    """What each rule came to in the year of the world above, and ours in worse ones."""
    figures: dict[str, object] = {name: _came_to(years) for name, years in simulate(World(), RULES, YEARS).items()}
    figures[f"{OURS}: every candidate worse by the margin"] = beside(World(all_worse=True), YEARS)
    for what, world in OTHER_WORLDS.items():
        figures[f"{OURS}: {what}"] = beside(world, YEARS // 5)
    return figures


def beside(world: World, years: int) -> dict[str, object]:
    """What our rule comes to in another world."""
    return _came_to(simulate(world, {OURS: RULES[OURS]}, years, seed=2)[OURS])


OTHER_WORLDS = {
    "… of texts without copies": World(all_worse=True, zipf=20.0),
    "… that hardly disagree": World(all_worse=True, private=0.05, first=0.96),
    "… that disagree much": World(all_worse=True, private=0.6),
    "… on 1,000 rows all year": World(all_worse=True, rows=(1000, 1001)),
    "… on 300 to 1,500 rows": World(all_worse=True, rows=(300, 1500)),
    "texts without copies": World(zipf=20.0),
    "many copies (Zipf 2.2)": World(zipf=2.2),
}


def _came_to(years: list[Year]) -> dict[str, object]:
    waits = np.array([wait for year in years for wait in year.waits] or np.empty((0, 2)))
    early = waits[waits[:, 0] < NIGHTS / 4]
    return {
        "P(any promotion worse than the best by more than the margin)": _share([year.wrong for year in years]),
        "P(ever more than twice the margin below the best)": _share([year.far_below for year in years]),
        f"gains of {GAIN} promoted within {WAIT} nights": _within(waits),
        "… in the first quarter": _within(early),
        "promotions a year": float(np.mean([year.promotions for year in years])),
        "champion below the best, at the end": float(np.mean([year.best - year.worth for year in years])),
    }


def _share(parts: list[np.ndarray]) -> float:
    return float(np.mean(np.concatenate(parts)))


def _within(waits: np.ndarray) -> float | None:
    return float((waits[:, 1] <= WAIT).mean()) if len(waits) else None
