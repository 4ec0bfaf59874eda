"""Whether a graph answers as the trained model did: a tie that rounding decides is none of its faults."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from notes import Notes

from perennial.core import progress
from perennial.core.errors import ExportError
from perennial.export import parity
from perennial.kinds import kind_named

LABELS = ("bad", "good")


def answers(logits: np.ndarray) -> parity.ParityAnswers:
    """What a model answers that gives `logits`, a row for each text."""
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    predictions: list[dict[str, Any]] = [
        {"label": LABELS[int(row.argmax())], "scores": dict(zip(LABELS, row.tolist(), strict=True))} for row in scores
    ]
    return parity.ParityAnswers(list(logits), predictions)


def agree(before: np.ndarray, after: np.ndarray) -> tuple[float, list[str]]:
    sample: Any = SimpleNamespace(kind=kind_named("text-classification"), segments=[np.arange(3)] * len(before))
    notes = Notes()
    with progress.heard_by(notes):
        return parity.agree(sample, answers(before), answers(after)), notes.messages


def rows(count: int, ties: int) -> tuple[np.ndarray, np.ndarray]:
    """The logits of `count` rows before and after, of which the first `ties` tie."""
    before = np.tile(np.array([[0.5, 2.0]]), (count, 1))
    before[:ties] = (0.5, 0.5 + 1e-7)
    after = before.copy()
    after[:ties] = (0.5, 0.5 - 1e-7)
    return before, after


def test_equal_answers_are_not_mentioned() -> None:
    assert agree(*rows(300, 0)) == (0.0, [])


@pytest.mark.parametrize(("count", "ties"), [(20, 1), (300, 3)])
def test_a_row_between_two_labels_is_told_and_fails_no_export(count: int, ties: int) -> None:
    largest, notes = agree(*rows(count, ties))
    assert 0 < largest < 1e-6
    (note,) = notes
    assert f"{ties} of {count} validation rows two answers tie" in note


def test_a_model_that_ties_often_can_not_tell_its_labels_apart() -> None:
    with pytest.raises(ExportError, match=r"4 of 300 validation rows get another answer") as refused:
        agree(*rows(300, 4))
    assert "train it longer" in refused.value.remedy


def test_another_answer_by_more_than_rounding_is_refused() -> None:
    before, after = rows(300, 0)
    after[7] = after[7][::-1]
    with pytest.raises(ExportError, match=r"logits differ by up to 1\.5 \(text 7 of 300\)"):
        agree(before, after)
