"""Whether a trial can end, and how: what was counted, weighed against the margins, valid at every look.

Of each figure two claims are bet against: that the challenger is no worse (shown wrong: it is dropped), and that it is
worse by the margin (shown wrong: it is within). Whichever is shown first stands. One that was shown to be within is
dropped later only where it is shown to be worse by the margin after all, as where something broke meanwhile.

Without labels the figure "labels" can be decided by disagreement alone one way: versions that answer fewer rows
differently than the margin can't differ in right answers by more. That it is worse no disagreement shows.
"""

import math
from collections.abc import Mapping
from enum import StrEnum

from perennial.core.record import Record
from perennial.rollout.evidence import Outcomes, log_evidence_above, log_evidence_below
from perennial.settings.rollout import RolloutSpec

LABELS, ERRORS, SLOW, DIFFERING = "labels", "errors", "slow", "differing"
HARMS = (LABELS, ERRORS, SLOW)
"""What a challenger can be shown to be worse in."""
_WAYS = {LABELS: 2, ERRORS: 1, SLOW: 1}
"""In how many ways each can be shown to be within its margin: what may be erred with is divided by it."""


class Finding(StrEnum):
    """What is shown of one figure."""

    OPEN = "open"
    WITHIN = "within"
    """Shown to be worse by less than the margin."""
    WORSE = "worse"


class TrialEnd(StrEnum):
    """How a trial ends."""

    DROPPED = "dropped"
    """The challenger was shown to be worse."""
    PASSED = "passed"
    """It was shown to be within all margins."""
    UNDECIDED = "undecided"
    """Nobody but a person can say."""


class FigureStanding(Record):
    """One figure of a trial."""

    name: str
    worse: int
    same: int
    better: int
    margin: float
    finding: Finding
    evidence_worse: float
    """Factor by which the counts speak against: it is no worse."""
    evidence_within: float
    """Factor by which they speak against: it is worse by the margin."""


class TrialStanding(Record):
    """What a trial has come to."""

    figures: tuple[FigureStanding, ...]
    rows: int
    """Compared so far, each text once."""
    days: float
    end: TrialEnd | None
    """None: it goes on."""
    words: str
    """Why, in sentences; of a trial that goes on, what is open."""

    @property
    def findings(self) -> dict[str, Finding]:
        """By figure."""
        return {figure.name: figure.finding for figure in self.figures}


def trial_standing(
    counts: Mapping[str, Outcomes], before: Mapping[str, Finding], terms: RolloutSpec, days: float
) -> TrialStanding:
    """What `counts` (by figure) have come to after `days`; `before`: what was shown at earlier looks."""
    margins = {LABELS: terms.margin, ERRORS: terms.error_margin, SLOW: terms.slow_margin}
    differing = counts.get(DIFFERING, Outcomes())
    figures = [
        _figure(name, counts.get(name, Outcomes()), margin, before.get(name, Finding.OPEN), terms.alpha, differing)
        for name, margin in margins.items()
    ]
    figures.append(_disagreement(differing, before.get(DIFFERING, Finding.OPEN), terms))
    end, words = _end(figures, terms, days)
    return TrialStanding(figures=tuple(figures), rows=int(differing.total), days=days, end=end, words=words)


def _figure(
    name: str, outcomes: Outcomes, margin: float, before: Finding, alpha: float, differing: Outcomes
) -> FigureStanding:
    above_zero = float(log_evidence_above(outcomes, 0.0))
    above_margin = float(log_evidence_above(outcomes, margin))
    below = float(log_evidence_below(outcomes, margin))
    if name == LABELS:
        below = max(below, float(log_evidence_below(differing, margin)))
    worse = above_margin if before is Finding.WITHIN else above_zero
    finding = before
    if worse >= math.log(len(HARMS) / alpha):
        finding = Finding.WORSE
    elif before is Finding.OPEN and below >= math.log(_WAYS[name] / alpha):
        finding = Finding.WITHIN
    return _standing(name, outcomes, margin, finding, worse, below)


def _disagreement(outcomes: Outcomes, before: Finding, terms: RolloutSpec) -> FigureStanding:
    above = float(log_evidence_above(outcomes, terms.max_disagreement))
    below = float(log_evidence_below(outcomes, terms.margin))
    finding = Finding.WITHIN if below >= math.log(_WAYS[LABELS] / terms.alpha) else before
    finding = Finding.WORSE if above >= math.log(1 / terms.alpha) else finding
    return _standing(DIFFERING, outcomes, terms.max_disagreement, finding, above, below)


def _standing(
    name: str, outcomes: Outcomes, margin: float, finding: Finding, worse: float, within: float
) -> FigureStanding:
    return FigureStanding(
        name=name,
        worse=int(outcomes.worse),
        same=int(outcomes.same),
        better=int(outcomes.better),
        margin=margin,
        finding=finding,
        evidence_worse=_factor(worse),
        evidence_within=_factor(within),
    )


def _factor(logarithm: float) -> float:
    """Without the log, and not beyond what JSON's readers take."""
    return float(f"{math.exp(max(-700.0, min(700.0, logarithm))):.4g}")


def _end(figures: list[FigureStanding], terms: RolloutSpec, days: float) -> tuple[TrialEnd | None, str]:
    by_name = {figure.name: figure for figure in figures}
    worse = [figure for figure in figures if figure.name in HARMS and figure.finding is Finding.WORSE]
    if worse:
        return TrialEnd.DROPPED, "It was shown to be worse than the champion: " + _listed(worse) + "."
    if by_name[DIFFERING].finding is Finding.WORSE:
        return TrialEnd.UNDECIDED, (
            f"The two were shown to differ in more than {terms.max_disagreement:.0%} of rows "
            f"({_share(by_name[DIFFERING])}), which does not tell which of them is right."
        )
    harms = [by_name[name] for name in HARMS]
    if all(figure.finding is Finding.WITHIN for figure in harms):
        by = "" if harms[0].worse + harms[0].same + harms[0].better else f" {_by_disagreement(by_name, terms)}"
        return TrialEnd.PASSED, f"It was shown to be within all margins: {_listed(harms)}.{by}"
    open_ones = [figure for figure in harms if figure.finding is Finding.OPEN]
    words = f"Not shown either way: {_listed(open_ones)}.{_no_labels(by_name)}"
    if days >= terms.max_days:
        return TrialEnd.UNDECIDED, f"After {terms.max_days:g} days (max_days) it came to no conclusion. {words}"
    return None, words


def _by_disagreement(figures: Mapping[str, FigureStanding], terms: RolloutSpec) -> str:
    return (
        f"No label came, and none was needed: the two answer {_share(figures[DIFFERING])} of rows differently, and "
        f"were shown to do so in less than {terms.margin:g} of them."
    )


def _no_labels(figures: Mapping[str, FigureStanding]) -> str:
    labels = figures[LABELS]
    if labels.finding is not Finding.OPEN or labels.worse + labels.same + labels.better:
        return ""
    return (
        f" No late label came, and the two answer {_share(figures[DIFFERING])} of rows differently: which of them is "
        "right only labels tell (`perennial labels`), or a person."
    )


def _share(figure: FigureStanding) -> str:
    total = figure.worse + figure.same + figure.better
    return f"{figure.worse / total:.1%}" if total else "none"


_UNITS = {LABELS: "labelled rows", ERRORS: "requests not answered", SLOW: "slow requests"}


def _listed(figures: list[FigureStanding]) -> str:
    return "; ".join(
        f"{_UNITS[one.name]}, {one.worse:,} worse and {one.better:,} better of {one.worse + one.same + one.better:,} "
        f"(margin {one.margin:g})"
        for one in figures
    )
