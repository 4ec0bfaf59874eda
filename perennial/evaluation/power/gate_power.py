"""Which gates these test rows can decide: from the rows, and from how champion and candidate differed last."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from perennial import kinds
from perennial.core import progress
from perennial.core.percent import percent
from perennial.core.record import Record
from perennial.evaluation import slices
from perennial.evaluation.judged_rows import independence
from perennial.evaluation.power.power_curve import PlannedComparison, joint_power, times_needed
from perennial.metrics import clusters
from perennial.metrics.clusters import GROUP, Clusters
from perennial.records.evaluation import Comparison, Difference, Evaluation
from perennial.rows.columns import ROW_ID, TEXT_KEY, TIME
from perennial.settings.gates import GateSpec
from perennial.settings.pipeline import PipelineSpec

if TYPE_CHECKING:
    import pyarrow as pa

DISAGREEMENT = 0.08
"""Share of rows on which two models are taken to differ, one right and one wrong, where none were compared yet."""
ALIKE = 0.1
"""How alike rows of a group are taken to be (intra-cluster correlation) where it is not known."""
SHARES = frozenset({"accuracy", "exact_match", "micro_f1", "recall", "micro_recall"})
"""Metrics that are shares of rows, or nearly: their difference varies as that of shares does."""
Z2 = 1.96**2
FEW = 30
"""Independent rows below which a floor or ceiling, which goes by the figure alone, is little more than chance."""


class GatePower(Record):
    """What the test rows can decide of one gate."""

    gate: str
    """In words."""
    checks: int
    """Figures that it is about."""
    n: int
    """Test rows of the smallest of them that would be judged."""
    clusters: int | None = None
    """How many of these are independent; None: each is."""
    clustered_by: str | None = None
    power: float | None = None
    """The probability that a candidate as good as what it is compared with, champion or anchor, passes all of its
    checks; None: it is not known."""
    needed: int | None = None
    """Independent test rows in all with which that is 0.8; None: not known, or no number of rows."""
    assumed: bool = False
    """Whether how much the models differ is assumed, as no two were compared yet."""
    reason: str
    """All of it in a sentence."""
    is_enough: bool
    """Whether the rows are enough for what the gate asks."""


@dataclass(frozen=True)
class _Subject:
    """Test rows that a gate is about."""

    name: str
    inside: np.ndarray
    known: Difference | None = None
    """Of champion and an earlier model in this figure."""
    known_rows: float = 0.0
    way: str | None = None


@dataclass(frozen=True)
class PlannedTest:
    """The test rows as they are before a training, and what was found when the champion was judged."""

    spec: PipelineSpec
    rows: pa.Table
    """With the columns of `columns_needed`."""
    champion: Evaluation | None
    """What the champion's own run found; None: there is no champion, or that is not known."""

    @cached_property
    def together(self) -> Clusters:
        """Which rows belong together."""
        return independence.clusters_of_rows(self.spec, self.rows)

    @cached_property
    def slices(self) -> dict[str, np.ndarray]:
        """Which rows are in each slice (bool)."""
        with progress.heard_by(progress.Silent()):
            return slices.memberships(self.spec, self.rows)

    def independent(self, inside: np.ndarray) -> int:
        """How many independent rows are inside: as `min_n` counts them."""
        return self.together.inside(inside).count()

    def effective(self, inside: np.ndarray) -> float:
        """How many rows tell as much as these, which are not all independent."""
        here, rows = self.together.inside(inside), int(inside.sum())
        alike = {name: ALIKE if name == GROUP else 1.0 for name in here.numbers}
        effects = [
            1 + alike[name] * (rows / clusters.effective_clusters(way) - 1) for name, way in here.numbers.items()
        ]
        return rows / max(effects) if rows else 0.0


def columns_needed(spec: PipelineSpec) -> list[str]:
    """The canonical columns that `PlannedTest.rows` must have."""
    columns = kinds.kind_named(spec.kind).column_types()
    return list(dict.fromkeys([ROW_ID, TEXT_KEY, TIME, *columns, *spec.data.columns.kept]))


def power_of_gates(test: PlannedTest) -> tuple[GatePower, ...]:
    """What the rows can decide of each gate that is about figures on test rows."""
    return tuple(power for gate in test.spec.gates if (power := _power(test, gate)) is not None)


def _power(test: PlannedTest, gate: GateSpec) -> GatePower | None:
    kind = kinds.kind_named(test.spec.kind)
    if gate.metric not in {*kind.metrics, *kind.label_metrics} or gate.per in {"behaviour", "group"}:
        return None
    subjects = [one for one in _subjects(test, gate) if gate.small == "hold" or _judged(test, gate, one)]
    if not subjects:
        return None
    smallest = min(subjects, key=lambda one: test.independent(one.inside))
    power = _counted(test, gate, subjects, smallest)
    if gate.versus in {"champion", "anchor"}:
        return _compared(test, gate, subjects, power)
    return _by_figure(gate, smallest, power)


def _judged(test: PlannedTest, gate: GateSpec, subject: _Subject) -> bool:
    return test.independent(subject.inside) >= gate.min_n


def _counted(test: PlannedTest, gate: GateSpec, subjects: list[_Subject], smallest: _Subject) -> GatePower:
    here = test.together.inside(smallest.inside)
    alone = here.each_alone()
    return GatePower(
        gate=_in_words(gate),
        checks=len(subjects),
        n=int(smallest.inside.sum()),
        clusters=None if alone else here.count(),
        clustered_by=None if alone else here.unit,
        reason="",
        is_enough=True,
    )


def _subjects(test: PlannedTest, gate: GateSpec) -> Iterator[_Subject]:
    comparison = test.champion.comparison if test.champion else None
    if gate.per == "label":
        for label in test.spec.data.labels:
            inside = test.slices.get(f"{slices.LABEL}={label}", np.zeros(test.rows.num_rows, bool))
            last = comparison.per_label.get(label, {}).get(gate.metric) if comparison else None
            support = test.champion.candidate.support.get(label, 0) if test.champion else 0
            yield _Subject(repr(label), inside, last, float(support))
    elif gate.per == "slice" or gate.slice is not None:
        judged = {one.name: one.comparison for one in test.champion.slices} if test.champion else {}
        for name, inside in test.slices.items():
            if gate.slice in (None, name):
                way = slices.slice_dimension(test.spec, name)
                leans = gate.slices == "pooled" and way != slices.EXPRESSION
                yield replace(_known(judged.get(name), name, inside, gate), way=way if leans else None)
    else:
        yield _known(comparison, "all test rows", np.ones(test.rows.num_rows, bool), gate)


def _known(comparison: Comparison | None, name: str, inside: np.ndarray, gate: GateSpec) -> _Subject:
    if comparison is None:
        return _Subject(name, inside)
    rows = comparison.effective_n or comparison.clusters or comparison.n
    return _Subject(name, inside, comparison.values.get(gate.metric), float(rows))


def _compared(test: PlannedTest, gate: GateSpec, subjects: list[_Subject], power: GatePower) -> GatePower:
    counted = clusters.in_words(power.n, power.clusters, power.clustered_by)
    assumed = any(one.known is None or not one.known_rows for one in subjects)
    variances = [_variance(one, gate) for one in subjects]
    about = f"{power.gate}: {power.checks:,} figures, the smallest of" if power.checks > 1 else f"{power.gate}: on"
    if few := [one for one in subjects if not _judged(test, gate, one)]:
        said = f"{about} {counted}: {few[0].name} has fewer than min_n ({gate.min_n:,}), which holds every candidate."
        return power.model_copy(update={"power": 0.0, "reason": said, "is_enough": False})
    planned = [
        PlannedComparison(test.effective(one.inside), variance, one.way)
        for one, variance in zip(subjects, variances, strict=True)
        if variance is not None
    ]
    if len(planned) < len(subjects):
        said = f"{about} {counted}: how much two models differ in it is known once two were compared."
        return power.model_copy(update={"reason": said})
    confidence = test.spec.evaluation.confidence
    chance, times = joint_power(planned, gate.margin, confidence), times_needed(planned, gate.margin, confidence)
    everyone = np.ones(test.rows.num_rows, bool)
    needed = None if times is None else _rounded(test.independent(everyone) * times)
    is_enough = times == 1.0
    basis = f" (if two models differ on {percent(DISAGREEMENT)} of them)" if assumed else ""
    said = f"{about} {counted}: {_percent(chance)} of candidates as good as the {gate.versus} would pass{basis}."
    said += "" if is_enough else _what_helps(test, gate, subjects, needed)
    return power.model_copy(
        update={"power": chance, "needed": needed, "assumed": assumed, "is_enough": is_enough, "reason": said}
    )


def _what_helps(test: PlannedTest, gate: GateSpec, subjects: list[_Subject], needed: int | None) -> str:
    unit = None if test.together.each_alone() else test.together.unit
    if needed is None:
        helps = " No number of rows is enough: it asks for a candidate that is shown to be better."
        return helps if gate.margin <= 0 else " No number of rows at hand would be enough; a wider margin would."
    helps = f" About {clusters.units(needed, unit)} to test on would do for 80%, or a wider margin"
    if gate.per == "slice" and gate.slices == "each" and len(subjects) > 1:
        return f"{helps}, or `slices: pooled`, by which a slice may lean on the others."
    return f"{helps}."


def _by_figure(gate: GateSpec, smallest: _Subject, power: GatePower) -> GatePower:
    independent = power.n if power.clusters is None else power.clusters
    counted = clusters.in_words(power.n, power.clusters, power.clustered_by)
    said = f"{power.gate}: goes by the figure itself, {smallest.name} of {counted}."
    if independent < max(FEW, gate.min_n):
        said += (
            f" A few rows decide it: min_n: {FEW} would hold a candidate until there are more."
            if independent >= gate.min_n
            else f" That is fewer than min_n ({gate.min_n:,}), which holds every candidate."
        )
    return power.model_copy(update={"reason": said, "is_enough": independent >= max(FEW, gate.min_n)})


def _variance(subject: _Subject, gate: GateSpec) -> float | None:
    """Of one independent row's part in the difference; None: it is not known, and can't be taken to be a share's."""
    if subject.known is not None and subject.known_rows:
        # Less what the imagined rows of the bootstrap add, which is not of these rows.
        return max(subject.known.standard_error**2 * subject.known_rows - Z2 / subject.known_rows, 0.0)
    return DISAGREEMENT if gate.metric in SHARES else None


def _in_words(gate: GateSpec) -> str:
    about = f" per {gate.per}" if gate.per else f" of slice {gate.slice!r}" if gate.slice else ""
    if gate.versus is None:
        limit = f"at least {gate.min:g}" if gate.min is not None else f"at most {gate.max:g}"
        return f"{gate.metric}{about} {limit}"
    return f"{gate.metric}{about} versus {gate.versus}, margin {gate.margin:g}"


def _percent(share: float) -> str:
    return percent(share, 1 if share < 0.1 else 0)


def _rounded(rows: float) -> int:
    digits = int(10 ** max(0, math.floor(math.log10(max(rows, 1))) - 1))
    return math.ceil(rows / digits) * digits
