"""False alarms a month, detection and delay of what rang."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.surges.detectors import Group, Rings
from benchmarks.surges.streams import FACTORS, Streams
from perennial.monitoring.surges.watching import CLEAR_AFTER, DAYS_A_MONTH

IN_TIME = 2
"""Whole buckets of a surge in which it has to be noticed; the part of a bucket in which it began comes before these."""


@dataclass(frozen=True)
class Tally:
    """Of some streams."""

    false_alarms: int
    clean_buckets: int
    months: float
    """Of time in which there was no surge."""
    noticed: dict[float, list[bool]]
    """Of each planted surge by its factor: in time?"""
    delays: list[float]
    """Hours from when a surge of 3× began to the end of the bucket that rang; of those that were noticed at all."""


def clean(group: Group, drawn: Streams) -> np.ndarray:
    """Buckets that are scored and have no surge, nor follow one so closely that it may go on; bool (s, n)."""
    hours = group.minutes // 60
    bucket = np.arange(group.first, len(group.grid.starts))[None, :]
    start, end = (one[group.members][:, None] for one in (drawn.surge_start, drawn.surge_end))
    return (start < 0) | (bucket < start // hours) | (bucket > (end - 1) // hours + CLEAR_AFTER)


def tally(group: Group, drawn: Streams, rings: Rings) -> Tally:
    """What the detector came to on these streams."""
    free, hours = clean(group, drawn), group.minutes // 60
    noticed: dict[float, list[bool]] = {factor: [] for factor in FACTORS}
    delays = []
    for row, member in enumerate(group.members):
        start, end, factor = (one[member] for one in (drawn.surge_start, drawn.surge_end, drawn.factor))
        if start < 0:
            continue
        begin, whole = start // hours - group.first, -(-start // hours) - group.first
        rang = np.flatnonzero(rings.rings[row, begin : (end - 1) // hours - group.first + CLEAR_AFTER])
        noticed[float(factor)].append(bool(len(rang) and begin + rang[0] < whole + IN_TIME))
        if factor == 3 and len(rang):
            delays.append(float((group.first + begin + rang[0] + 1) * hours - start))
    months = free.sum() * group.minutes / (24 * 60 * DAYS_A_MONTH)
    return Tally(int((rings.rings & free).sum()), int(free.sum()), float(months), noticed, delays)


def together(tallies: Sequence[Tally]) -> Tally:
    """Of all streams."""
    return Tally(
        sum(one.false_alarms for one in tallies),
        sum(one.clean_buckets for one in tallies),
        sum(one.months for one in tallies),
        {factor: [hit for one in tallies for hit in one.noticed[factor]] for factor in FACTORS},
        [delay for one in tallies for delay in one.delays],
    )
