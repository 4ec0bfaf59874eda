"""Metrics by hand on small cases, and beside scikit-learn on drawn ones."""

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perennial.metrics.calibration import BINS
from perennial.metrics.prediction import Prediction
from perennial.metrics.single_label import single_label_metrics

LABELS = ("a", "b", "c")


def answers(labels: str, score: float = 0.9) -> list[Prediction]:
    return [{"label": label, "score": score, "scores": {label: score}} for label in labels]


def scored(label: str, **scores: float) -> Prediction:
    return {"label": label, "score": scores[label], "scores": scores}


def test_figures_by_hand() -> None:
    #        a is right 2 of 3, b 1 of 2, c 1 of 1; answers: a 3, b 1, c 2
    found = single_label_metrics(list("aaabbc"), answers("aacbac"), LABELS)
    assert found.n == 6
    assert found.support == {"a": 3, "b": 2, "c": 1}
    assert found.confusion == ((2, 0, 1), (1, 1, 0), (0, 0, 1))
    assert found.per_label["a"] == pytest.approx({"precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3})
    assert found.per_label["b"] == pytest.approx({"precision": 1, "recall": 1 / 2, "f1": 2 / 3})
    assert found.per_label["c"] == pytest.approx({"precision": 1 / 2, "recall": 1, "f1": 2 / 3})
    assert found.values["accuracy"] == pytest.approx(4 / 6)
    assert found.values["micro_f1"] == pytest.approx(4 / 6)
    assert found.values["macro_precision"] == pytest.approx((2 / 3 + 1 + 1 / 2) / 3)
    assert found.values["macro_recall"] == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)
    assert found.values["macro_f1"] == pytest.approx(2 / 3)
    assert found.values["weighted_f1"] == pytest.approx(2 / 3)


def test_log_loss_by_hand() -> None:
    predictions = [scored("a", a=0.5, b=0.25, c=0.25), scored("a", a=0.8, b=0.1, c=0.1)]
    found = single_label_metrics(["a", "b"], predictions, LABELS)
    assert found.values["log_loss"] == pytest.approx(-(math.log(0.5) + math.log(0.1)) / 2)


def test_log_loss_of_the_impossible_is_large_but_finite() -> None:
    found = single_label_metrics(["b"], [scored("a", a=1.0, b=0.0)], LABELS)
    assert found.values["log_loss"] == pytest.approx(-math.log(1e-15))


def test_calibration_error_by_hand() -> None:
    # Bins are 1/15 wide: 0.90 and 0.92 share one (mean 0.91, half right), 0.50 has its own (right).
    predictions = [scored("a", a=0.90), scored("a", a=0.92), scored("b", b=0.50)]
    assert int(0.90 * BINS) == int(0.92 * BINS) != int(0.50 * BINS)
    found = single_label_metrics(["a", "b", "b"], predictions, LABELS)
    assert found.values["calibration_error"] == pytest.approx(2 / 3 * abs(0.5 - 0.91) + 1 / 3 * abs(1 - 0.5))


@pytest.mark.parametrize(("score", "right", "error"), [(1.0, "a", 0.0), (1.0, "b", 1.0), (0.5, "a", 0.5)])
def test_calibration_error_at_the_ends(score: float, right: str, error: float) -> None:
    found = single_label_metrics([right] * 4, [scored("a", a=score)] * 4, LABELS)
    assert found.values["calibration_error"] == pytest.approx(error)


def test_labels_without_rows_are_left_out_of_averages() -> None:
    found = single_label_metrics(list("aab"), answers("aab"), LABELS)
    assert set(found.per_label) == {"a", "b"}, "no figure is better than a zero nobody measured"
    assert found.values["macro_f1"] == 1.0
    assert found.support == {"a": 2, "b": 1, "c": 0}
    assert found.confusion == ((2, 0, 0), (0, 1, 0), (0, 0, 0))


def test_answers_of_a_label_without_rows_still_cost() -> None:
    found = single_label_metrics(list("aab"), answers("cab"), LABELS)
    assert found.values["accuracy"] == pytest.approx(2 / 3)
    assert found.per_label["a"]["recall"] == 0.5
    assert found.confusion[0] == (1, 0, 1)


def test_a_label_that_is_never_answered_has_zeros_not_nan() -> None:
    found = single_label_metrics(list("ab"), answers("aa"), LABELS)
    assert found.per_label["b"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0}


def test_no_rows_give_no_figures() -> None:
    found = single_label_metrics([], [], LABELS)
    assert (found.n, found.values, found.per_label, found.support) == (0, {}, {}, {})


def test_a_champion_of_other_labels_is_judged_on_all_rows() -> None:
    # It was trained when c did not exist and old did.
    predictions = [scored("a", a=0.9, old=0.1), scored("old", a=0.2, old=0.8), scored("old", a=0.4, old=0.6)]
    found = single_label_metrics(["a", "a", "c"], predictions, LABELS)
    assert found.values["accuracy"] == pytest.approx(1 / 3)
    assert found.support == {"a": 2, "b": 0, "c": 1}
    assert found.confusion == ((1, 0, 0), (0, 0, 0), (0, 0, 0)), "its own labels have no column"
    assert found.per_label["c"]["recall"] == 0.0
    assert "old" not in found.per_label
    assert found.values["log_loss"] > 10, "it gave the new label no chance at all"


def test_the_record_survives_json() -> None:
    found = single_label_metrics(list("aab"), answers("aab"), LABELS)
    assert type(found).model_validate_json(found.model_dump_json()) == found


ROWS = st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from(LABELS), st.floats(0, 1)), min_size=1, max_size=30)


@given(rows=ROWS)
def test_figures_are_shares_and_agree_with_each_other(rows: Sequence[tuple[str, str, float]]) -> None:
    from sklearn import metrics

    targets = [target for target, _, _ in rows]
    given_labels = [answer for _, answer, _ in rows]
    found = single_label_metrics(targets, [scored(answer, **{answer: score}) for _, answer, score in rows], LABELS)
    shares = {name: value for name, value in found.values.items() if name not in ("log_loss", "brier")}
    assert -1e-12 <= found.values["brier"] <= 2 + 1e-12
    assert all(-1e-12 <= value <= 1 + 1e-12 for value in shares.values()), shares
    assert sum(found.support.values()) == found.n == len(rows)
    assert [sum(row) for row in found.confusion] == list(found.support.values())
    right = sum(found.confusion[i][i] for i in range(len(LABELS)))
    assert found.values["accuracy"] == pytest.approx(right / len(rows))
    recalls = [figures["recall"] for figures in found.per_label.values()]
    assert found.values["macro_recall"] == pytest.approx(sum(recalls) / len(recalls))
    if set(given_labels) <= set(targets):
        assert found.values["macro_recall"] == pytest.approx(
            metrics.recall_score(targets, given_labels, average="macro")
        )
        assert found.values["macro_f1"] == pytest.approx(metrics.f1_score(targets, given_labels, average="macro"))


@given(rows=ROWS)
def test_the_order_of_rows_does_not_matter(rows: Sequence[tuple[str, str, float]]) -> None:
    def judged(some: Sequence[tuple[str, str, float]]) -> dict[str, float]:
        predictions = [scored(answer, **{answer: score}) for _, answer, score in some]
        return single_label_metrics([target for target, _, _ in some], predictions, LABELS).values

    assert judged(rows) == pytest.approx(judged(rows[::-1]))
