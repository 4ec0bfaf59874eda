"""Simple models a candidate must beat: if it can't, the data has no use for a transformer."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from perennial.kinds.base import Prediction

if TYPE_CHECKING:
    import pyarrow as pa

WORDS = r"(?u)\b\w+\b"
MAX_TRAIN_ROWS = 200_000
"""More rows would cost minutes and hardly move a linear model."""


def majority_label(train: pa.Table, test: pa.Table, labels: Sequence[str]) -> list[Prediction]:
    """The commonest label of `train` for every row of `test`, scored by the label shares of `train`."""
    counts = Counter(train["label"].to_pylist())
    scores = {label: counts[label] / train.num_rows for label in labels}
    label = max(scores, key=lambda name: scores[name])
    return [{"label": label, "score": scores[label], "scores": scores}] * test.num_rows


def tfidf_logistic_regression(train: pa.Table, test: pa.Table, labels: Sequence[str]) -> list[Prediction]:
    """Logistic regression on TF-IDF of words and word pairs.

    Scripts written without spaces, and texts without words (emoji), get runs of one to four characters instead, because
    splitting at spaces would leave whole sentences as words. Rows of one label only: that label.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    texts, targets = _thinned(train)
    if len(set(targets)) == 1:
        return majority_label(train, test, labels)
    words: dict[str, object] = {"token_pattern": WORDS, "ngram_range": (1, 2)}
    if _written_without_spaces(texts) or not any(re.search(WORDS, text) for text in texts):
        words = {"analyzer": "char", "ngram_range": (1, 4)}
    model = make_pipeline(
        TfidfVectorizer(sublinear_tf=True, max_features=200_000, **words),
        LogisticRegression(C=10, max_iter=300),
    )
    model.fit(texts, targets)
    probabilities = model.predict_proba(test["text"].to_pylist())
    known = list(model.classes_)
    return [_prediction(dict(zip(known, map(float, row), strict=True)), labels) for row in probabilities]


def _thinned(train: pa.Table) -> tuple[list[str], list[str]]:
    # Every n-th row: deterministic, and spread over the whole history.
    import numpy as np

    thinned = train.take(np.arange(0, train.num_rows, max(1, -(-train.num_rows // MAX_TRAIN_ROWS))))
    return thinned["text"].to_pylist(), thinned["label"].to_pylist()


def _written_without_spaces(texts: Sequence[str]) -> bool:
    sample = texts[:1000]
    letters = sum(map(len, sample))
    return sum(text.count(" ") for text in sample) < 0.04 * letters


def _prediction(scores: dict[str, float], labels: Sequence[str]) -> Prediction:
    full = {label: scores.get(label, 0.0) for label in labels}
    label = max(full, key=lambda name: full[name])
    return {"label": label, "score": full[label], "scores": full}
