"""Accuracy on late labels: fair to all texts although the hard ones are labelled first, and no surer than it may be."""

from datetime import UTC, datetime, timedelta
from typing import Literal

import numpy as np
import pytest

from perennial.monitoring.health.labelled_accuracy import LiveLabels, interval
from perennial.records.labelling import LabelledText

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def said(
    number: int,
    label: str | None,
    chosen: Literal["unsure", "novel", "random"] = "random",
    weight: float | None = 1.0,
    annotator: str = "ann",
    later: int = 0,
) -> LabelledText:
    return LabelledText(
        id=f"t{number}",
        text="",
        label=label,
        annotator=annotator,
        labelled_at=NOW + timedelta(minutes=later),
        chosen_by=chosen,
        weight=weight if chosen == "random" else None,
        skipped=label is None,
    )


def test_unsure_texts_count_as_labelled_and_bias_nothing() -> None:
    answers = {f"t{number}": "good" for number in range(200)}
    drawn_by_chance = [said(number, "good" if number % 5 else "bad") for number in range(100)]
    unsure = [said(number, "bad", "unsure") for number in range(100, 200)]
    found = LiveLabels([*drawn_by_chance, *unsure]).accuracy(answers)
    assert (found.labelled, found.by_chance) == (200, 100)
    assert found.accuracy == pytest.approx(0.8)
    assert LiveLabels(unsure).accuracy(answers).accuracy is None


def test_weights_make_an_uneven_draw_fair() -> None:
    random = np.random.default_rng(3)
    found = []
    for _ in range(100):
        right = random.random(500) < np.where(np.arange(500) < 250, 0.95, 0.55)
        # Of the harder half, five times as many are drawn.
        chance = np.where(np.arange(500) < 250, 0.05, 0.25)
        drawn = np.flatnonzero(random.random(500) < chance)
        labels = LiveLabels(said(n, "yes" if right[n] else "no", weight=1 / chance[n]) for n in drawn)
        found.append((labels.accuracy({f"t{n}": "yes" for n in range(500)}), right.mean()))
    errors = [one.accuracy - truth for one, truth in found if one.accuracy is not None]
    assert abs(np.mean(errors)) < 0.02
    held = [one.interval.low <= truth <= one.interval.high for one, truth in found if one.interval]
    assert np.mean(held) >= 0.94


def test_one_annotator_may_change_their_mind_and_two_may_disagree() -> None:
    labels = LiveLabels([said(1, "no"), said(1, "yes", later=1), said(2, "yes"), said(2, "no", annotator="bob")])
    found = labels.accuracy({"t1": "yes", "t2": "yes"})
    assert (found.labelled, found.accuracy) == (2, pytest.approx(0.75))


def test_skipped_texts_say_nothing() -> None:
    assert LiveLabels([said(1, None)]).accuracy({"t1": "yes"}).labelled == 0


@pytest.mark.parametrize(("share", "texts"), [(1.0, 3), (0.0, 3), (0.5, 2), (0.9, 200)])
def test_the_interval_is_within_0_and_1_and_narrows(share: float, texts: int) -> None:
    few, many = interval(share, np.ones(texts)), interval(share, np.ones(20 * texts))
    assert 0 <= few.low <= share <= few.high <= 1
    assert few.high - few.low > many.high - many.low > 0
