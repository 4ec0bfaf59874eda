"""Baselines: what they answer, in every script, and that they always answer."""

from collections.abc import Callable, Sequence

import pyarrow as pa
import pytest

from perennial.metrics import baselines
from perennial.metrics.baselines import Texts, majority_label, tfidf_logistic_regression
from perennial.metrics.prediction import Prediction

Baseline = Callable[[Texts, Sequence[str]], list[Prediction]]

LABELS = ("down", "up", "flat")


def rows(*pairs: tuple[str, str]) -> pa.Table:
    texts, labels = zip(*pairs, strict=True)
    return pa.table({"text": pa.array(texts, pa.string()), "label": pa.array(labels, pa.string())})


def texts(train: pa.Table, test: pa.Table) -> Texts:
    return Texts.of(train, test, ["text"], "label")


TRAIN = rows(
    *[(f"shares of plant {i} rose", "up") for i in range(20)],
    *[(f"shares of plant {i} fell", "down") for i in range(30)],
)
TEST = rows(("shares rose", "up"), ("shares fell", "down"), ("", "up"))


def test_majority_answers_the_commonest_label_with_the_shares() -> None:
    predictions = majority_label(texts(TRAIN, TEST), LABELS)
    scores = {"down": 0.6, "up": 0.4, "flat": 0.0}
    assert predictions == [{"label": "down", "score": 0.6, "scores": scores}] * 3


def test_majority_breaks_ties_by_the_labels_order() -> None:
    even = rows(("x", "up"), ("y", "down"))
    assert majority_label(texts(even, TEST), LABELS)[0]["label"] == "down"
    assert majority_label(texts(even, TEST), LABELS[::-1])[0]["label"] == "up"


@pytest.mark.parametrize("baseline", [majority_label, tfidf_logistic_regression])
def test_predictions_are_as_the_predictors(baseline: Baseline) -> None:
    predictions = baseline(texts(TRAIN, TEST), LABELS)
    assert len(predictions) == TEST.num_rows
    for prediction in predictions:
        assert list(prediction["scores"]) == list(LABELS), "every label has a score, also one never seen in training"
        assert sum(prediction["scores"].values()) == pytest.approx(1)
        assert prediction["score"] == prediction["scores"][prediction["label"]] == max(prediction["scores"].values())
        assert type(prediction["score"]) is float, "written as JSON later"


def test_tfidf_learns_words() -> None:
    assert [p["label"] for p in tfidf_logistic_regression(texts(TRAIN, TEST), LABELS)[:2]] == ["up", "down"]


def test_tfidf_learns_word_pairs() -> None:
    train = rows(*[("not good", "down"), ("good not", "up")] * 10)
    test = rows(("not good", "down"), ("good not", "up"))
    assert [p["label"] for p in tfidf_logistic_regression(texts(train, test), LABELS)] == ["down", "up"]


SCRIPTS = {
    "Chinese, without spaces": ("公司股价今日大幅上涨", "公司股价今日大幅下跌", "股价上涨", "股价下跌"),
    "Thai, without spaces": ("หุ้นบริษัทขึ้นแรงวันนี้", "หุ้นบริษัทตกหนักวันนี้", "หุ้นขึ้นแรง", "หุ้นตกหนัก"),
    "Arabic": ("ارتفعت أسهم الشركة اليوم", "انخفضت أسهم الشركة اليوم", "ارتفعت الأسهم", "انخفضت الأسهم"),
    "emoji alone": ("🚀🚀📈", "📉📉😭", "📈", "📉"),
    "punctuation alone": ("!!!", "???", "!", "?"),
    "one letter": ("a", "b", "a", "b"),
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_tfidf_learns_in_every_script(script: str) -> None:
    up, down, test_up, test_down = SCRIPTS[script]
    train, test = rows(*[(up, "up"), (down, "down")] * 5), rows((test_up, "up"), (test_down, "down"))
    predictions = tfidf_logistic_regression(texts(train, test), LABELS)
    assert [p["label"] for p in predictions] == ["up", "down"]


def test_tfidf_of_a_single_label_is_the_majority() -> None:
    train = rows(("rose", "up"), ("rose again", "up"))
    single = texts(train, TEST)
    assert tfidf_logistic_regression(single, LABELS) == majority_label(single, LABELS)


def test_tfidf_is_the_same_every_time() -> None:
    assert tfidf_logistic_regression(texts(TRAIN, TEST), LABELS) == tfidf_logistic_regression(
        texts(TRAIN, TEST), LABELS
    )


@pytest.mark.parametrize(("limit", "kept"), [(100, 50), (50, 50), (49, 25), (10, 10), (1, 1)])
def test_a_large_history_is_thinned_evenly(monkeypatch: pytest.MonkeyPatch, limit: int, kept: int) -> None:
    monkeypatch.setattr(baselines, "MAX_TRAIN_ROWS", limit)
    thinned = texts(TRAIN, TEST)
    assert len(thinned.train) == len(thinned.targets) == kept <= limit
    assert len(thinned.test) == TEST.num_rows
    pairs = list(zip(TRAIN["text"].to_pylist(), TRAIN["label"].to_pylist(), strict=True))
    assert list(zip(thinned.train, thinned.targets, strict=True)) == pairs[:: -(-len(pairs) // limit)]
