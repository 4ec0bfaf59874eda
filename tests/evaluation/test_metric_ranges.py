"""No interval goes beyond what a metric can be, nor a difference's beyond what two such numbers can differ."""

import math
import random
from typing import Any

import pytest

from perennial import kinds
from perennial.evaluation.comparison import ComparedRows, Rivals, Sums
from perennial.metrics.ranges import RANGES
from perennial.settings.evaluation import EvaluationSpec

LABELS = ("a", "b", "c")
SETTINGS = EvaluationSpec(resamples=1000)


def _scores(sure: dict[str, float]) -> dict[str, float]:
    return {label: sure.get(label, 0.01) for label in LABELS}


def _answers(kind: str, targets: list[Any], right: bool) -> list[Any]:
    """Answers that are all right and sure of it, or all wrong."""
    if kind == "regression":
        return [{"value": target if right else target + 100} for target in targets]
    if kind == "token-classification":
        return [{"spans": [span | {"score": 0.9} for span in target] if right else []} for target in targets]
    if kind == "multi-label":
        chosen = [target if right else ["c"] for target in targets]
        return [{"labels": one, "scores": _scores(dict.fromkeys(one, 0.99))} for one in chosen]
    labels = [target if right else "c" for target in targets]
    return [{"label": one, "score": 0.98, "scores": _scores({one: 0.98})} for one in labels]


def _targets(kind: str, count: int) -> list[Any]:
    draw = random.Random(count)  # noqa: S311 - not for secrets
    if kind == "regression":
        return [draw.gauss(0, 1) for _ in range(count)]
    if kind == "token-classification":
        return [[{"start": 0, "end": 2, "label": "ab"[number % 2]}] for number in range(count)]
    single = ["ab"[number % 2] for number in range(count)]
    return [[one] for one in single] if kind == "multi-label" else single


@pytest.mark.parametrize("kind", kinds.names())
@pytest.mark.parametrize("count", [2, 5, 13])
def test_intervals_end_where_metrics_do(kind: str, count: int) -> None:
    task = kinds.kind_named(kind)
    targets = _targets(kind, count)
    ids = [str(number) for number in range(count)]
    rows = ComparedRows(task, LABELS if task.label_metrics else (), ids, targets, SETTINGS)
    good, bad = (_answers(kind, targets, right) for right in (True, False))
    for answers in (good, bad, [*good[:1], *bad[1:]]):
        measured = Sums.of(rows, rows.metric_sums(answers)).with_intervals(rows.measure(answers))
        assert measured.intervals
        per_label = [entry for each in measured.label_intervals.values() for entry in each.items()]
        for name, interval in [*measured.intervals.items(), *per_label]:
            low, high = (0.0, 1.0) if (kind, name) == ("multi-label", "brier") else RANGES[name]
            assert low <= interval.low <= interval.high <= high, (name, interval)
    for one, other in ((good, bad), (bad, good)):
        for name, difference in Rivals(rows, one, other).compare().values.items():
            low, high = RANGES[name]
            if math.isfinite(high - low):
                assert low - high <= difference.interval.low <= difference.interval.high <= high - low, name


def test_every_kind_s_metrics_have_a_range() -> None:
    for name in kinds.names():
        task = kinds.kind_named(name)
        assert {*task.metrics, *task.label_metrics} <= set(RANGES)
