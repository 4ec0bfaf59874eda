"""Gates: what must hold before a candidate may serve, and the decision that follows."""

import math
from collections.abc import Iterator

from perennial import digest, kinds
from perennial.artifacts import Check, Decision, Evaluation, Metrics, Outcome, Verdict
from perennial.errors import listing
from perennial.spec import GateSpec, PipelineSpec

ROUNDING = 1e-9
"""A figure that misses its limit by less is equal to it: 0.8 - 0.1 is more than 0.7 in floating point."""


def decide(spec: PipelineSpec, evaluation: Evaluation) -> Decision:
    """Every gate of `spec` applied to `evaluation`.

    A failed check rejects the candidate. A check that can't be decided (a metric that is missing or no number, too few
    rows, a champion that can't be judged) holds it: what can't be shown to be good is never promoted.
    """
    checks = tuple(check for gate in spec.gates for check in _checks(spec, gate, evaluation))
    outcome = _outcome(spec, checks, evaluation)
    return Decision(
        digest=digest.of_values(evaluation=evaluation.digest, gates=spec.gates, outcome=outcome, checks=checks),
        outcome=outcome,
        reasons=tuple(_reasons(spec, checks, evaluation)),
        checks=checks,
        champion_version=evaluation.champion_version,
    )


def _outcome(spec: PipelineSpec, checks: tuple[Check, ...], evaluation: Evaluation) -> Outcome:
    verdicts = {check.verdict for check in checks}
    if Verdict.FAIL in verdicts:
        return Outcome.REJECT
    if Verdict.UNDECIDED in verdicts or not checks or any(_obstacles(spec, evaluation)):
        return Outcome.HOLD
    return Outcome.PROMOTE


def _reasons(spec: PipelineSpec, checks: tuple[Check, ...], evaluation: Evaluation) -> Iterator[str]:
    for verdict in (Verdict.FAIL, Verdict.UNDECIDED):
        yield from (check.reason for check in checks if check.verdict is verdict)
    obstacles = tuple(_obstacles(spec, evaluation))
    yield from obstacles
    if not checks and evaluation.champion_version is None:
        yield "No gate applied: all of them compare with a champion, and there is none yet; add a floor (min)."
    if all(check.verdict is Verdict.PASS for check in checks) and checks and not obstacles:
        yield f"All {len(checks)} checks passed on {evaluation.candidate.n:,} test rows."
    if evaluation.champion_version is None and checks:
        yield "There is no champion yet, so there was none to compare with."


def _obstacles(spec: PipelineSpec, evaluation: Evaluation) -> Iterator[str]:
    """What keeps a candidate from being promoted whatever its figures are, in words."""
    version = evaluation.champion_version
    if evaluation.champion_problem is not None:
        yield f"The champion, version {version}, can't be judged: {evaluation.champion_problem}"
    if gone := [label for label in evaluation.dropped_labels if label not in spec.registry.allow_dropped_labels]:
        yield (
            f"The champion, version {version}, knows {listing(map(repr, gone))}, which data.labels lacks: whoever "
            "waits for that would wait for ever. If it is meant, name it in registry.allow_dropped_labels."
        )
    floors = any(gate.per == "label" and gate.min is not None for gate in spec.gates)
    if evaluation.new_labels and not floors:
        yield (
            f"New in data.labels: {listing(map(repr, evaluation.new_labels))}. The champion has no figure to compare "
            "with, and no gate sets a floor. Add one, such as {metric: recall, per: label, min: 0.7}."
        )


def _checks(spec: PipelineSpec, gate: GateSpec, evaluation: Evaluation) -> Iterator[Check]:
    if gate.versus == "champion" and evaluation.champion_version is None:
        return
    for label in spec.data.labels if gate.per == "label" else [None]:
        if gate.versus == "champion" and label in evaluation.new_labels:
            continue  # the champion has no such figure; floors judge it, and _obstacles sees to it that there is one
        yield _check(spec, gate, evaluation, label)


def _check(spec: PipelineSpec, gate: GateSpec, evaluation: Evaluation, label: str | None) -> Check:
    candidate = evaluation.candidate
    if gate.versus == "champion" and evaluation.shared is not None:
        candidate = evaluation.shared
    value, n = _value(candidate, gate.metric, label), _rows(candidate, label)
    lower = gate.metric in kinds.get(spec.kind).lower_is_better
    limit, meaning = _limit(gate, evaluation, label, lower)
    name = f"{gate.metric} of {label!r}" if label is not None else gate.metric
    if value is None:
        verdict, reason = Verdict.UNDECIDED, f"{name} could not be measured (n = {n:,})."
    elif n < gate.min_n:
        verdict, reason = Verdict.UNDECIDED, f"{name} has {n:,} test rows, {gate.min_n:,} are needed to judge it."
    elif limit is None:
        verdict, reason = Verdict.UNDECIDED, f"{name} has nothing to be compared with: {meaning}."
    else:
        at_most = gate.max is not None or (gate.versus is not None and lower)
        passed = value <= limit + ROUNDING if at_most else value >= limit - ROUNDING
        verdict = Verdict.PASS if passed else Verdict.FAIL
        relation = "at most" if at_most else "at least"
        reason = f"{name} is {value:.4f}, {relation} {limit:.4f} was required ({meaning}, n = {n:,})."
    return Check(
        gate=_in_words(gate, name, lower),
        metric=gate.metric,
        label=label,
        value=value,
        limit=limit,
        n=n,
        verdict=verdict,
        reason=reason,
    )


def _limit(gate: GateSpec, evaluation: Evaluation, label: str | None, lower: bool) -> tuple[float | None, str]:
    """The number to reach, and where it comes from; None: there is none, and why."""
    if gate.min is not None:
        return gate.min, "the floor"
    if gate.max is not None:
        return gate.max, "the ceiling"
    margin = gate.margin if lower else -gate.margin
    if gate.versus == "champion":
        reference = _value(evaluation.champion, gate.metric, label) if evaluation.champion else None
        if reference is None:
            return None, f"champion version {evaluation.champion_version} gave no such figure"
        return reference + margin, f"champion version {evaluation.champion_version} has {reference:.4f}"
    figures = {name: _value(metrics, gate.metric, label) for name, metrics in evaluation.baselines.items()}
    known = {name: value for name, value in figures.items() if value is not None}
    if not known:
        return None, "no baseline gave such a figure"
    best = (min if lower else max)(known, key=lambda name: known[name])
    return known[best] + margin, f"the baseline {best} has {known[best]:.4f}"


def _value(metrics: Metrics, name: str, label: str | None) -> float | None:
    figures = metrics.values if label is None else metrics.per_label.get(label, {})
    value = figures.get(name)
    return value if value is not None and math.isfinite(value) else None


def _rows(metrics: Metrics, label: str | None) -> int:
    return metrics.n if label is None else metrics.support.get(label, 0)


def _in_words(gate: GateSpec, name: str, lower: bool) -> str:
    if gate.min is not None:
        return f"{name} at least {gate.min:g}"
    if gate.max is not None:
        return f"{name} at most {gate.max:g}"
    than = f"{'at most' if lower else 'at least'} the {gate.versus}'s"
    margin = f" {'+' if (gate.margin > 0) == lower else '-'} {abs(gate.margin):g}" if gate.margin else ""
    return f"{name} {than}{margin}"
