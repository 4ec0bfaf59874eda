"""Simple models a candidate must beat: if it can't, the data has no use for a transformer."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perennial.metrics.prediction import Prediction

if TYPE_CHECKING:
    import pyarrow as pa

WORDS = r"(?u)\b\w+\b"
MAX_TRAIN_ROWS = 200_000
"""More rows would cost minutes and hardly move a linear model."""


@dataclass(frozen=True)
class Texts:
    """What a baseline learns from, and the rows it answers."""

    train: list[str]
    targets: list[Any]
    test: list[str]

    @classmethod
    def of(cls, train: pa.Table, test: pa.Table, columns: Sequence[str], target: str) -> Texts:
        """The `columns` of each row as one text; of very many train rows, every n-th."""
        import numpy as np

        # Every n-th row: deterministic, and spread over the whole history.
        thinned = train.take(np.arange(0, train.num_rows, max(1, -(-train.num_rows // MAX_TRAIN_ROWS))))
        return cls(_joined(thinned, columns), thinned[target].to_pylist(), _joined(test, columns))

    def vectors(self) -> tuple[Any, Any]:
        """TF-IDF of words and word pairs: of the train rows and of the test rows.

        Scripts written without spaces, and texts without words (emoji), get runs of one to four characters instead,
        because splitting at spaces would leave whole sentences as words.
        """
        from sklearn.feature_extraction.text import TfidfVectorizer

        words: dict[str, object] = {"token_pattern": WORDS, "ngram_range": (1, 2)}
        if _written_without_spaces(self.train) or not any(re.search(WORDS, text) for text in self.train):
            words = {"analyzer": "char", "ngram_range": (1, 4)}
        vectorizer = TfidfVectorizer(sublinear_tf=True, max_features=200_000, **words)
        return vectorizer.fit_transform(self.train), vectorizer.transform(self.test)


def majority_label(texts: Texts, labels: Sequence[str]) -> list[Prediction]:
    """The commonest label of the train rows for every test row, scored by the label shares there."""
    counts = Counter(texts.targets)
    scores = {label: counts[label] / len(texts.targets) for label in labels}
    label = max(scores, key=lambda name: scores[name])
    return [{"label": label, "score": scores[label], "scores": scores}] * len(texts.test)


def tfidf_logistic_regression(texts: Texts, labels: Sequence[str]) -> list[Prediction]:
    """Logistic regression on TF-IDF. Train rows of one label only: that label."""
    from sklearn.linear_model import LogisticRegression

    if len(set(texts.targets)) == 1:
        return majority_label(texts, labels)
    train, test = texts.vectors()
    model = LogisticRegression(C=10, max_iter=300).fit(train, texts.targets)
    classes = list(model.classes_)
    return [_prediction(dict(zip(classes, map(float, row), strict=True)), labels) for row in model.predict_proba(test)]


def commonest_labels(texts: Texts, labels: Sequence[str]) -> list[Prediction]:
    """Of any number of labels a row: those that most train rows have, or else the commonest one."""
    counts = Counter(label for row in texts.targets for label in row)
    scores = {label: counts[label] / len(texts.targets) for label in labels}
    likeliest = max(scores.values())
    chosen = [label for label, score in scores.items() if 0 < score >= min(0.5, likeliest)]
    return [{"labels": chosen, "scores": scores}] * len(texts.test)


def tfidf_one_versus_rest(texts: Texts, labels: Sequence[str]) -> list[Prediction]:
    """Of any number of labels a row: logistic regression on TF-IDF, one for each label, rows weighted by rarity."""
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    train, test = texts.vectors()
    scores = np.zeros((len(texts.test), len(labels)))
    for index, label in enumerate(labels):
        held = np.array([label in row for row in texts.targets])
        if held.all() or not held.any():
            scores[:, index] = held.mean()
            continue
        model = LogisticRegression(C=10, max_iter=300, class_weight="balanced").fit(train, held)
        scores[:, index] = model.predict_proba(test)[:, 1]
    named = [dict(zip(labels, row, strict=True)) for row in scores.tolist()]
    return [{"labels": [label for label, score in row.items() if score >= 0.5], "scores": row} for row in named]


def mean_value(texts: Texts) -> list[Prediction]:
    """The mean of the train rows' numbers for every test row."""
    mean = sum(texts.targets) / len(texts.targets)
    return [{"value": mean}] * len(texts.test)


def tfidf_ridge(texts: Texts) -> list[Prediction]:
    """Ridge regression on TF-IDF."""
    from sklearn.linear_model import Ridge

    train, test = texts.vectors()
    model = Ridge(alpha=1.0, solver="sparse_cg", random_state=0).fit(train, texts.targets)
    return [{"value": float(value)} for value in model.predict(test)]


def _joined(rows: pa.Table, columns: Sequence[str]) -> list[str]:
    return [
        " ".join(text or "" for text in row) for row in zip(*(rows[name].to_pylist() for name in columns), strict=True)
    ]


def _written_without_spaces(texts: Sequence[str]) -> bool:
    sample = texts[:1000]
    letters = sum(map(len, sample))
    return sum(text.count(" ") for text in sample) < 0.04 * letters


def _prediction(scores: dict[str, float], labels: Sequence[str]) -> Prediction:
    full = {label: scores.get(label, 0.0) for label in labels}
    label = max(full, key=lambda name: full[name])
    return {"label": label, "score": full[label], "scores": full}
