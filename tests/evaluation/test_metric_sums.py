"""Metrics made of sums over rows are the metrics that `measure` finds, whatever the kind and the rows."""

import random
from typing import Any

import numpy as np
import pytest

from perennial import kinds
from perennial.metrics.sums import paired

LABELS = ("a", "b", "c")
Answers = list[dict[str, Any]]


def rows_of(kind: str, count: int, seed: int) -> tuple[list[Any], Answers]:
    """Targets and answers of `count` rows, some right, some wrong; of `c` there may be none."""
    draw = random.Random(seed)  # noqa: S311 - not for secrets
    makers = {"multi-label": _several, "token-classification": _spans, "regression": _number}
    pairs = [makers.get(kind, _one)(draw) for _ in range(count)]
    return [target for target, _ in pairs], [answer for _, answer in pairs]


def _one(draw: random.Random) -> tuple[str, dict[str, Any]]:
    shares = [draw.random() for _ in LABELS]
    scores = {label: share / sum(shares) for label, share in zip(LABELS, shares, strict=True)}
    label = max(scores, key=lambda name: scores[name])
    return draw.choice("aab"), {"label": label, "score": scores[label], "scores": scores}


def _several(draw: random.Random) -> tuple[list[str], dict[str, Any]]:
    scores = {label: draw.random() for label in LABELS}
    return draw.sample("ab", draw.randint(0, 2)), {
        "labels": [n for n, s in scores.items() if s > 0.5],
        "scores": scores,
    }


def _spans(draw: random.Random) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    there = [
        {"start": start, "end": start + 2, "label": draw.choice("ab")} for start in range(0, draw.randint(0, 9), 3)
    ]
    found = [span | {"label": draw.choice(LABELS)} for span in there if draw.random() < 0.8]
    return there, {"spans": [span | {"score": 0.9} for span in found]}


def _number(draw: random.Random) -> tuple[float, dict[str, Any]]:
    true = draw.gauss(3, 1)
    return true, {"value": true + draw.gauss(0, 0.5)}


@pytest.mark.parametrize("kind", kinds.names())
@pytest.mark.parametrize("count", [1, 7, 200])
def test_sums_give_the_metrics_that_measure_finds(kind: str, count: int) -> None:
    task = kinds.kind_named(kind)
    labels = LABELS if task.label_metrics else ()
    for seed in range(8):
        targets, answers = rows_of(kind, count, seed)
        measured = task.measure(targets, answers, labels)
        found: dict[tuple[str, str | None], float] = {}
        for part in task.metric_sums(targets, answers, labels):
            values = part.figures(part.rows.astype(float).sum(axis=0)[None])[0]
            found |= {name: value for name, value in zip(part.names, values, strict=True) if not np.isnan(value)}
        overall = {name: value for (name, label), value in found.items() if label is None}
        wanted = {name: value for name, value in measured.values.items() if name not in task.not_resampled}
        assert overall == pytest.approx(wanted, abs=1e-12)
        for label in labels:
            of_label = {name: value for (name, its), value in found.items() if its == label}
            assert of_label == pytest.approx(measured.per_label.get(label, {}), abs=1e-12)


@pytest.mark.parametrize("kind", kinds.names())
def test_every_metric_is_a_sum_or_said_not_to_be(kind: str) -> None:
    task = kinds.kind_named(kind)
    labels = LABELS if task.label_metrics else ()
    parts = task.metric_sums(*rows_of(kind, 5, 0), labels)
    named = {name for part in parts for name in part.names}
    assert {name for name, label in named if label is None} | task.not_resampled == set(task.metrics)
    assert {name for name, label in named if label is not None} == set(task.label_metrics)


@pytest.mark.parametrize("kind", kinds.names())
def test_a_row_answered_badly_makes_no_metric_better(kind: str) -> None:
    task = kinds.kind_named(kind)
    labels = LABELS if task.label_metrics else ()
    targets, answers = rows_of(kind, 60, 1)
    for part in task.metric_sums(targets, answers, labels):
        both = paired(part, part)
        total = both.rows.astype(float).sum(axis=0)[None]
        worse, better = both.figures(total + 2 * both.wrong), both.figures(total + 2 * both.right)
        for place, (metric, _) in enumerate(both.names):
            sign = -1 if metric in task.lower_is_better else 1
            assert (np.nan_to_num(sign * worse[:, place]) <= 1e-12).all(), metric
            assert (np.nan_to_num(sign * better[:, place]) >= -1e-12).all(), metric
