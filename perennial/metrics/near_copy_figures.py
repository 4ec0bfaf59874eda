"""Test rows that are near copies of train rows: what their slices are called, and what is said of them."""

from __future__ import annotations

from collections.abc import Iterator

from perennial.records.evaluation import Evaluation, Metrics

NEAR_COPIES = "near copies"
"""By which these slices tell test rows apart. They are no kinds of rows, so no gate per slice asks for them."""
NONE = f"{NEAR_COPIES}: none"
NEAR = f"{NEAR_COPIES}: of a train row"
SHARED = f"{NEAR_COPIES}: one text of a train row"


def without_copies(evaluation: Evaluation) -> Metrics | None:
    """The candidate's figures on the test rows that are no near copies; None: nobody looked."""
    return next((one.candidate for one in evaluation.slices if one.name == NONE), None)


def sentences(metric: str, evaluation: Evaluation) -> Iterator[str]:
    """How many test rows are near copies of train rows, and what `metric` is without them; none where there are none,
    or nobody looked."""
    counted = evaluation.near_copies
    if counted is None:
        return
    if counted.near:
        near = f"{counted.near:,} of {counted.test:,} test rows are near copies of train rows"
        yield f"{near}; {_without(metric, evaluation)}"
    elif counted.shared:
        shared = f"{counted.shared:,} of {counted.test:,} test rows share one text with a train row"
        yield f"{shared}; {_without(metric, evaluation)}"


def _without(metric: str, evaluation: Evaluation) -> str:
    rows = without_copies(evaluation)
    if rows is None or not rows.n:
        return "there are no others."
    value, interval = rows.values.get(metric), rows.intervals.get(metric)
    shown = "not known" if value is None else f"{value:.4f}"
    between = f"{interval.low:.3f} to {interval.high:.3f}, " if interval else ""
    return f"{metric} without them: {shown} ({between}n = {rows.n:,})."
