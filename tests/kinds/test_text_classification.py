"""The kind text-classification: targets, loss, and what it asks of a spec."""

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from perennial import kinds
from perennial.inference.decoders import Encoded
from perennial.kinds.text_classification.kind import KIND
from perennial.settings.data import DataSpec
from perennial.settings.pipeline import PipelineSpec
from perennial.settings.training import TrainingSpec

LABELS = ("down", "up", "flat")


def spec(*gates: dict[str, Any], labels: tuple[str, ...] = LABELS) -> PipelineSpec:
    return PipelineSpec.model_validate(
        {
            "name": "news",
            "kind": "text-classification",
            "data": {"source": {"type": "file", "path": "a.csv"}, "labels": labels},
            "gates": list(gates) or [{"metric": "accuracy", "min": 0.5}],
        }
    )


def test_it_is_known_by_its_name() -> None:
    assert kinds.kind_named("text-classification") is KIND
    with pytest.raises(KeyError):
        kinds.kind_named("nothing")


@pytest.mark.parametrize("metric", KIND.metrics)
def test_every_metric_can_be_gated_and_is_measured(metric: str) -> None:
    limit = "max" if metric in KIND.lower_is_better else "min"
    assert KIND.spec_problems(spec({"metric": metric, limit: 0})) == []
    predictions = [{"label": "up", "score": 0.9, "scores": {"up": 0.9}}]
    assert math.isfinite(KIND.measure(["up"], predictions, LABELS).values[metric])


def test_exactly_the_named_metrics_are_measured() -> None:
    metrics = KIND.measure(["up"], [{"label": "up", "score": 0.9, "scores": {"up": 0.9}}], LABELS)
    assert set(metrics.values) == set(KIND.metrics)
    assert set(metrics.per_label["up"]) == set(KIND.label_metrics)


@pytest.mark.parametrize(
    ("gate", "message"),
    [
        (
            {"metric": "acuracy"},
            "'acuracy' is no metric of text-classification; did you mean 'accuracy'? There are: acc",
        ),
        ({"metric": "recall"}, "'recall' is no metric of text-classification; did you mean 'macro_recall'?"),
        ({"metric": "accuracy", "per": "label"}, "'accuracy' is no metric per label of text-classification; There are"),
        ({"metric": "recal", "per": "label"}, "did you mean 'recall'? There are: precision, recall, f1"),
    ],
)
def test_an_unknown_metric_is_named_with_the_nearest(gate: dict[str, Any], message: str) -> None:
    [(setting, text)] = KIND.spec_problems(spec({"metric": "accuracy", "min": 0.5}, {**gate, "min": 0.5}))
    assert setting == ("gates", 1, "metric")
    assert message in text


@pytest.mark.parametrize("labels", [(), ("only",)])
def test_fewer_than_two_labels_are_a_problem(labels: tuple[str, ...]) -> None:
    assert KIND.spec_problems(spec(labels=labels)) == [
        (("data", "labels"), "text-classification needs two labels or more; list them all")
    ]


def test_its_expectations_quarantine_unknown_labels() -> None:
    data = DataSpec.model_validate({"source": {"type": "file", "path": "a.csv"}, "labels": LABELS})
    label_known, in_set = KIND.expectations(data)
    assert (label_known.spec.column, in_set.spec.column) == ("label", "label")
    assert (label_known.spec.type, in_set.spec.type) == (
        "expect_column_values_to_not_be_null",
        "expect_column_values_to_be_in_set",
    )
    assert in_set.spec.arguments == {"value_set": list(LABELS)}
    assert {label_known.spec.severity, in_set.spec.severity} == {"warning"}


def test_targets_there_and_back() -> None:
    targets = ["flat", "down", "up", "down"]
    encoded = KIND.encode_targets(pa.array(targets), Encoded([], 0), LABELS)
    assert encoded.type == pa.int64()
    assert encoded.to_pylist() == [2, 0, 1, 0]
    assert [LABELS[label] for label in encoded.to_pylist()] == targets
    assert KIND.encode_targets(pa.array([], pa.string()), Encoded([], 0), LABELS).to_pylist() == []
    assert KIND.outputs(LABELS) == 3


def test_balanced_weights_are_inverse_to_frequency_and_mean_one_over_the_rows() -> None:
    targets = np.array([0] * 6 + [1] * 3 + [2])
    balanced = TrainingSpec(class_weights="balanced")
    weights = KIND.statistics(targets, LABELS, balanced)["weights"]
    assert weights.dtype == np.float32
    assert weights == pytest.approx([10 / 18, 10 / 9, 10 / 3])
    assert weights[targets].mean() == pytest.approx(1)
    absent = KIND.statistics(np.array([0, 0]), LABELS, balanced)["weights"]
    assert np.isfinite(absent).all(), "a label without rows has a finite weight"
    assert KIND.statistics(targets, LABELS, TrainingSpec()) == {}


def test_the_loss_by_hand() -> None:
    import torch

    logits, targets = torch.tensor([[math.log(3), 0.0], [0.0, 0.0]]), torch.tensor([0, 1])
    plain = KIND.loss(logits, targets, {}, TrainingSpec(label_smoothing=0))
    assert plain.item() == pytest.approx(-(math.log(3 / 4) + math.log(1 / 2)) / 2)
    weighted = KIND.loss(logits, targets, {"weights": torch.tensor([3.0, 1.0])}, TrainingSpec(label_smoothing=0))
    assert weighted.item() == pytest.approx(-(3 * math.log(3 / 4) + math.log(1 / 2)) / 4)
    smoothed = KIND.loss(logits, targets, {}, TrainingSpec(label_smoothing=0.2))
    assert smoothed.item() == pytest.approx(-(0.9 * math.log(3 / 4) + 0.1 * math.log(1 / 4) + math.log(1 / 2)) / 2)


@pytest.mark.parametrize(("answers", "said"), [("aaa", "label 'a'"), ("aab", None), ("", None)])
def test_a_model_that_answers_one_label_is_collapsed(answers: str, said: str | None) -> None:
    assert KIND.collapsed([{"label": label, "score": 0.5, "scores": {}} for label in answers]) == said


def test_answers_are_the_same_whatever_their_scores() -> None:
    one, same, other = {"label": "a", "score": 0.9}, {"label": "a", "score": 0.4}, {"label": "b", "score": 0.9}
    assert KIND.same_answer(one, same)
    assert not KIND.same_answer(one, other)


def test_baselines_answer_every_row() -> None:
    train = pa.table({"text": ["rose a lot", "fell a lot"] * 5, "label": ["up", "down"] * 5})
    baselines = KIND.baselines(train, train, LABELS)
    assert set(baselines) == {"majority", "tfidf"}
    assert all(len(predictions) == train.num_rows for predictions in baselines.values())
    assert KIND.measure(train["label"].to_pylist(), baselines["tfidf"], LABELS).values["accuracy"] == 1.0
