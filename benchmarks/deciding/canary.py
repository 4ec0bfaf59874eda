"""Canary: how often a trial on live traffic ends wrongly, beside a test of a fixed size that is looked at too often.

Made-up streams of rows that both versions answered, with the labels of some of them coming late and in batches; the
rule that ends trials looks after each batch, with the settings' defaults. Then whole trials: with requests that fail,
that are slow, and answers that differ, by the function that a server asks. BENCH_STREAMS: how many streams for each
world (1,000), and a fifth of it of whole trials, each of which is asked a hundred times.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from perennial.rollout.evidence import Outcomes, log_evidence_above, log_evidence_below
from perennial.rollout.verdict import DIFFERING, ERRORS, HARMS, LABELS, SLOW, Finding, TrialEnd, trial_standing
from perennial.settings.rollout import RolloutSpec

STREAMS = int(os.environ.get("BENCH_STREAMS", "1000"))
MOST_LABELS = 12_000
"""That come in a stream, at most."""
BATCH = 25
"""Labels that come together, on average: after each batch the test is looked at."""
FIXED = 4_000
"""Labels for which the test of a fixed size is made."""
NORMAL = 1.959964
"""By which that test rejects at 5%, of both sides."""


@dataclass(frozen=True)
class World:
    """Two versions, as late labels show them."""

    gained: float
    """What the challenger is better by, in the share of rows answered rightly; negative: worse."""
    differing: float
    """In which share of rows one of them alone is right."""


WORLDS: Mapping[str, World] = {
    f"{what}, one alone right in {differing:.0%}": World(gained, differing)
    for differing in (0.06, 0.1, 0.2, 0.4)
    for what, gained in (("worse by 0.03", -0.03), ("no worse", 0.0), ("better by 0.02", 0.02))
}


@dataclass(frozen=True)
class Traffic:
    """What is seen of two versions between two looks: how often the challenger does worse, and better."""

    labels: tuple[float, float] = (0.05, 0.05)
    errors: tuple[float, float] = (0.0005, 0.0005)
    slow: tuple[float, float] = (0.03, 0.03)
    differing: float = 0.11
    labelled: float = 0.1
    """The share of rows whose labels come."""


TRAFFIC: Mapping[str, Traffic] = {
    "no worse in anything": Traffic(),
    "worse by the margin in labels": Traffic(labels=(0.065, 0.035)),
    "worse by the margin in errors": Traffic(errors=(0.0105, 0.0005)),
    "worse by the margin in slow requests": Traffic(slow=(0.08, 0.03)),
    "differs in 1%, and no label comes": Traffic(labels=(0, 0), differing=0.01, labelled=0),
    "differs in 11%, and no label comes": Traffic(labels=(0, 0), labelled=0),
    "differs in 30%, and no label comes": Traffic(labels=(0, 0), differing=0.3, labelled=0),
}
LOOK_ROWS, LOOKS = 500, 100
"""Rows between two looks, each of a request of its own, and looks."""


@dataclass(frozen=True)
class Ends:
    """Shares of streams by how they ended, and after how many labels."""

    dropped: float
    passed: float
    labels_median: float
    labels_most: float
    """Nine of ten streams took no more."""

    @property
    def undecided(self) -> float:
        """The rest, of which a person is asked."""
        return max(0.0, 1 - self.dropped - self.passed)


def measure(scratch: Path) -> dict[str, object]:
    """Shares of wrong ends, of both tests."""
    terms = RolloutSpec()
    figures: dict[str, object] = {
        "promised: wrongly dropped, and worse by the margin yet passed, at most": terms.alpha,
        "streams a world": STREAMS,
    }
    for name, world in WORLDS.items():
        streams = drawn(world, STREAMS, np.random.default_rng(1))
        figures[name] = {
            "dropped, passed, undecided": _three(ends_of_trials(streams, terms)),
            "labels, median and 9 of 10": _labels(ends_of_trials(streams, terms)),
            "peeked: dropped, passed, undecided": _three(ends_of_peeking(streams, terms)),
        }
    for name, traffic in TRAFFIC.items():
        shares = ends_of_traffic(traffic, STREAMS // 5, LOOKS, terms)
        figures[f"whole trials, {name}"] = {end: f"{share:.1%}" for end, share in shares.items()}
    return figures


def drawn(world: World, streams: int, draw: np.random.Generator) -> Outcomes:
    """Counts at each look: streams × looks. Batches of labels are of different sizes."""
    sizes = 1 + draw.poisson(BATCH - 1, size=(streams, MOST_LABELS // BATCH))
    better, worse = (world.differing + world.gained) / 2, (world.differing - world.gained) / 2
    better_counts = draw.binomial(sizes, better)
    worse_counts = draw.binomial(sizes - better_counts, worse / (1 - better))
    counts = (worse_counts, sizes - better_counts - worse_counts, better_counts)
    return Outcomes(*(one.cumsum(axis=1) for one in counts))


def ends_of_trials(streams: Outcomes, terms: RolloutSpec) -> Ends:
    """How trials end: by the evidence that `perennial.rollout.verdict` asks for, of labels alone."""
    dropped = log_evidence_above(streams, 0.0) >= math.log(len(HARMS) / terms.alpha)
    passed = log_evidence_below(streams, terms.margin) >= math.log(2 / terms.alpha)
    return _ends(dropped, passed, streams.total)


def ends_of_peeking(streams: Outcomes, terms: RolloutSpec) -> Ends:
    """How they would end by the 95% interval of a paired test, looked at after each batch until FIXED labels came."""
    total = streams.total
    mean = (streams.better - streams.worse) / total
    spread = np.sqrt(np.maximum((streams.better + streams.worse) / total - mean**2, 1e-12) / total)
    in_time = (total <= FIXED) & (streams.better + streams.worse >= 5)
    dropped = (mean + NORMAL * spread < 0) & in_time
    passed = (mean - NORMAL * spread > -terms.margin) & in_time
    return _ends(dropped, passed, total)


def ends_of_traffic(traffic: Traffic, streams: int, looks: int, terms: RolloutSpec) -> dict[str, float]:
    """Shares of whole trials by how they ended; "open": they had not after so many looks."""
    draw = np.random.default_rng(2)
    ends = [_end_of_trial(traffic, looks, terms, draw) for _ in range(streams)]
    return {end: ends.count(end) / streams for end in (*TrialEnd, "open")}


def _end_of_trial(traffic: Traffic, looks: int, terms: RolloutSpec, draw: np.random.Generator) -> str:
    rates = {LABELS: traffic.labels, ERRORS: traffic.errors, SLOW: traffic.slow, DIFFERING: (traffic.differing, 0.0)}
    rows = {name: round(LOOK_ROWS * (traffic.labelled if name == LABELS else 1)) for name in rates}
    counts = {name: np.zeros(3, dtype=np.int64) for name in rates}
    findings: dict[str, Finding] = {}
    for _ in range(looks):
        for name, (worse, better) in rates.items():
            counts[name] += draw.multinomial(rows[name], [worse, 1 - worse - better, better])
        standing = trial_standing({name: Outcomes(*map(int, one)) for name, one in counts.items()}, findings, terms, 0)
        findings = standing.findings
        if standing.end:
            return standing.end
    return "open"


def _ends(dropped: np.ndarray, passed: np.ndarray, total: np.ndarray) -> Ends:
    """Whichever comes first."""
    never = dropped.shape[1]
    first = [np.where(one.any(axis=1), one.argmax(axis=1), never) for one in (dropped, passed)]
    is_dropped, is_passed = first[0] < first[1], first[1] < first[0]
    look = np.minimum(np.minimum(*first), never - 1)
    labels = np.take_along_axis(total, look[:, None], axis=1)[:, 0]
    return Ends(
        float(is_dropped.mean()), float(is_passed.mean()), float(np.median(labels)), float(np.quantile(labels, 0.9))
    )


def _three(ends: Ends) -> str:
    return f"{ends.dropped:.1%}, {ends.passed:.1%}, {ends.undecided:.1%}"


def _labels(ends: Ends) -> str:
    return f"{ends.labels_median:,.0f}, {ends.labels_most:,.0f}"
