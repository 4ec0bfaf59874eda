"""Label errors: the rows whose given label the model contradicts."""

import random

import numpy as np
import pyarrow.parquet as pq
import pytest
from slice_data import spec_of, table

from perennial import kinds
from perennial.evaluation import label_errors

LABELS = ("a", "b", "c")


def _one(label, sure=0.9):
    rest = (1 - sure) / 2
    return {"label": label, "score": sure, "scores": {name: sure if name == label else rest for name in LABELS}}


def _several(held, sure=0.9):
    return {"labels": held, "scores": {name: sure if name in held else 1 - sure for name in LABELS}}


def _planted(count=600, wrong=12):
    draw = random.Random(5)  # noqa: S311 - not for secrets
    truth = [draw.choice(LABELS) for _ in range(count)]
    planted = sorted(draw.sample(range(count), wrong))
    given = [LABELS[(LABELS.index(label) + 1) % 3] if row in planted else label for row, label in enumerate(truth)]
    return truth, given, planted


def test_planted_errors_are_found_with_the_right_label():
    truth, given, planted = _planted()
    found = kinds.kind_named("text-classification").doubts(given, [_one(label) for label in truth], LABELS)
    assert sorted(doubt.row for doubt in found) == planted
    assert all(doubt.suggested == truth[doubt.row] and doubt.score == pytest.approx(0.05) for doubt in found)


def test_an_unsure_model_doubts_less():
    truth, given, _ = _planted()
    draw = np.random.default_rng(3)
    unsure = [_one(label if draw.random() < 0.6 else LABELS[draw.integers(3)], 0.5) for label in truth]
    sure = {doubt.row for doubt in kinds.kind_named("text-classification").doubts(given, unsure, LABELS)}
    right = {row for row in range(len(truth)) if unsure[row]["label"] == given[row]}
    assert not sure & right


def test_planted_errors_among_several_labels_are_found():
    draw = random.Random(6)  # noqa: S311
    truth = [[label for label in LABELS if draw.random() < 0.4] for _ in range(400)]
    given = [list(held) for held in truth]
    for row in (7, 99, 300):
        given[row] = [label for label in LABELS if label not in truth[row]]
    found = kinds.kind_named("multi-label").doubts(given, [_several(held) for held in truth], LABELS)
    assert sorted(doubt.row for doubt in found) == [7, 99, 300]
    assert all(doubt.suggested == truth[doubt.row] and 0 <= doubt.score < 0.5 for doubt in found)


def test_outliers_among_residuals_are_found():
    draw = np.random.default_rng(4)
    truth = draw.normal(1e6, 1e5, 300)
    answers = [{"value": value + draw.normal(0, 1e3)} for value in truth]
    truth[[3, 200]] += 5e4
    found = kinds.kind_named("regression").doubts(truth.tolist(), answers, ())
    assert {3, 200} <= {doubt.row for doubt in found}
    assert len(found) <= 5
    assert all(doubt.suggested == answers[doubt.row]["value"] and doubt.score < 0.001 for doubt in found)


@pytest.mark.parametrize(
    "kind", ["text-classification", "text-pair", "multi-label", "regression", "token-classification"]
)
def test_nothing_is_found_in_nothing(kind):
    assert kinds.kind_named(kind).doubts([], [], LABELS) == []


def test_rows_labelled_alike_tell_nothing():
    assert kinds.kind_named("text-classification").doubts(["a"] * 30, [_one("b")] * 30, LABELS) == []
    assert kinds.kind_named("multi-label").doubts([[]] * 30, [_several(["a"])] * 30, LABELS) == []
    assert kinds.kind_named("regression").doubts([1.0] * 30, [{"value": 2.0}] * 30, ()) == []


def _sentence(label, sure=0.9):
    """Five words, the second of which a model takes for `label` (None: for nothing)."""
    words = np.array([[6 * place, 6 * place + 5] for place in range(5)])
    scores = np.full((5, 4), (1 - sure) / 3)
    scores[np.arange(5), [0, LABELS.index(label) + 1 if label else 0, 0, 0, 0]] = sure
    spans = [{"start": 6, "end": 11, "label": label, "text": "words", "score": sure}] if label else []
    return {"spans": spans, "words": words, "scores": scores.astype(np.float32)}


def test_planted_errors_among_spans_are_found():
    draw = random.Random(7)  # noqa: S311
    truth = [draw.choice([*LABELS, None]) for _ in range(400)]
    given = list(truth)
    for row in (5, 50, 350):
        given[row] = None if truth[row] else "a"
    targets = [[{"start": 6, "end": 11, "label": label}] if label else [] for label in given]
    kind = kinds.kind_named("token-classification")
    found = kind.doubts(targets, [_sentence(label) for label in truth], LABELS)
    assert sorted(doubt.row for doubt in found) == [5, 50, 350]
    assert all(doubt.score == pytest.approx(0.1 / 3) for doubt in found)
    assert all(
        [span["label"] for span in doubt.suggested] == [one for one in [truth[doubt.row]] if one] for doubt in found
    )
    assert not any("words" in kind.target_in_words(doubt.suggested) for doubt in found)


def test_a_row_with_spans_has_one_doubt_however_many_words_are_wrong():
    targets = [[]] * 200 + [[{"start": 6, "end": 11, "label": "a"}]] * 200
    answers = [_sentence(None)] * 200 + [_sentence("a")] * 200
    answers[3] = _sentence("a") | {"scores": _sentence("a")["scores"][[1, 1, 1, 0, 0]]}
    [doubt] = kinds.kind_named("token-classification").doubts(targets, answers, LABELS)
    assert doubt.row == 3


SPAN = {"start": 5, "end": 9, "label": "a"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Here Acme is", "Here [Acme](a) is"),
        ("Here [x](b) is", None),
        ("Here A[me is", None),
        (" ere Acme is", None),
        ("Here Acme\ris", None),
        ("Here Acme\nis", "Here [Acme](a)\nis"),
    ],
)
def test_spans_are_shown_in_the_text_where_they_can_be_read_back(text, shown):
    kind = kinds.kind_named("token-classification")
    words = kind.target_in_words([SPAN])
    beside = kind.beside_text(words, [text])
    assert beside == (shown or words)
    assert kind.target_of_words(beside, LABELS) == [SPAN]
    assert kind.misfit(beside, text) is None
    assert "its text is not the row's" in kind.misfit("Another [text](a)", text)
    assert (
        kind.misfit('[{"start": 5, "end": 99, "label": "a"}]', text) == "a span is empty or passes the end of the text"
    )


def test_the_list_holds_ids_labels_and_scores_and_no_text(tmp_path):
    spec = spec_of()
    given = ["negative", "positive"] * 40
    rows = table(spec, [{"text": "a secret text", "label": label} for label in given])
    said = ["positive" if row in (10, 20) else label for row, label in enumerate(given)]
    answers = [{"label": one, "scores": {"negative": 0.0, "positive": 0.0} | {one: 1.0}} for one in said]
    assert label_errors.find_label_errors(spec, rows, answers, tmp_path).model_dump() == {"n": 80, "found": 2}
    found = pq.read_table(tmp_path / label_errors.FILE)
    assert found.to_pylist() == [
        {"row_id": row, "given": "negative", "suggested": "positive", "score": 0.0} for row in ("10", "20")
    ]
    assert b"secret" not in (tmp_path / label_errors.FILE).read_bytes()


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        ("text-classification", "a"),
        ("multi-label", ["a", "c"]),
        ("multi-label", []),
        ("multi-label", ["b"]),
        ("regression", 1234567.5),
        ("token-classification", [{"start": 0, "end": 9, "label": "a"}, {"start": 12, "end": 14, "label": "c"}]),
        ("token-classification", []),
    ],
)
def test_what_is_shown_can_be_written_back(kind, target):
    one = kinds.kind_named(kind)
    assert one.target_of_words(one.target_in_words(target), LABELS) == target


def test_labels_with_separators_can_be_written_back():
    one, labels = kinds.kind_named("multi-label"), ("food, drink", "a|b")
    for held in (["food, drink"], ["a|b", "food, drink"]):
        assert one.target_of_words(one.target_in_words(held), labels) == held
