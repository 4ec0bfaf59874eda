"""Gates that ask for what can't be, found when pipeline.yaml is read; each with what to say instead."""

from typing import Any

import pytest

from perennial import kinds
from perennial.settings.pipeline import PipelineSpec


def problems(gate: dict[str, Any], kind: str = "text-classification") -> list[tuple[tuple[str | int, ...], str]]:
    labels = [] if kind == "regression" else ["a", "b"]
    spec = PipelineSpec.model_validate(
        {
            "name": "news",
            "kind": kind,
            "data": {"source": {"type": "file", "path": "a.csv"}, "labels": labels},
            "gates": [gate],
        }
    )
    return kinds.kind_named(kind).spec_problems(spec)


@pytest.mark.parametrize(
    ("gate", "setting", "words"),
    [
        ({"metric": "log_loss", "min": 0.1}, "min", "'log_loss' is better the lower it is"),
        ({"metric": "accuracy", "max": 0.9}, "max", "'accuracy' is better the higher it is"),
        ({"metric": "latency_p95", "min": 5}, "min", "say max"),
        ({"metric": "throughput", "max": 5}, "max", "say min"),
        ({"metric": "calibration_error", "versus": "champion"}, "versus", "has no confidence interval"),
        ({"metric": "calibration_error", "per": "slice", "max": 0.1}, "metric", "no metric per slice"),
        ({"metric": "latency_p95", "versus": "champion"}, "versus", "add one, such as ratio: 1.5"),
        ({"metric": "accuracy", "versus": "champion", "ratio": 1.1}, "ratio", "compared with a margin"),
        ({"metric": "size", "versus": "baseline"}, "versus", "no such figure of the baselines"),
        ({"metric": "accuracy", "per": "slice", "versus": "baseline"}, "versus", "no such figure of the baselines"),
        ({"metric": "negative_flip_rate", "versus": "champion"}, "versus", "say max"),
        ({"metric": "negative_flip_rate", "min": 0.1}, "min", "say max"),
        ({"metric": "flip_rate", "max": 0.1}, "metric", "no metric of text-classification"),
        ({"metric": "flip_rate", "per": "group", "min": 0.1}, "min", "say max"),
        ({"metric": "pass_rate", "per": "behaviour", "versus": "baseline"}, "versus", "no such figure"),
        ({"metric": "accuracy", "per": "behaviour", "min": 0.1}, "metric", "There are: pass_rate"),
    ],
)
def test_what_a_metric_can_not_give_is_refused(gate: dict[str, Any], setting: str, words: str) -> None:
    [(place, told)] = problems(gate)
    assert place == ("gates", 0, setting)
    assert words in told


def test_numbers_are_never_simply_wrong() -> None:
    [(place, told)] = problems({"metric": "negative_flip_rate", "max": 0.1}, "regression")
    assert place == ("gates", 0, "metric")
    assert "no metric of regression" in told
    [(_, told)] = problems({"metric": "spearman", "versus": "champion"}, "regression")
    assert "no confidence interval" in told


@pytest.mark.parametrize(
    "gate",
    [
        {"metric": "negative_flip_rate", "max": 0.02},
        {"metric": "negative_flip_rate", "slice": "sector=banks", "max": 0.02},
        {"metric": "batch_flip_rate", "max": 0},
        {"metric": "padding_flip_rate", "max": 0},
        {"metric": "latency_p95", "versus": "champion", "ratio": 1.5},
        {"metric": "latency_p50", "max": 20},
        {"metric": "brier", "versus": "champion", "margin": 0.01},
        {"metric": "accuracy", "per": "slice", "versus": "champion", "margin": 0.1, "min_n": 50, "small": "skip"},
        {"metric": "flip_rate", "per": "group", "max": 0.05},
        {"metric": "score_shift", "per": "group", "max": 0.05},
        {"metric": "pass_rate", "per": "behaviour"},
        {"metric": "pass_rate", "per": "behaviour", "versus": "champion", "margin": 0.05},
    ],
)
def test_what_can_be_asked(gate: dict[str, Any]) -> None:
    assert problems(gate) == []
