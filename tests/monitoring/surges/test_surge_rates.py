"""As many false alarms as set, and surges of 3× noticed: `python -m benchmarks surges` at small size."""

import numpy as np
import pytest
from scipy.stats import poisson

from benchmarks.surges import detectors, scoring, streams

HISTORY, WATCHED, STREAMS = 35, 28, 60


@pytest.fixture(scope="module")
def drawn() -> streams.Streams:
    return streams.simulate(np.random.default_rng(5), STREAMS, HISTORY, WATCHED)


@pytest.fixture(scope="module")
def parts(drawn: streams.Streams) -> list[detectors.Group]:
    # Hours cost most and show no more.
    return [part for part in detectors.groups(drawn, HISTORY) if part.minutes >= 180]


def scored(parts: list[detectors.Group], drawn: streams.Streams, rate: float) -> scoring.Tally:
    return scoring.together([scoring.tally(part, drawn, detectors.perennial(part, rate)) for part in parts])


def test_false_alarms_are_as_many_as_set_and_surges_are_noticed(
    parts: list[detectors.Group], drawn: streams.Streams
) -> None:
    tally = scored(parts, drawn, 1.0)
    low, high = poisson.interval(0.99, tally.months)
    assert tally.months > 30
    assert low <= tally.false_alarms <= high
    assert tally.false_alarms <= 0.02 * tally.clean_buckets
    assert np.mean(tally.noticed[3.0] + tally.noticed[5.0]) >= 0.85


def test_series_that_are_watched_together_share_the_false_alarms(
    parts: list[detectors.Group], drawn: streams.Streams
) -> None:
    tally = scored(parts, drawn, 0.1)
    assert tally.false_alarms <= poisson.ppf(0.995, 0.1 * tally.months)


def test_the_trivial_detectors_do_what_they_say(parts: list[detectors.Group], drawn: streams.Streams) -> None:
    never = scoring.together([scoring.tally(part, drawn, detectors.never(part)) for part in parts])
    always = scoring.together([scoring.tally(part, drawn, detectors.always(part)) for part in parts])
    monthly = scoring.together([scoring.tally(part, drawn, detectors.every_month(part)) for part in parts])
    assert never.false_alarms == 0
    assert always.false_alarms == always.clean_buckets
    assert monthly.false_alarms == pytest.approx(monthly.months, rel=0.35)
