"""What is wrong with a pipeline's gates, seen when pipeline.yaml is read and not an hour into training."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from perennial.metrics import gate_metrics

if TYPE_CHECKING:
    from perennial.kinds.protocols import Kind, Problem
    from perennial.settings.gates import GateSpec
    from perennial.settings.pipeline import PipelineSpec


def metric_problems(kind: Kind, spec: PipelineSpec) -> Iterator[Problem]:
    """Gates on metrics that `kind` does not have, or that ask for what a metric can't give."""
    for index, gate in enumerate(spec.gates):
        problem = _unknown(kind, gate) or _misused(kind, gate)
        if problem:
            setting, text = problem
            yield ("gates", index, setting), text


def _unknown(kind: Kind, gate: GateSpec) -> tuple[str, str] | None:
    metrics = _known(kind, gate)
    if gate.metric in metrics:
        return None
    scope = f" per {gate.per}" if gate.per else " of a slice" if gate.slice else ""
    near = difflib.get_close_matches(gate.metric, metrics, 1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    there = f"There are: {', '.join(metrics)}" if metrics else "There are none"
    return "metric", f"{gate.metric!r} is no metric{scope} of {kind.name}; {hint}{there}"


def _known(kind: Kind, gate: GateSpec) -> tuple[str, ...]:
    flips = (gate_metrics.NEGATIVE_FLIPS,) if kind.right_or_wrong else ()
    if gate.per == "slice" or gate.slice is not None:
        return (*(metric for metric in kind.metrics if metric not in kind.not_resampled), *flips)
    of_each = {"label": kind.label_metrics, "behaviour": gate_metrics.BEHAVIOURS, "group": gate_metrics.GROUPS}
    return of_each.get(
        gate.per or "",
        (
            *(*kind.metrics, *flips, *gate_metrics.STABILITY, *gate_metrics.SERVING),
            *(gate_metrics.FAITHFULNESS, *gate_metrics.OF_DATA),
        ),
    )


def _misused(kind: Kind, gate: GateSpec) -> tuple[str, str] | None:
    metric, lower = gate.metric, gate.metric in kind.lower_is_better | gate_metrics.LOWER_IS_BETTER
    if gate.min is not None and lower:
        return "min", f"{metric!r} is better the lower it is, so a floor would refuse the good ones; say max"
    if gate.max is not None and not lower:
        return "max", f"{metric!r} is better the higher it is, so a ceiling would refuse the good ones; say min"
    if gate.versus is not None and metric in gate_metrics.ONLY_MAX:
        return "versus", f"{metric!r} is not compared with another model's; say max"
    if gate.versus is not None and metric == gate_metrics.AGREEMENT:
        return "versus", f"{metric!r} is of the people who gave the labels, not of a model; say min"
    if gate.versus is not None and metric == gate_metrics.FAITHFULNESS:
        return "versus", f"{metric!r} is not compared with another model's; say min"
    if gate.versus == "baseline" and (
        metric in {*gate_metrics.SERVING, gate_metrics.PASS_RATE} or gate.per == "slice" or gate.slice is not None
    ):
        return "versus", f"there is no such figure of the baselines for {metric!r} to be compared with"
    if gate.versus == "anchor" and metric in gate_metrics.SERVING:
        return "versus", f"{metric!r} is not measured for the anchor; say versus: champion, and a ratio"
    if gate.versus == "champion" and metric in gate_metrics.SERVING and gate.ratio is None:
        return "versus", f"{metric!r} is compared as a ratio; add one, such as ratio: 1.5"
    if gate.ratio is not None and metric not in gate_metrics.SERVING:
        return "ratio", f"ratio goes with {', '.join(gate_metrics.SERVING)}; {metric!r} is compared with a margin"
    if gate.versus in ("champion", "anchor") and metric in kind.not_resampled:
        where = "a ceiling (max)" if lower else "a floor (min)"
        return (
            "versus",
            f"{metric!r} has no confidence interval to compare it with the {gate.versus} by; set {where}",
        )
    return None
