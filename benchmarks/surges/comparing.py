"""`python -m benchmarks surges`: 500 simulated streams, watched by the library and by what one would take instead.

BENCH_STREAMS is another number of streams, BENCH_SEED another draw, BENCH_NARROWEST=360 leaves out streams with buckets
of fewer minutes, which take most of the time.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.surges import detectors, scoring, streams

STREAMS = int(os.environ.get("BENCH_STREAMS", "500"))
SEED = int(os.environ.get("BENCH_SEED", "17"))
NARROWEST = int(os.environ.get("BENCH_NARROWEST", "0"))
HISTORY_DAYS, WATCHED_DAYS = 56, 28
FALSE_POSITIVES = 0.01
TOGETHER = 10
Detect = Callable[[detectors.Group], detectors.Rings]


def measure(scratch: Path) -> dict[str, object]:
    """A row a detector."""
    drawn = streams.simulate(np.random.default_rng(SEED), STREAMS, HISTORY_DAYS, WATCHED_DAYS)
    parts = [part for part in detectors.groups(drawn, HISTORY_DAYS) if part.minutes >= NARROWEST]
    figures: dict[str, object] = {"streams": STREAMS, "seed": SEED}
    figures["buckets, minutes: streams"] = {str(part.minutes): len(part.members) for part in parts}
    for name, detect in _detectors().items():
        figures |= _row(name, detect, parts, drawn)
    return figures


def _detectors() -> dict[str, Detect]:
    return {
        "never": detectors.never,
        "always": detectors.always,
        "every k, once a month": detectors.every_month,
        "3 sigma": detectors.three_sigma,
        "EWMA": detectors.ewma,
        "Farrington Flexible, counts": lambda group: detectors.farrington_flexible(group, shares=False),
        "Farrington Flexible, shares": lambda group: detectors.farrington_flexible(group, shares=True),
        "Perennial, 1 a month": lambda group: detectors.perennial(group, 1.0),
        f"Perennial, {TOGETHER} together, 1 a month": lambda group: detectors.perennial(group, 1.0 / TOGETHER),
        "Perennial, 1% of buckets": lambda group: detectors.perennial(group, FALSE_POSITIVES * group.a_month),
    }


def _row(name: str, detect: Detect, parts: list[detectors.Group], drawn: streams.Streams) -> dict[str, object]:
    began = time.process_time()
    rung = [detect(part) for part in parts]
    row = _scored(rung, parts, drawn)
    row["CPU, s"] = round(time.process_time() - began, 1)
    rows: dict[str, object] = {name: row}
    if rung[0].score is not None and "Perennial" not in name:
        rows[f"{name}, moved to 1% of buckets"] = _moved(rung, parts, drawn)
    return rows


def _moved(rung: list[detectors.Rings], parts: list[detectors.Group], drawn: streams.Streams) -> dict[str, object]:
    """With the threshold that one would choose who knew all: the one that 1% of the buckets without a surge pass."""
    calm = np.concatenate([one.score[scoring.clean(part, drawn)] for part, one in zip(parts, rung, strict=True)])
    threshold = float(np.quantile(calm, 1 - FALSE_POSITIVES))
    moved = [detectors.at_threshold(one, threshold) for one in rung]
    return described(
        scoring.together([scoring.tally(part, drawn, one) for part, one in zip(parts, moved, strict=True)])
    )


def _scored(rung: list[detectors.Rings], parts: list[detectors.Group], drawn: streams.Streams) -> dict[str, object]:
    tallies = [scoring.tally(part, drawn, one) for part, one in zip(parts, rung, strict=True)]
    rates = [one.false_alarms / one.months for one in tallies]
    by_width = {"least and most, by width of buckets": [round(min(rates), 2), round(max(rates), 2)]}
    return described(scoring.together(tallies)) | by_width


def described(tally: scoring.Tally) -> dict[str, object]:
    """The figures of a row; what is expected of a rate of 1 a month is in between the bounds in 95% of simulations."""
    half = 1.96 * tally.months**0.5
    return {
        "false alarms a month": round(tally.false_alarms / tally.months, 3),
        "95% around 1": [round((tally.months + side * half) / tally.months, 3) for side in (-1, 1)],
        "% of buckets": round(100 * tally.false_alarms / tally.clean_buckets, 2),
        **{f"{factor:g}× in time": round(float(np.mean(hits)), 3) for factor, hits in tally.noticed.items() if hits},
        "3×, median hours": round(float(np.median(tally.delays)), 1) if tally.delays else None,
    }
