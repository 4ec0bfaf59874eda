"""The synthetic headlines with intensities: worth what the rules say, not solved by words."""

import statistics
from collections import Counter
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from perennial.rows.folding import normalise
from perennial.settings.data import SPLITS
from perennial.settings.pipeline import PipelineSpec

Rows = list[dict[str, Any]]


def mean_of(rows: Rows, *words: str, without: str = "\0") -> float:
    """Mean intensity of the rows whose text has all `words`; there must be some."""
    texts = [(normalise(row["text"]), row["intensity"]) for row in rows]
    values = [value for text, value in texts if all(word in text for word in words) and without not in text]
    assert len(values) >= 3, words
    return statistics.fmean(values)


def test_no_text_is_there_twice_and_every_slot_is_filled(rows: Rows) -> None:
    texts = Counter(normalise(row["text"]) for row in rows)

    assert [text for text, count in texts.items() if count > 1] == []
    assert [text for text in texts if any(mark in text for mark in "{}[]/*")] == []
    assert all(10 <= len(text) <= 300 for text in texts)


def test_intensities_have_two_decimals_from_minus_one_to_one(rows: Rows) -> None:
    assert all(list(row) == ["text", "intensity", "published_at"] for row in rows)
    assert all(type(row["intensity"]) is float and -1 <= row["intensity"] <= 1 for row in rows)
    assert all(row["intensity"] == round(row["intensity"], 2) for row in rows)


@pytest.mark.parametrize("split", SPLITS)
def test_every_split_has_strong_and_weak_headlines_of_both_signs(rows: Rows, places: list[str], split: str) -> None:
    values = np.array([row["intensity"] for row, row_split in zip(rows, places, strict=True) if row_split == split])

    assert abs(values.mean()) < 0.1
    assert 0.35 < values.std() < 0.55
    for low, high in ((-1, -0.6), (-0.6, -0.2), (-0.2, 0.2), (0.2, 0.6), (0.6, 1)):
        assert ((values >= low) & (values <= high)).mean() > 0.05, (low, high)


def test_strength_follows_the_rules_of_the_readme(rows: Rows) -> None:
    assert mean_of(rows, "profit", "plunged") < mean_of(rows, "trims its dividend") < -0.1
    assert mean_of(rows, "less than feared") > 0 > mean_of(rows, "less than hoped")
    assert abs(mean_of(rows, "contrary to a hoax")) < 0.05
    assert abs(mean_of(rows, "one makes up for the other")) < 0.05
    assert abs(mean_of(rows, "number of its shareholders")) < 0.1
    assert mean_of(rows, "profit warning", without=" not ") < -0.3


def test_noise_is_that_of_a_reader(make_data: ModuleType) -> None:
    rng = np.random.default_rng(1)
    values = [make_data.annotate(rng, 0.2) for _ in range(2000)]

    assert statistics.fmean(values) == pytest.approx(0.2, abs=0.01)
    assert statistics.stdev(values) == pytest.approx(make_data.NOISE, rel=0.1)
    assert {make_data.annotate(rng, 9), make_data.annotate(rng, -9)} <= {value / 100 for value in range(-100, 101)}


def test_words_alone_do_not_give_the_intensity_away(rows: Rows, places: list[str]) -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline

    texts = np.array([row["text"] for row in rows], dtype=object)
    values = np.array([row["intensity"] for row in rows])
    test = np.array(places) == "test"
    model = make_pipeline(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), Ridge(alpha=1.0))
    answers = model.fit(texts[~test], values[~test]).predict(texts[test])
    explained = 1 - np.mean((answers - values[test]) ** 2) / values[test].var()

    assert 0.3 < explained < 0.65


def test_pipeline_has_a_ceiling(pipeline: PipelineSpec) -> None:
    assert {gate.metric for gate in pipeline.gates if gate.max is not None} == {"rmse"}
