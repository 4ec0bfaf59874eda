"""Metrics of any number of labels a row, beside scikit-learn's, and thresholds that no other beats."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from perennial.metrics.multi_label import FEWEST_POSITIVES, multi_label_metrics, thresholds

LABELS = ("a", "b", "c")
SETS = st.lists(st.sampled_from(LABELS), unique=True, max_size=3)


def answers(rows: Sequence[Sequence[str]], score: float = 0.9) -> list[dict[str, Any]]:
    return [
        {"labels": list(row), "scores": {label: score if label in row else 1 - score for label in LABELS}}
        for row in rows
    ]


def held(rows: Sequence[Sequence[str]], labels: Sequence[str] = LABELS) -> np.ndarray:
    return np.array([[label in row for label in labels] for row in rows], int)


@given(rows=st.lists(st.tuples(SETS, SETS), min_size=1, max_size=20))
def test_they_are_scikit_learns(rows: list[tuple[list[str], list[str]]]) -> None:
    from sklearn import metrics

    targets, given_ = [target for target, _ in rows], [answer for _, answer in rows]
    found = multi_label_metrics(targets, answers(given_), LABELS)
    true, answered = held(targets), held(given_)
    for average in ("micro", "macro"):
        # The macro average leaves out labels without a row.
        chosen = true.any(axis=0) if average == "macro" else np.ones(3, bool)
        expected = metrics.precision_recall_fscore_support(
            true, answered, labels=np.flatnonzero(chosen), average=average, zero_division=0.0
        )
        for name, value in zip(("precision", "recall", "f1"), expected, strict=False):
            if f"{average}_{name}" in found.values:
                assert found.values[f"{average}_{name}"] == pytest.approx(value), (average, name)
    assert ("macro_f1" in found.values) == bool(true.any())
    each = metrics.precision_recall_fscore_support(true, answered, average=None, zero_division=0.0)
    for place, label in enumerate(LABELS):
        assert found.support[label] == each[3][place]
        if each[3][place]:
            named = dict(zip(("precision", "recall", "f1"), (figures[place] for figures in each), strict=False))
            assert found.per_label[label] == pytest.approx(named)
        else:
            assert label not in found.per_label
    assert found.values["exact_match"] == pytest.approx(metrics.accuracy_score(true, answered))
    scores = np.array([[answer["scores"][label] for label in LABELS] for answer in answers(given_)])
    losses = [metrics.log_loss(true[:, i], scores[:, i], labels=[0, 1]) for i in range(3)]
    assert found.values["log_loss"] == pytest.approx(np.mean(losses))


@given(rows=st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=20))
def test_a_single_label_is_not_counted_with_its_absence(rows: list[tuple[bool, bool]]) -> None:
    from sklearn import metrics

    true, answered = [one for one, _ in rows], [other for _, other in rows]
    found = multi_label_metrics([["a"] * one for one in true], answers([["a"] * other for other in answered]), ("a",))
    expected = metrics.f1_score(true, answered, zero_division=0.0)
    assert found.values["micro_f1"] == pytest.approx(expected)
    assert found.values.get("macro_f1", 0.0) == pytest.approx(expected)
    assert found.values["exact_match"] == pytest.approx(metrics.accuracy_score(true, answered))


def test_rows_without_a_label_are_rows() -> None:
    found = multi_label_metrics([[], [], ["a"]], answers([[], ["b"], ["a"]]), LABELS)
    assert (found.n, found.support) == (3, {"a": 1, "b": 0, "c": 0})
    assert found.values["exact_match"] == pytest.approx(2 / 3)
    assert found.values["micro_precision"] == pytest.approx(1 / 2)
    assert found.per_label == {"a": {"precision": 1.0, "recall": 1.0, "f1": 1.0}}


def test_nothing_to_measure_gives_no_metrics() -> None:
    assert multi_label_metrics([], [], LABELS).values == {}
    assert multi_label_metrics([["x"]], answers([["a"]]), ()).values == {}, "no label is shared"


def test_a_model_of_other_labels_is_judged_on_these() -> None:
    other = [{"labels": ["a", "old"], "scores": {"a": 0.9, "old": 0.8}}]
    found = multi_label_metrics([["a", "c"]], other, LABELS)
    assert found.values["micro_precision"] == 1.0
    assert found.values["micro_recall"] == 0.5


SCORES = arrays.arrays(
    np.float32,
    st.integers(3, 40),
    elements=st.sampled_from([0.0, 1e-7, 0.1, 0.5, 0.7, 1.0]) | st.floats(0, 1, width=32),
)


def f1(scores: np.ndarray, true: np.ndarray, threshold: float) -> float:
    answered = np.array([score >= threshold for score in scores.tolist()])
    right = (answered & true).sum()
    return float(2 * right / (answered.sum() + true.sum())) if right else 0.0


@given(scores=SCORES, data=st.data())
def test_no_other_threshold_does_better(scores: np.ndarray, data: st.DataObject) -> None:
    true = np.array(data.draw(st.lists(st.booleans(), min_size=len(scores), max_size=len(scores))))
    chosen = thresholds(scores[:, None], [["a"] * int(there) for there in true], ("a",))["a"]
    if true.sum() < FEWEST_POSITIVES:
        assert chosen == 0.5
        return
    best = f1(scores, true, chosen)
    assert 0 <= chosen <= 1
    assert best >= f1(scores, true, 0.5) - 1e-12
    for other in {*scores.tolist(), *np.nextafter(scores, 2).tolist(), 0.0}:
        assert best >= f1(scores, true, other) - 1e-12, (chosen, other)


def test_each_label_has_its_own_and_few_rows_none() -> None:
    scores = np.array([[0.1, 0.9, 0.2]] * 5 + [[0.3, 0.6, 0.2]] * 5, np.float32)
    targets = [[] for _ in range(5)] + [["a"], ["a"], ["a", "b"], ["a", "b"], ["a"]]
    found = thresholds(scores, targets, LABELS)
    assert found == {"a": pytest.approx(0.2), "b": 0.5, "c": 0.5}


def test_of_thresholds_that_do_as_well_the_one_nearest_to_a_half_is_chosen() -> None:
    scores = np.array([[0.05], [0.1], [0.4], [0.9], [0.95], [0.99]], np.float32)
    # Between 0.1 and 0.4, or 0.4 and 0.9: the row between has 0.4 and is right either way but for one error.
    found = thresholds(scores, [[], [], [], ["a"], ["a"], ["a"]], ("a",))["a"]
    assert found == pytest.approx(0.65)
    assert found == round(found, 6), "short, where that changes nothing"
