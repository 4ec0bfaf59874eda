"""The kind multi-label: cells, targets, loss, thresholds and what makes two answers the same."""

import json
import math
from pathlib import Path
from typing import Any

import kind_helpers
import numpy as np
import pyarrow as pa
import pytest

from perennial.core.errors import ValidationError
from perennial.inference.decoders import Encoded, Meaning, decoder_named
from perennial.kinds.multi_label.kind import KIND
from perennial.settings.training import TrainingSpec

LABELS = ("earnings", "mergers", "rules")
NOBODY = Encoded([], 0)


def answer(*labels: str, **scores: float) -> dict[str, Any]:
    return {"labels": list(labels), "scores": dict.fromkeys(LABELS, 0.0) | scores}


@pytest.mark.parametrize(
    "cell",
    [
        ["mergers", "earnings"],
        '["mergers", "earnings"]',
        "mergers|earnings",
        "mergers; earnings",
        "earnings, mergers",
        " mergers |earnings| ",
        ["earnings", " mergers ", "earnings", ""],
    ],
)
def test_labels_are_read_from_lists_json_and_text(cell: Any) -> None:
    assert kind_helpers.cells(KIND, [cell]) == [["earnings", "mergers"]]


@pytest.mark.parametrize(
    ("cell", "labels"),
    [
        ([], []),
        ("[]", []),
        ("rules", ["rules"]),
        (3, ["3"]),
        ([3, "4"], ["3", "4"]),
        # a label may hold the marks that come later
        ("mergers, acquisitions|rules", ["mergers, acquisitions", "rules"]),
    ],
)
def test_no_label_and_one_are_lists_too(cell: Any, labels: list[str]) -> None:
    assert kind_helpers.cells(KIND, [cell]) == [labels]


@pytest.mark.parametrize(
    "cell", [{"a": 1}, '{"a": 1}', [None], [["a"]], 1.5, True, [True], "['a', 'b']", '["a"', None, math.nan, "", " "]
)
def test_what_is_no_list_of_labels_is_unreadable(cell: Any) -> None:
    assert kind_helpers.cells(KIND, [cell]) == [None]


def rows(count: int) -> list[dict[str, Any]]:
    """Rows of which each label has a third."""
    return [{"text": f"headline number {n}", "label": [LABELS[n % 3]]} for n in range(count)]


def test_bad_rows_are_set_aside_with_their_reasons(tmp_path: Path) -> None:
    bad = [
        {"text": "one", "label": ["earnings", "sports"]},
        {"text": "two", "label": {"earnings": 1}},
        {"text": "three", "label": '["earnings"'},
        {"text": " ", "label": ["rules"]},
        {"text": "four", "label": ["rules"]},
        {"text": "Four", "label": "mergers"},
    ]
    legal = [
        {"text": "five", "label": []},
        {"text": "six", "label": "mergers;rules"},
        {"text": "Six", "label": ["rules", "mergers"]},
        {"text": "seven", "label": None},
    ]
    made = kind_helpers.spec("multi-label", labels=LABELS, max_quarantined=0.9)
    data = kind_helpers.validated(made, tmp_path, [*bad, *legal, *rows(140)])
    reasons = kind_helpers.set_aside(data, tmp_path)
    assert reasons[1] == "a label is not one of: earnings, mergers, rules"
    assert reasons[2] == reasons[3] == "label is missing, or neither a list of labels nor text"
    assert reasons[4] == "text is blank"
    assert "the same text has another label at" in reasons[5]
    assert "the same text has another label at" in reasons[6]
    assert reasons[10] == reasons[2]
    assert set(reasons) == {1, 2, 3, 4, 5, 6, 10}
    kept = kind_helpers.good(data, tmp_path)[: len(legal) - 1]
    assert [row["label"] for row in kept] == [[], ["mergers", "rules"], ["mergers", "rules"]]


def test_rows_without_labels_have_none_only_where_the_pipeline_says_so(tmp_path: Path) -> None:
    odd = [
        {"text": "one"},
        {"text": "two", "label": None},
        {"text": "three", "label": " "},
        {"text": "four", "label": []},
    ]
    for meaning, aside in (("set_aside", {1, 2, 3}), ("none", set())):
        folder = tmp_path / meaning
        folder.mkdir()
        made = kind_helpers.spec("multi-label", labels=LABELS, missing_labels=meaning)
        data = kind_helpers.validated(made, folder, [*odd, *rows(140)])
        assert data.quarantined == len(aside)
        assert not aside or set(kind_helpers.set_aside(data, folder)) == aside
        kept = kind_helpers.good(data, folder)[: len(odd) - len(aside)]
        assert [row["label"] for row in kept] == [[]] * len(kept)


def test_a_label_without_rows_is_named(tmp_path: Path) -> None:
    made = kind_helpers.spec("multi-label", labels=(*LABELS, "sports"))
    with pytest.raises(ValidationError) as caught:
        kind_helpers.validated(made, tmp_path, rows(150))
    message = " ".join(str(caught.value).split())
    assert "a label has fewer than 2 rows in a split (data.min_rows_per_label)" in message
    assert "sports" in message
    assert "take a label that has too few out of data.labels" in message


def test_targets_are_a_number_for_each_label() -> None:
    given = pa.array([["rules", "earnings"], [], ["mergers"]], pa.list_(pa.string()))
    encoded = KIND.encode_targets(given, NOBODY, LABELS)
    assert encoded.to_pylist() == [[1, 0, 1], [0, 0, 0], [0, 1, 0]]
    assert encoded.type == pa.list_(pa.float32(), 3)
    assert KIND.encode_targets(given[:0], NOBODY, LABELS).to_pylist() == []
    assert KIND.outputs(LABELS) == 3
    assert KIND.labels_in(given).to_pylist() == ["rules", "earnings", "mergers"]


def test_the_loss_by_hand() -> None:
    import torch

    outputs, targets = torch.tensor([[0.0, math.log(3)], [0.0, 0.0]]), torch.tensor([[1.0, 1.0], [0.0, 0.0]])
    half, three = -math.log(1 / 2), -math.log(3 / 4)
    plain = KIND.loss(outputs, targets, {}, TrainingSpec(label_smoothing=0))
    assert plain.item() == pytest.approx((half + three + 2 * half) / 2), "summed over labels, the mean over rows"
    weighted = KIND.loss(outputs, targets, {"weights": torch.tensor([5.0, 1.0])}, TrainingSpec(label_smoothing=0))
    assert weighted.item() == pytest.approx((5 * half + three + 2 * half) / 2), (
        "what holds weighs, what does not does not"
    )
    smoothed = KIND.loss(outputs, targets, {}, TrainingSpec(label_smoothing=0.2))
    assert smoothed.item() == pytest.approx((half + 0.9 * three - 0.1 * math.log(1 / 4) + 2 * half) / 2)


def test_the_loss_is_finite_whatever_the_outputs() -> None:
    import torch

    outputs = torch.tensor([[1e4, -1e4, 0.0]], requires_grad=True)
    loss = KIND.loss(outputs, torch.tensor([[0.0, 1.0, 1.0]]), {}, TrainingSpec())
    loss.backward()
    assert math.isfinite(loss.item())
    assert outputs.grad is not None
    assert torch.isfinite(outputs.grad).all()


def test_balanced_weights_are_how_much_rarer_a_label_is_than_its_absence() -> None:
    targets = np.array([[1, 1, 0]] * 2 + [[0, 1, 0]] * 8, np.float32)
    assert KIND.statistics(targets, LABELS, TrainingSpec()) == {}
    weights = KIND.statistics(targets, LABELS, TrainingSpec(class_weights="balanced"))["weights"]
    assert weights.dtype == np.float32
    assert weights.tolist() == [4, 1, 9], "never below 1; finite for a label without rows"


def outputs(*scores: float) -> list[np.ndarray]:
    """Outputs of one label whose probabilities are `scores`."""
    return [np.array([math.log(score / (1 - score))], np.float32) for score in scores]


def test_chosen_thresholds_are_applied_by_the_decoder() -> None:
    validation_outputs = outputs(0.1, 0.2, 0.3, 0.35, 0.4, 0.05)
    targets = [[], ["a"], ["a"], ["a"], ["a"], []]
    decoding = KIND.decoding(validation_outputs, NOBODY, targets, ("a",), {})
    assert decoding["thresholds"]["a"] == pytest.approx(0.15)
    assert json.loads(json.dumps(decoding)) == decoding
    decoder = decoder_named("multi-label")
    tuned = decoder.decode(validation_outputs, NOBODY, Meaning(("a",), decoding))
    assert [row["labels"] for row in tuned] == targets
    plain = decoder.decode(validation_outputs, NOBODY, Meaning(("a",)))
    assert [row["labels"] for row in plain] == [[]] * 6
    assert [row["scores"] for row in tuned] == [row["scores"] for row in plain]
    assert decoder.decode([], NOBODY, Meaning(("a",), decoding)) == []


def test_labels_are_answered_likeliest_first() -> None:
    meaning = Meaning(LABELS, {"thresholds": {"earnings": 0.9, "rules": 0.1}})
    [decoded] = decoder_named("multi-label").decode([np.array([1.0, 0.5, 2.0], np.float32)], NOBODY, meaning)
    assert decoded["labels"] == ["rules", "mergers"], "0.5 where no threshold was chosen"
    assert list(decoded["scores"]) == list(LABELS)
    assert decoder_named("multi-label").in_words(decoded) == "rules 0.881, mergers 0.622"
    assert decoder_named("multi-label").in_words(answer()) == "—"


def test_answers_are_the_same_if_their_labels_are() -> None:
    assert KIND.same_answer(answer("rules", "mergers", rules=0.9), answer("mergers", "rules", rules=0.6))
    assert not KIND.same_answer(answer("rules", rules=0.6), answer(rules=0.4))
    # A threshold of 0.5 between them would be chance, and no reason to refuse an export.
    assert KIND.same_answer(answer("rules", rules=0.500001), answer(rules=0.499999))


def test_a_model_that_answers_one_thing_to_everything_is_collapsed() -> None:
    assert KIND.collapsed([answer(), answer()]) == "no label"
    assert KIND.collapsed([answer("a", "b"), answer("b", "a")]) == "labels 'a', 'b'"
    assert KIND.collapsed([answer("a"), answer()]) is None
    assert KIND.collapsed([]) is None


def test_one_label_is_enough_and_metrics_are_checked() -> None:
    assert KIND.spec_problems(kind_helpers.spec("multi-label", {"metric": "micro_f1", "min": 0}, labels=["a"])) == []
    problems = KIND.spec_problems(kind_helpers.spec("multi-label", {"metric": "accuracy", "min": 0}))
    assert [setting for setting, _ in problems] == [("data", "labels"), ("gates", 0, "metric")]
    assert "exact_match" in problems[1][1]


def test_exactly_the_named_metrics_are_measured() -> None:
    metrics = KIND.measure([["rules"]], [answer("rules", rules=0.9)], LABELS)
    assert set(metrics.values) == set(KIND.metrics)
    assert set(metrics.per_label["rules"]) == set(KIND.label_metrics)


def test_baselines_answer_every_row() -> None:
    texts = ["profit rose", "buys rival", "nothing at all"] * 5
    held = [["earnings"], ["mergers", "rules"], []] * 5
    table = pa.table({"text": texts, "label": pa.array(held, pa.list_(pa.string()))})
    baselines = KIND.baselines(table, table, LABELS)
    assert set(baselines) == {"commonest", "tfidf"}
    assert KIND.measure(held, baselines["tfidf"], LABELS).values["exact_match"] == 1.0
    assert {tuple(row["labels"]) for row in baselines["commonest"]} == {LABELS}
    nothing = pa.table({"text": texts, "label": pa.array([[]] * 15, pa.list_(pa.string()))})
    for predictions in KIND.baselines(nothing, table, LABELS).values():
        assert [row["labels"] for row in predictions] == [[]] * 15
