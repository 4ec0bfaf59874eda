"""Which figures a gate is about, wherever in an evaluation they are."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from statistics import NormalDist

from perennial import kinds
from perennial.core.errors import listing
from perennial.evaluation import slices
from perennial.metrics import clusters, gate_metrics
from perennial.metrics.near_copy_figures import NEAR_COPIES
from perennial.records.data import AnnotatorAgreement
from perennial.records.evaluation import (
    Comparison,
    Difference,
    Evaluation,
    LostEnds,
    Metrics,
    NearCopies,
    ServingFigures,
)
from perennial.records.faithfulness import Faithfulness
from perennial.records.interval import Interval
from perennial.settings.gates import GateSpec
from perennial.settings.pipeline import PipelineSpec


@dataclass(frozen=True)
class GateFigure:
    """One figure of the candidate, and what it can be held against."""

    name: str
    """In words, for example recall of 'positive'."""
    value: float | None
    """None: not known; never infinite."""
    n: int
    clusters: int | None = None
    """How many of these are independent; None: each is."""
    clustered_by: str | None = None
    interval: Interval | None = None
    label: str | None = None
    subject: str | None = None
    difference: Difference | None = None
    """To the champion's, on the same rows."""
    champion: float | None = None
    baselines: Mapping[str, float] = field(default_factory=dict)
    floor: float | None = None
    """Its own, where the gate names none."""
    way: str | None = None
    """Of a slice: what its rows were told apart by; None: it is no slice, or one by itself."""
    of_all: Difference | None = None
    """Of a slice: the difference on all rows."""
    rival: str | None = None
    """Whom `difference` and `champion` are about, if it is not the champion, in words."""
    missing: str = ""
    """Why there is no value, if more is known than that."""

    @property
    def independent(self) -> int:
        """How many rows, texts, groups or cases are independent."""
        return self.n if self.clusters is None else self.clusters


def figures_of(gate: GateSpec, evaluation: Evaluation, spec: PipelineSpec) -> Iterator[GateFigure]:
    """The figures that `gate` is about.

    None where it compares with a champion and there is none yet. Where something else is missing, a figure without a
    value stands for it, so that nothing is passed in silence.
    """
    compares = gate.versus in ("champion", "anchor") or gate.metric == gate_metrics.NEGATIVE_FLIPS
    if compares and evaluation.champion_version is None:
        return
    sources = {"label": _labels, "slice": _slices, "behaviour": _behaviours, "group": _groups}
    if gate.slice is not None:
        yield from _slices(gate, evaluation, spec)
    elif gate.versus == "anchor":
        yield _beside_anchor(gate, evaluation)
    elif gate.per is not None:
        yield from sources[gate.per](gate, evaluation, spec)
    elif gate.metric in gate_metrics.SERVING or gate.metric in gate_metrics.STABILITY:
        yield _serving(gate, evaluation)
    elif gate.metric == gate_metrics.NEGATIVE_FLIPS:
        yield _flips(gate, evaluation.comparison, spec, None)
    elif gate.metric == gate_metrics.NEAR_COPY_RATE:
        yield _near_copies(evaluation.near_copies, spec)
    elif gate.metric == gate_metrics.AGREEMENT:
        yield _agreement(evaluation.agreement)
    elif gate.metric == gate_metrics.FAITHFULNESS:
        yield _faithfulness(evaluation.faithfulness)
    elif gate.metric == gate_metrics.LOST_ENDS:
        yield _lost_ends(evaluation.lost_ends, spec)
    else:
        yield _overall(gate, evaluation, None)


def _overall(gate: GateSpec, evaluation: Evaluation, label: str | None) -> GateFigure:
    candidate = evaluation.candidate
    if gate.versus == "champion" and evaluation.shared is not None:
        candidate = evaluation.shared
    comparison = evaluation.comparison or Comparison(n=0, values={})
    intervals = candidate.intervals if label is None else candidate.label_intervals.get(label, {})
    differences = comparison.values if label is None else comparison.per_label.get(label, {})
    figures = {name: _value(metrics, gate.metric, label) for name, metrics in evaluation.baselines.items()}
    return GateFigure(
        name=gate.metric if label is None else f"{gate.metric} of {label!r}",
        value=_value(candidate, gate.metric, label),
        n=candidate.n if label is None else candidate.support.get(label, 0),
        clusters=candidate.clusters if label is None else candidate.label_clusters.get(label),
        clustered_by=candidate.clustered_by,
        interval=intervals.get(gate.metric),
        label=label,
        difference=_finite(differences.get(gate.metric)),
        champion=_value(evaluation.champion, gate.metric, label) if evaluation.champion else None,
        baselines={name: value for name, value in figures.items() if value is not None},
    )


def _beside_anchor(gate: GateSpec, evaluation: Evaluation) -> GateFigure:
    anchor, name = evaluation.anchor, gate.metric
    if anchor is None:
        return GateFigure(name, None, 0, missing="no anchor was asked in this run")
    if anchor.problem is not None:
        missing = f"the anchor, version {anchor.version}, can't be judged: {anchor.problem.rstrip('.')}"
        return GateFigure(name, None, evaluation.candidate.n, missing=missing, rival=f"anchor version {anchor.version}")
    candidate, comparison = anchor.candidate or evaluation.candidate, anchor.comparison
    return GateFigure(
        name=name,
        value=_value(candidate, name, None),
        n=candidate.n,
        interval=candidate.intervals.get(name),
        difference=_finite(comparison.values.get(name)) if comparison else None,
        champion=_value(anchor.metrics, name, None) if anchor.metrics else None,
        rival=f"anchor version {anchor.version}",
    )


def _labels(gate: GateSpec, evaluation: Evaluation, spec: PipelineSpec) -> Iterator[GateFigure]:
    for label in spec.data.labels:
        # The champion has no such figure of a new label. Floors judge it, and a decision needs one.
        if not (gate.versus == "champion" and label in evaluation.new_labels):
            yield _overall(gate, evaluation, label)


def _slices(gate: GateSpec, evaluation: Evaluation, spec: PipelineSpec) -> Iterator[GateFigure]:
    every = [one for one in evaluation.slices if one.by != NEAR_COPIES]
    chosen = every if gate.slice is None else [one for one in evaluation.slices if one.name == gate.slice]
    if not chosen:
        there = f"there are: {listing((repr(one.name) for one in evaluation.slices), 12)}"
        missing = f"there is no such slice; {there if evaluation.slices else 'there are no slices'}"
        yield GateFigure(
            f"{gate.metric} of slice {gate.slice or 'any'!r}", None, 0, subject=gate.slice, missing=missing
        )
    for one in chosen:
        if gate.metric == gate_metrics.NEGATIVE_FLIPS:
            yield _flips(gate, one.comparison, spec, one.name)
            continue
        yield GateFigure(
            name=f"{gate.metric} of slice {one.name!r}",
            value=_value(one.candidate, gate.metric, None),
            n=one.candidate.n,
            clusters=one.candidate.clusters,
            clustered_by=one.candidate.clustered_by,
            interval=one.candidate.intervals.get(gate.metric),
            subject=one.name,
            way=one.by if one.by != slices.EXPRESSION else None,
            of_all=_finite(evaluation.comparison.values.get(gate.metric)) if evaluation.comparison else None,
            difference=_finite(one.comparison.values.get(gate.metric)) if one.comparison else None,
            champion=_value(one.champion, gate.metric, None) if one.champion else None,
        )


def _behaviours(gate: GateSpec, evaluation: Evaluation, spec: PipelineSpec) -> Iterator[GateFigure]:
    rivals = {test.name: _share(test.passed, test.n, spec)[0] for test in evaluation.champion_behaviours}
    for test in evaluation.behaviours:
        value, interval = _share(test.passed, test.n, spec, test.effective_n)
        yield GateFigure(
            name=f"{gate.metric} of test {test.name!r}",
            value=value,
            n=test.n,
            clusters=test.clusters,
            clustered_by=None if test.clusters is None else "text",
            interval=interval,
            subject=test.name,
            champion=rivals.get(test.name),
            floor=test.min_pass_rate,
        )
    if not evaluation.behaviours:
        yield GateFigure(f"{gate.metric} of any test", None, 0, missing="there are no behavioural tests")


def _groups(gate: GateSpec, evaluation: Evaluation, spec: PipelineSpec) -> Iterator[GateFigure]:
    for group in evaluation.fairness:
        value, interval = _share(group.flips, group.n, spec, group.effective_n)
        if gate.metric == gate_metrics.SCORE_SHIFT:
            value, interval = _number(group.mean_shift) if group.n else None, None
        together = None if group.clusters is None else "text"
        name = f"{gate.metric} of {group.group}"
        yield GateFigure(name, value, group.n, group.clusters, together, interval, subject=group.group)
    if not evaluation.fairness:
        yield GateFigure(f"{gate.metric} of any group", None, 0, missing="nothing was swapped in the test rows")


def _serving(gate: GateSpec, evaluation: Evaluation) -> GateFigure:
    serving, rival = evaluation.serving, evaluation.champion_serving
    return GateFigure(
        name=gate.metric,
        value=_cost(serving, gate.metric) if serving else None,
        n=serving.n if serving else 0,
        champion=_cost(rival, gate.metric) if rival else None,
        missing="" if serving else "serving was not measured in this run",
    )


def _cost(serving: ServingFigures, metric: str) -> float | None:
    if metric == gate_metrics.BATCH_FLIPS:
        return serving.batch_flip_rate
    if metric == gate_metrics.PADDING_FLIPS:
        return serving.padding_flips / serving.n if serving.n else None
    return _number(getattr(serving, metric))


def _near_copies(counted: NearCopies | None, spec: PipelineSpec) -> GateFigure:
    name = gate_metrics.NEAR_COPY_RATE
    if counted is None:
        return GateFigure(name, None, 0, missing="near copies were not looked for in this run")
    value, interval = _share(counted.near, counted.test, spec)
    return GateFigure(name, value, counted.test, interval=interval)


def _agreement(agreement: AnnotatorAgreement | None) -> GateFigure:
    name = "agreement (Krippendorff's alpha) of the people who gave the labels"
    if agreement is None or agreement.alpha is None:
        why = (
            "no text was labelled by more than one person" if agreement is None else "all gave one and the same answer"
        )
        return GateFigure(name, None, agreement.texts if agreement else 0, missing=why)
    interval = Interval(low=agreement.low or 0.0, high=agreement.high or 0.0)
    return GateFigure(name, agreement.alpha, agreement.texts, interval=interval)


def _faithfulness(measured: Faithfulness | None) -> GateFigure:
    name = f"{gate_metrics.FAITHFULNESS} of explanations"
    if measured is None or measured.value is None:
        why = "explanations were not measured in this run" if measured is None else measured.sentence.rstrip(".")
        return GateFigure(name, None, 0, missing=why)
    return GateFigure(name, _number(measured.value), measured.n, interval=measured.interval)


def _lost_ends(lost: LostEnds | None, spec: PipelineSpec) -> GateFigure:
    test = lost.splits.get("test") if lost else None
    if test is None:
        return GateFigure(gate_metrics.LOST_ENDS, None, 0, missing="how long the rows are was not measured")
    value, interval = _share(test.cut, test.rows, spec)
    return GateFigure(gate_metrics.LOST_ENDS, value, test.rows, interval=interval)


def _flips(gate: GateSpec, comparison: Comparison | None, spec: PipelineSpec, part: str | None) -> GateFigure:
    name = gate.metric if part is None else f"{gate.metric} of slice {part!r}"
    if comparison is None or comparison.negative_flips is None:
        return GateFigure(name, None, 0, subject=part, missing="candidate and champion were not compared row by row")
    value, interval = _share(comparison.negative_flips, comparison.n, spec, comparison.effective_n)
    independent = comparison.clusters, comparison.clustered_by
    return GateFigure(name, value, comparison.n, *independent, interval, subject=part)


def _share(
    count: int, n: int, spec: PipelineSpec, effective: float | None = None
) -> tuple[float | None, Interval | None]:
    """A share and its interval, as of `effective` independent rows (None: `n`); None: of nothing."""
    if not n:
        return None, None
    low, high = clusters.wilson(count, n, effective, NormalDist().inv_cdf((1 + spec.evaluation.confidence) / 2))
    return count / n, Interval(low=low, high=high)


def _value(metrics: Metrics, name: str, label: str | None) -> float | None:
    return _number((metrics.values if label is None else metrics.per_label.get(label, {})).get(name))


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _finite(difference: Difference | None) -> Difference | None:
    if difference is None:
        return None
    parts = (difference.value, difference.interval.low, difference.interval.high, difference.standard_error)
    return difference if all(map(math.isfinite, parts)) else None


def lower_is_better(spec: PipelineSpec, metric: str) -> bool:
    """Which way `metric` is better."""
    return metric in kinds.kind_named(spec.kind).lower_is_better | gate_metrics.LOWER_IS_BETTER
