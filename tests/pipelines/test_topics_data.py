"""The synthetic headlines with topics: as the README describes them, not solved by words."""

from collections import Counter
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from perennial.rows.folding import normalise
from perennial.settings.data import SPLITS
from perennial.settings.pipeline import PipelineSpec

Rows = list[dict[str, Any]]


def test_no_text_is_there_twice_and_every_slot_is_filled(rows: Rows) -> None:
    texts = Counter(normalise(row["text"]) for row in rows)

    assert [text for text, count in texts.items() if count > 1] == []
    assert [text for text in texts if any(mark in text for mark in "{}[]/")] == []
    assert all(10 <= len(text) <= 300 for text in texts)


def test_rows_have_up_to_three_topics_each_once_in_order(rows: Rows, pipeline: PipelineSpec) -> None:
    order = pipeline.data.labels
    sizes = Counter(len(row["topics"]) for row in rows)

    assert all(list(row) == ["text", "topics", "published_at"] for row in rows)
    assert all(row["topics"] == [topic for topic in order if topic in row["topics"]] for row in rows)
    assert set(sizes) == {0, 1, 2, 3}
    assert 0.06 < sizes[0] / len(rows) < 0.11
    assert (sizes[2] + sizes[3]) / len(rows) > 0.2


def test_shares_of_the_topics_differ(rows: Rows, pipeline: PipelineSpec) -> None:
    counts = Counter(topic for row in rows for topic in row["topics"])
    shares = {topic: counts[topic] / len(rows) for topic in pipeline.data.labels}

    assert min(shares, key=lambda topic: shares[topic]) == "sustainability"
    assert 0.04 < shares["sustainability"] < 0.08
    assert max(shares.values()) > 0.18
    assert set(counts) == set(pipeline.data.labels)


@pytest.mark.parametrize("split", SPLITS)
def test_every_split_has_every_topic_and_rows_without(
    rows: Rows, places: list[str], pipeline: PipelineSpec, split: str
) -> None:
    there = [row["topics"] for row, row_split in zip(rows, places, strict=True) if row_split == split]
    counts = Counter(topic for topics in there for topic in topics)

    assert all(counts[topic] >= 10 for topic in pipeline.data.labels)
    assert [] in there


def test_words_alone_do_not_give_the_topics_away(rows: Rows, places: list[str], pipeline: PipelineSpec) -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import f1_score
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.pipeline import make_pipeline

    texts = np.array([row["text"] for row in rows], dtype=object)
    held = np.array([[topic in row["topics"] for topic in pipeline.data.labels] for row in rows], dtype=int)
    test = np.array(places) == "test"
    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
        OneVsRestClassifier(LogisticRegression(C=100, max_iter=500)),
    )
    answers = model.fit(texts[~test], held[~test]).predict(texts[test])

    assert 0.60 < f1_score(held[test], answers, average="micro") < 0.84


def test_pipeline_names_its_labels(pipeline: PipelineSpec, make_data: ModuleType) -> None:
    assert pipeline.data.labels == tuple(make_data.TOPICS)
