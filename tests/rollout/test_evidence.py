"""Evidence that holds however often it is looked at, and trials that end by it."""

import math

import numpy as np
import pytest

from benchmarks.deciding import canary
from benchmarks.deciding.canary import Traffic, World
from perennial.rollout.evidence import Outcomes, log_evidence_above, log_evidence_below, mean_interval
from perennial.rollout.verdict import LABELS, Finding, TrialEnd, trial_standing
from perennial.settings.rollout import RolloutSpec

STREAMS = 300
TERMS = RolloutSpec()


@pytest.mark.parametrize("differing", [0.06, 0.2])
def test_wrong_ends_are_as_rare_as_promised_and_peeking_errs_more(differing: float) -> None:
    """The benchmark `canary` in small: its thousand streams a world are in docs/rollout.md."""
    draw = np.random.default_rng(3)
    equal, worse = (canary.drawn(World(gained, differing), STREAMS, draw) for gained in (0.0, -TERMS.margin))
    wrongly_dropped = canary.ends_of_trials(equal, TERMS).dropped
    missed = 1 - canary.ends_of_trials(worse, TERMS).dropped
    assert wrongly_dropped <= TERMS.alpha
    assert missed <= TERMS.alpha
    assert canary.ends_of_peeking(equal, TERMS).dropped > TERMS.alpha
    assert canary.ends_of_peeking(worse, TERMS).passed > TERMS.alpha


@pytest.mark.parametrize(
    ("traffic", "end"),
    [
        (Traffic(), TrialEnd.PASSED),
        (Traffic(labels=(0.065, 0.035)), TrialEnd.DROPPED),
        (Traffic(errors=(0.0105, 0.0005)), TrialEnd.DROPPED),
        (Traffic(slow=(0.08, 0.03)), TrialEnd.DROPPED),
        (Traffic(labels=(0, 0), labelled=0, differing=0.01), TrialEnd.PASSED),
        (Traffic(labels=(0, 0), labelled=0, differing=0.3), TrialEnd.UNDECIDED),
        (Traffic(labels=(0, 0), labelled=0, differing=0.11), "open"),
    ],
)
def test_whole_trials_end_as_they_should(traffic: Traffic, end: str) -> None:
    shares = canary.ends_of_traffic(traffic, 12, 80, TERMS)
    assert shares[end] >= 0.9


def test_a_claim_that_is_true_is_hardly_ever_spoken_against() -> None:
    """Ville's inequality, at every one of 2,000 looks, with a mean at the very bound."""
    draw = np.random.default_rng(0)
    for bound, worse, better in ((0.0, 0.2, 0.2), (0.03, 0.05, 0.02), (0.2, 0.2, 0.0)):
        drawn = draw.choice([1, 0, -1], p=[worse, 1 - worse - better, better], size=(400, 2000))
        counts = Outcomes(*((drawn == value).cumsum(axis=1) for value in (1, 0, -1)))
        above = (log_evidence_above(counts, bound) >= math.log(20)).any(axis=1).mean()
        assert above <= 0.05
        if bound:
            assert (log_evidence_below(counts, bound) >= math.log(20)).any(axis=1).mean() <= 0.05


def test_evidence_depends_on_counts_alone_and_nothing_says_nothing() -> None:
    assert log_evidence_above(Outcomes(), 0.0) == 0
    assert log_evidence_below(Outcomes(), 0.03) == 0
    once = log_evidence_above(Outcomes(30, 900, 10), 0.0)
    assert log_evidence_above(Outcomes(np.array([30]), np.array([900]), np.array([10])), 0.0)[0] == pytest.approx(once)
    assert math.isfinite(log_evidence_above(Outcomes(10**7, 0, 0), 0.0))


def test_an_interval_of_a_share_holds_it_at_every_look() -> None:
    draw = np.random.default_rng(1)
    missed = 0
    for _ in range(60):
        hits = (draw.random(600) < 0.8).cumsum()
        intervals = [mean_interval(int(hits[look - 1]), look, 0.05) for look in (20, 60, 200, 600)]
        missed += any(not low <= 0.8 <= high for low, high in intervals)
        widths = [high - low for low, high in intervals]
        assert widths == sorted(widths, reverse=True)
    assert missed <= 3
    assert mean_interval(0, 0, 0.05) == (0.0, 1.0)


def test_what_was_shown_first_stands_unless_it_breaks_later() -> None:
    little_worse = {LABELS: Outcomes(600, 39_000, 400), "errors": Outcomes(0, 4000, 0), "slow": Outcomes(0, 4000, 0)}
    fresh = trial_standing(little_worse, {}, TERMS, 1)
    assert fresh.end is TrialEnd.DROPPED  # shown to be worse, by however little
    settled = trial_standing(little_worse, {LABELS: Finding.WITHIN}, TERMS, 1)
    assert settled.end is TrialEnd.PASSED
    broken = little_worse | {LABELS: Outcomes(6000, 39_000, 400)}
    assert trial_standing(broken, {LABELS: Finding.WITHIN}, TERMS, 1).end is TrialEnd.DROPPED


def test_without_labels_a_person_is_asked_in_the_end_and_is_told_why() -> None:
    counts = {"errors": Outcomes(0, 900, 0), "slow": Outcomes(0, 900, 0), "differing": Outcomes(90, 810, 0)}
    assert trial_standing(counts, {}, TERMS, 13.9).end is None
    standing = trial_standing(counts, {}, TERMS, 14)
    assert standing.end is TrialEnd.UNDECIDED
    assert "No late label came, and the two answer 10.0% of rows differently" in standing.words
    assert "only labels tell" in standing.words
