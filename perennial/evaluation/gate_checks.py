"""A gate applied to a figure: passed, failed, or not to be decided.

Against the champion a figure passes if it is shown not to be worse by more than the margin (non-inferiority: the
whole confidence interval of the difference lies on the right side), fails if it is shown to be, and is undecided
otherwise. All such checks of a decision must pass, which needs no correction for their number: a candidate that is too
bad in one of them passes all with at most the probability of passing that one (intersection-union test, Berger 1982).
That at least one of many fails by chance is another matter, so failures are declared for the whole family of them
with Holm's correction (Holm 1979).

One candidate is not the last: what the comparisons on all test rows may err with is the level of this look at them, a
part of the budget for all looks together (`perennial.metrics.alpha_spending`).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import NamedTuple

from perennial.core.percent import percent
from perennial.evaluation import gate_figures
from perennial.evaluation.comparison import DECIMALS, p_value
from perennial.evaluation.gate_figures import GateFigure
from perennial.metrics import alpha_spending, clusters, gate_metrics, ranges, share_floors, slice_pooling
from perennial.metrics.slice_pooling import PooledSlice, holm
from perennial.records.decision import Check, Verdict
from perennial.records.evaluation import Difference, Look
from perennial.settings.gates import GateSpec
from perennial.settings.pipeline import PipelineSpec

ROUNDING = 1e-9
"""A figure that misses its limit by less is equal to it: 0.8 - 0.1 is more than 0.7 in floating point."""
MANY = 1000
"""Times as many rows: nobody has them."""


class GateFinding(NamedTuple):
    """What a check came to."""

    verdict: Verdict
    reason: str


@dataclass(frozen=True)
class GateCase:
    """A figure that a gate is applied to."""

    spec: PipelineSpec
    gate: GateSpec
    figure: GateFigure
    champion_version: str | None
    look: Look | None = None
    """What the comparisons on all test rows may err with; None: each as if it were the only one."""

    @property
    def lower(self) -> bool:
        """Whether a lower figure is better."""
        return gate_figures.lower_is_better(self.spec, self.gate.metric)

    @property
    def is_comparison(self) -> bool:
        """Whether the difference to the champion decides, with its interval."""
        return self.gate.versus in ("champion", "anchor") and self.gate.metric not in gate_metrics.BY_FIGURE

    @property
    def rival(self) -> str:
        """Whom the candidate is compared with, in words."""
        return self.figure.rival or f"champion version {self.champion_version}"

    @property
    def look_level(self) -> float | None:
        """What this comparison may err with as one of many looks at the same rows; None: no budget is kept for it.

        Of slices and labels none is: there are many of them, and they are small.
        """
        whole = self.is_comparison and self.gate.per is None and self.gate.slice is None
        return self.look.level if self.look and whole else None

    @property
    def compared(self) -> Difference | None:
        """The difference that decides; None: another thing does, or there are too few rows, or no such figure."""
        enough = self.figure.value is not None and self.figure.independent >= self.gate.min_n
        return self.figure.difference if self.is_comparison and enough else None

    @property
    def level(self) -> float:
        """One-sided: the probability of taking chance for a difference."""
        return (1 - self.spec.evaluation.confidence) / 2


def judge(cases: Sequence[GateCase]) -> tuple[Check, ...]:
    """Every check of a decision."""
    family = [index for index, case in enumerate(cases) if case.compared]
    raw = [_worse_than_margin(cases[index]) for index in family]
    p_values = dict(zip(family, holm(raw), strict=True))
    pooled = pooled_slices(cases)
    return tuple(
        _check(case, p_values.get(index, 1.0), len(family), pooled.get(index)) for index, case in enumerate(cases)
    )


def pooled_slices(cases: Sequence[GateCase]) -> dict[int, PooledSlice]:
    """By a case's index in `cases`: what the other slices of its way of telling rows apart make of it."""
    together: dict[tuple[int, str], list[int]] = {}
    for index, case in enumerate(cases):
        if case.gate.slices == "pooled" and case.figure.way and case.compared and case.compared.standard_error > 0:
            together.setdefault((id(case.gate), case.figure.way), []).append(index)
    pooled: dict[int, PooledSlice] = {}
    for places in together.values():
        pooled |= dict(zip(places, _pooled([cases[index] for index in places]), strict=True))
    return pooled


def _pooled(cases: Sequence[GateCase]) -> list[PooledSlice]:
    differences = [case.compared for case in cases if case.compared]
    values = [_for_the_better(one, case.lower)[0] for one, case in zip(differences, cases, strict=True)]
    errors = [one.standard_error for one in differences]
    rows, of_all = sum(case.figure.n for case in cases), cases[0].figure.of_all
    apart = sum((case.figure.n / rows * error) ** 2 for case, error in zip(cases, errors, strict=True))
    # What texts and groups that are in several slices make the mean vary more: seen where all rows are one slice.
    shared = max(1.0, of_all.standard_error**2 / apart) if of_all else 1.0
    confidence = cases[0].spec.evaluation.confidence
    low, high = ranges.RANGES.get(cases[0].gate.metric, ranges.UNBOUNDED)
    # Of a difference: as far one way as the other.
    return slice_pooling.pool(values, errors, confidence=confidence, shared=shared, bounds=(low - high, high - low))


def _check(case: GateCase, p: float, family: int, pooled: PooledSlice | None) -> Check:
    gate, figure = case.gate, case.figure
    limit, meaning = _limit(case)
    difference = figure.difference if case.is_comparison else None
    verdict, reason = _found(case, limit, meaning, p, family, pooled)
    return Check(
        gate=_in_words(case),
        metric=gate.metric,
        label=figure.label,
        subject=figure.subject,
        value=_rounded(figure.value),
        limit=_rounded(limit),
        difference=_rounded(difference.value) if difference else None,
        interval=difference.interval if difference else figure.interval,
        margin=gate.margin if gate.versus is not None and gate.ratio is None else None,
        level=_rounded(case.look_level) if case.compared else None,
        n=figure.n,
        clusters=figure.clusters,
        clustered_by=figure.clustered_by if figure.clusters is not None else None,
        verdict=verdict,
        reason=reason,
    )


def _found(
    case: GateCase, limit: float | None, meaning: str, p: float, family: int, pooled: PooledSlice | None
) -> GateFinding:
    gate, figure = case.gate, case.figure
    skipped = gate.small == "skip" and not figure.missing
    if figure.independent < gate.min_n and (figure.value is not None or skipped):
        needed = clusters.units(gate.min_n, figure.clustered_by) if figure.clusters is not None else f"{gate.min_n:,}"
        few = f"{figure.name} has {_counted(figure)}, {needed} are needed to judge it"
        if skipped:
            return GateFinding(Verdict.SKIPPED, f"{few}; it was not judged.")
        return GateFinding(Verdict.UNDECIDED, f"{few}.")
    if figure.value is None:
        why = f": {figure.missing}" if figure.missing else f" ({_n(figure)})"
        return GateFinding(Verdict.UNDECIDED, f"{figure.name} could not be measured{why}.")
    if limit is None or (case.is_comparison and case.compared is None):
        return GateFinding(Verdict.UNDECIDED, f"{figure.name} has nothing to be compared with: {meaning}.")
    if case.compared is not None:
        return _beside_others(case, _non_inferior(case, case.compared, p, family), pooled)
    return _within(case, figure.value, limit, meaning)


def _within(case: GateCase, value: float, limit: float, meaning: str) -> GateFinding:
    passed = value <= limit + ROUNDING if case.lower else value >= limit - ROUNDING
    relation = "at most" if case.lower else "at least"
    required = f"{relation} {limit:.4f} was required ({meaning}, {_n(case.figure)})"
    said = f"{case.figure.name} is {value:.4f}, {required}."
    if not passed and (room := _reaches_its_floor(case, value, limit)):
        return GateFinding(Verdict.UNDECIDED, f"{said} {room}")
    return GateFinding(Verdict.PASS if passed else Verdict.FAIL, said)


def _reaches_its_floor(case: GateCase, value: float, floor: float) -> str:
    """Why a behavioural test's rate below `floor` shows nothing, in words; empty: it does, or the rate is to decide."""
    figure, interval = case.figure, case.figure.interval
    if case.gate.per != "behaviour" or case.gate.versus is not None or case.spec.behaviours.undecided == "reject":
        return ""
    if interval is None or share_floors.is_shown_below(interval.high, floor):
        return ""
    confidence = case.spec.evaluation.confidence
    needed = share_floors.rows_that_decide(value, floor, NormalDist().inv_cdf((1 + confidence) / 2))
    return (
        f"Its {percent(confidence)} interval, {interval.low:.2f} to {interval.high:.2f}, reaches up to that, so the "
        f"test decides nothing: about {max(needed, figure.independent + 1):,} different texts would if the rate stayed."
    )


def _non_inferior(case: GateCase, difference: Difference, p: float, family: int) -> GateFinding:
    better, low, high = _for_the_better(difference, case.lower)
    margin, said = case.gate.margin, _difference_in_words(case, difference)
    # With a margin of 0.02, a standard error of 0.01 and 95% intervals, a difference in accuracy of
    #   +0.010 (-0.010 to +0.030) passes: the whole interval lies above -0.02;
    #   -0.005 (-0.025 to +0.015) is undecided: -0.02 lies within;
    #   -0.045 (-0.065 to -0.025) fails: all of it lies below, and p = 0.0062, which is below 0.025. As the smallest p
    #   of five comparisons it counts as 0.031: undecided.
    strict = (
        low
        if case.look_level is None
        else alpha_spending.stricter_low(better, low, case.spec.evaluation.confidence, case.look_level)
    )
    if strict > -margin:
        return GateFinding(Verdict.PASS, f"{said}.")
    if low > -margin:
        return GateFinding(Verdict.UNDECIDED, f"{said}, {_not_yet(case)} {_cost(case, better, strict, margin)}")
    if high < -margin and p < case.level:
        among = f", p = {p:.2g}" + (f", Holm-adjusted for {family} comparisons" if family > 1 else "")
        return GateFinding(Verdict.FAIL, f"{said}, and it is shown to be worse than that{among}.")
    return GateFinding(Verdict.UNDECIDED, f"{said}, which is not shown. {_cost(case, better, strict, margin)}")


def _beside_others(case: GateCase, alone: GateFinding, pooled: PooledSlice | None) -> GateFinding:
    """What becomes of a slice that its own rows alone leave undecided."""
    if pooled is None or alone.verdict is not Verdict.UNDECIDED or case.compared is None:
        return alone
    better, _, _ = _for_the_better(case.compared, case.lower)
    said, margin = _difference_in_words(case, case.compared), case.gate.margin
    beside = f"beside the other slices by {case.figure.way}"
    together = f"{beside} {pooled.value:+.4f} ({pooled.low:+.4f} to {pooled.high:+.4f})"
    if pooled.stands_out:
        return GateFinding(Verdict.UNDECIDED, f"{alone.reason} It stands out {beside}.")
    if pooled.low > -margin and better > -margin:
        return GateFinding(Verdict.PASS, f"{said}; {together}.")
    return GateFinding(Verdict.UNDECIDED, f"{alone.reason} It comes to {together}.")


def _not_yet(case: GateCase) -> str:
    """Why what one comparison alone would show is not enough."""
    look = case.look
    if look is None or look.level <= 0:
        return "which would be shown if it were the only look at these rows; but nothing is left of their budget."
    return (
        f"which would be shown if it were the only look at these rows; as look {look.number:,} it may err with "
        f"{look.level:.2g} and not {case.level:.2g}."
    )


def _cost(case: GateCase, better: float, low: float, margin: float) -> str:
    """What holding it costs: how many rows, texts or groups would be needed if the difference stayed as it is, and how
    many nights bring them. An interval narrows with the square root of how many are independent."""
    room, half = better + margin, better - low
    if room <= 0 or (math.isfinite(half) and (half / room) ** 2 > MANY):
        return "More rows would hardly help: it is about as much worse as is allowed, or more."
    if not math.isfinite(half):
        return "New test rows bring some back."
    figure = case.figure
    independent = figure.independent * (half / room) ** 2
    digits = 10 ** max(0, math.floor(math.log10(independent)) - 1)
    needed = math.ceil(independent / digits) * digits
    _, such = clusters.units(needed, figure.clustered_by if figure.clusters is not None else None).split(" ")
    return f"About {needed:,} such {such} would be needed if the difference stayed as it is{_nights(case, needed)}."


def _nights(case: GateCase, needed: int) -> str:
    """How many nights bring so many test rows."""
    look = case.look
    if look is None or not look.fresh_a_day or not look.texts:
        return ""
    # Rows come as texts do; those looked at may be copies of one another.
    independent = case.figure.independent
    nights = math.ceil(max(0, needed - independent) / (look.fresh_a_day * independent / look.texts))
    return f": about {nights:,} more night{'s' * (nights != 1)} at {look.fresh_a_day:,.1f} new test texts a day"


def _counted(figure: GateFigure) -> str:
    return clusters.in_words(figure.n, figure.clusters, figure.clustered_by)


def _n(figure: GateFigure) -> str:
    """The rows, and how many of them are independent, as figures in brackets have it."""
    if figure.clusters is None:
        return f"n = {figure.n:,}"
    return f"n = {figure.n:,} of {clusters.units(figure.clusters, figure.clustered_by)}"


def _worse_than_margin(case: GateCase) -> float:
    """The p-value of being worse than the champion by more than the margin."""
    if case.compared is None:
        return 1.0
    better, _, _ = _for_the_better(case.compared, case.lower)
    return p_value(better + case.gate.margin, case.compared.standard_error)


def _for_the_better(difference: Difference, lower: bool) -> tuple[float, float, float]:
    """Value, low and high end, positive where the candidate is better."""
    value, interval = difference.value, difference.interval
    return (-value, -interval.high, -interval.low) if lower else (value, interval.low, interval.high)


def _difference_in_words(case: GateCase, difference: Difference) -> str:
    figure, margin, interval = case.figure, case.gate.margin, difference.interval
    allowed = f"at most {margin:g} worse was allowed" if margin > 0 else "it had to be better"
    allowed = f"it had to be at least {-margin:g} better" if margin < 0 else allowed
    return (
        f"{figure.name} is {figure.value:.4f}, {case.rival} has {figure.champion:.4f}: "
        f"a difference of {difference.value:+.4f} ({percent(case.spec.evaluation.confidence)} interval "
        f"{interval.low:+.4f} to {interval.high:+.4f}, {_n(figure)}); {allowed}"
    )


def _limit(case: GateCase) -> tuple[float | None, str]:
    """The number to reach, and where it comes from; None: there is none, and why."""
    gate, figure = case.gate, case.figure
    if gate.min is not None:
        return gate.min, "the floor"
    if gate.max is not None:
        return gate.max, "the ceiling"
    if gate.versus is None:
        return figure.floor, "the test's own floor"
    margin = gate.margin if case.lower else -gate.margin
    if gate.versus in ("champion", "anchor"):
        if figure.champion is None:
            return None, f"{case.rival} gave no such figure"
        meaning = f"{case.rival} has {figure.champion:.4f}"
        return figure.champion * gate.ratio if gate.ratio else figure.champion + margin, meaning
    if not figure.baselines:
        return None, "no baseline gave such a figure"
    baselines = figure.baselines
    best = (min if case.lower else max)(baselines, key=lambda name: baselines[name])
    return baselines[best] + margin, f"the baseline {best} has {baselines[best]:.4f}"


def _in_words(case: GateCase) -> str:
    gate, name, lower = case.gate, case.figure.name, case.lower
    if gate.versus is None:
        limit, _ = _limit(case)
        return f"{name} at {'most' if lower else 'least'} {'its own floor' if limit is None else f'{limit:g}'}"
    than = f"{'at most' if lower else 'at least'}"
    if gate.ratio is not None:
        return f"{name} {than} {gate.ratio:g} times the champion's"
    margin = f" {'+' if (gate.margin > 0) == lower else '-'} {abs(gate.margin):g}" if gate.margin else ""
    return f"{name} {than} the {gate.versus}'s{margin}"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DECIMALS)
