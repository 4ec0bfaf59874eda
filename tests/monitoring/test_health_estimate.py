"""Accuracy without labels: near the truth where scores mean what they say, and nothing told where they may not."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from health_tables import WORDS, drawn

from perennial.monitoring.health import accuracy_estimate, label_shift
from perennial.monitoring.health.accuracy_estimate import AccuracyEstimate, estimated_accuracy
from perennial.monitoring.health.hidden_columns import hidden_column
from perennial.monitoring.health.scored_texts import ScoredTexts

REFERENCE, TARGETS = drawn(1, 1000)


def after(seed: int, count: int = 400, **shift: Any) -> tuple[AccuracyEstimate, float]:
    window, targets = drawn(seed, count, **shift)
    return estimated_accuracy(REFERENCE, TARGETS, window), float((window.answers == targets).mean())


@pytest.fixture(autouse=True)
def _few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accuracy_estimate, "DRAWS", 30)


def harder(seed: int) -> tuple[AccuracyEstimate, float]:
    """The answers to a window that holds more of the texts that are hard to tell."""
    window, targets = drawn(seed, 900)
    sure = window.scores.max(axis=1)
    # Of another seed, so that what is kept does not depend on the labels drawn.
    kept = np.random.default_rng(1000 + seed).random(900) < np.where(sure < 0.8, 0.9, 0.25)
    hard = ScoredTexts([text for text, is_kept in zip(window.texts, kept, strict=True) if is_kept], window.scores[kept])
    return estimated_accuracy(REFERENCE, TARGETS, hard), float((hard.answers == targets[kept]).mean())


def test_harder_texts_lower_the_estimate_as_they_lower_accuracy() -> None:
    own = float((REFERENCE.answers == TARGETS).mean())
    pairs = [harder(seed) for seed in range(10, 13)]
    errors = [estimate.value - truth for estimate, truth in pairs if estimate.value is not None]
    held = [e.interval.low <= truth <= e.interval.high for e, truth in pairs if e.interval is not None]
    assert len(errors) == len(held) == len(pairs)
    assert np.mean(np.abs(errors)) < 0.045
    assert sum(held) >= 2
    assert all(truth < own - 0.05 for _, truth in pairs)


def test_overconfident_scores_are_put_right_by_the_reference() -> None:
    def sharpened(rows: ScoredTexts) -> ScoredTexts:
        odds = rows.scores**3
        return ScoredTexts(rows.texts, odds / odds.sum(axis=1, keepdims=True))

    window, targets = drawn(21, 400)
    truth = float((window.answers == targets).mean())
    found = estimated_accuracy(sharpened(REFERENCE), TARGETS, sharpened(window))
    assert found.value == pytest.approx(truth, abs=0.04)
    assert sharpened(window).scores.max(axis=1).mean() > truth + 0.06


def test_texts_of_another_world_are_not_told() -> None:
    found, _ = after(3, words=[f"{word}x" for word in WORDS])
    assert found.value is None
    assert found.problem is not None
    assert "too unlike" in found.problem


def test_labels_that_became_frequent_are_not_told() -> None:
    known = drawn(4, 1000, sureness=0.8, prior=(8, 1, 1), believed=(8, 1, 1))
    window, _ = drawn(5, 500, sureness=0.8, prior=(1, 8, 1), believed=(8, 1, 1))
    found = estimated_accuracy(*known, window)
    assert found.value is None
    assert found.problem is not None
    assert "what has shifted" in found.problem


def test_labels_more_frequent_alone_are_found_from_answers() -> None:
    window, targets = drawn(6, 4000, prior=(6, 1, 1))
    confusion = label_shift.Confusion(REFERENCE.answers, TARGETS, window.answers, 3)
    found, moved = confusion.reading(np.ones(1000), np.ones(4000))
    assert moved == pytest.approx(6 / 8 - 1 / 3, abs=0.05)
    assert found == pytest.approx(float((window.answers == targets).mean()), abs=0.03)


def test_a_reference_that_says_too_little_is_said() -> None:
    window, _ = drawn(7, 100)
    few = ScoredTexts(REFERENCE.texts[:100], REFERENCE.scores[:100])
    assert "Only 100 rows" in str(estimated_accuracy(few, TARGETS[:100], window).problem)
    assert "wrongly" in str(estimated_accuracy(REFERENCE, REFERENCE.answers, window).problem)


def test_copies_of_one_story_make_the_interval_wider() -> None:
    window, _ = drawn(8, 400)
    copied = ScoredTexts(window.texts, window.scores, [f"s{number // 20}" for number in range(400)])
    alone, together = (estimated_accuracy(REFERENCE, TARGETS, one) for one in (window, copied))
    assert alone.interval
    assert together.interval
    assert together.interval.high - together.interval.low > 2 * (alone.interval.high - alone.interval.low)


def test_a_column_that_tells_more_than_scores_do_makes_no_figure() -> None:
    draw = np.random.default_rng(5)
    targets, doubtful = TARGETS.copy(), draw.random(len(TARGETS)) < 0.3
    # Of doubtful rows a label in three is another, whatever their text and score are.
    noisy = np.flatnonzero(doubtful & (draw.random(len(TARGETS)) < 0.33))
    targets[noisy] = (targets[noisy] + 1) % 3
    window, _ = drawn(22, 400)
    agreed = ["two of three" if one else "all" for one in doubtful]
    by_chance = list(draw.choice(["a", "b", "c"], len(targets)))
    said = replace(REFERENCE, columns={"paper": by_chance})
    assert estimated_accuracy(said, targets, window).value is not None
    said = replace(REFERENCE, columns={"paper": by_chance, "agreed": agreed})
    hidden = estimated_accuracy(said, targets, window)
    assert hidden.value is None
    assert "whose agreed is 'two of three' are right less often" in str(hidden.problem)
    as_before = replace(window, columns={"agreed": agreed[:400]})
    assert estimated_accuracy(said, targets, as_before).value is not None
    worse = estimated_accuracy(said, targets, replace(window, columns={"agreed": ["two of three"] * 400}))
    assert "and are 100% of these texts" in str(worse.problem)


def test_chance_and_few_rows_name_no_column() -> None:
    draw = np.random.default_rng(6)
    likely = draw.uniform(0.5, 1, 600)
    named = 0
    for _ in range(100):
        right = (draw.random(600) < likely).astype(float)
        columns = {"five": [str(one) for one in draw.integers(0, 5, 600)], "each its own": [str(n) for n in range(600)]}
        named += hidden_column(columns, {}, right, likely) is not None
    assert named <= 5
    rare = ["rare"] * 20 + ["usual"] * 580
    assert hidden_column({"rare": rare}, {}, np.array([0.0] * 20 + [1.0] * 580), likely) is None
