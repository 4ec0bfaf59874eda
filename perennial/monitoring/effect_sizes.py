"""How far two samples are apart, as sizes of an effect: with more rows they get more certain, not larger.

What chance alone makes of a small sample is taken off, so that a window of 300 rows and one of 3,000 mean the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from scipy.sparse import csr_array

BINS = 10
ROWS_A_BIN = 30
"""Fewer rows than this in a bin say little, so small samples are cut into fewer bins."""
PSEUDO_COUNT = 0.5
DRAWS = 20
FOLDS = 5
HASHED = 1 << 16


def psi(reference: np.ndarray, window: np.ndarray) -> float:
    """Population stability index of counts in the same bins, 0 or more; (bins,) each.

    Σ (w − r) ln(w / r) over the bins' shares (Siddiqi, Credit Risk Scorecards, 2006: 0.1 small, 0.25 large). Half a row
    is added to each bin, and (bins − 1)(1/n + 1/m) is taken off: what it comes to for two samples of one distribution
    (Yurdakul and Naranjo, Statistical properties of the population stability index, 2020).
    """
    counted = (reference + window) > 0
    old, new = reference[counted] + PSEUDO_COUNT, window[counted] + PSEUDO_COUNT
    r, w = old / old.sum(), new / new.sum()
    chance = (len(r) - 1) * (1 / max(1, reference.sum()) + 1 / max(1, window.sum()))
    return float(max(0.0, np.sum((w - r) * np.log(w / r)) - chance))


def edges(values: np.ndarray, rows: int) -> np.ndarray:
    """Where `values` (n,) are cut into equal parts to be compared with `rows` others.

    Ten parts; fewer of few values or rows, and where many values are the same.
    """
    bins = min(BINS, max(2, min(len(values), rows) // ROWS_A_BIN))
    return np.unique(np.quantile(values, np.linspace(0, 1, bins + 1)[1:-1]))


def binned(values: np.ndarray, cuts: np.ndarray) -> np.ndarray:
    """How many of `values` lie in each of the bins between `cuts` (c,); (c + 1,)."""
    return np.bincount(np.searchsorted(cuts, values, side="left"), minlength=len(cuts) + 1).astype(float)


def js_divergence(one: np.ndarray, other: np.ndarray) -> float:
    """Jensen-Shannon divergence in bits (Lin 1991), 0 to 1, of two lots of counts; (k,) each, neither all 0."""
    p, q = one / one.sum(), other / other.sum()
    middle = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        halves = [np.where(share > 0, share * np.log2(share / middle), 0.0) for share in (p, q)]
    return max(0.0, float(sum(half.sum() for half in halves)) / 2)


def distance(reference: csr_array, window: csr_array, chance: float) -> float:
    """Jensen-Shannon distance, 0 to 1 (a metric: Endres and Schindelin 2003), of counts by row; (rows, k) each.

    `chance`: the divergence that `chance_of` found for windows of so many rows.
    """
    old, new = _total(reference), _total(window)
    if not old.sum() or not new.sum():
        return 0.0 if old.sum() == new.sum() else 1.0
    return float(np.sqrt(max(0.0, js_divergence(old, new) - chance)))


def chance_of(reference: csr_array, rows: int) -> float:
    """The mean divergence between `rows` rows of `reference` and all of it that chance alone makes.

    Drawn, not computed: the tokens of one text are no independent draws, so a formula that counts tokens is far off.
    """
    size, drawn = reference.shape[0], min(rows, reference.shape[0] // 2)
    random = np.random.default_rng(0)
    probabilities = []
    for _ in range(DRAWS):
        order = random.permutation(size)
        one, other = _total(reference[order[:drawn]]), _total(reference[order[drawn:]])
        if one.sum() and other.sum():
            probabilities.append(js_divergence(one, other))
    # It falls as 1/n + 1/m.
    scale = (1 / rows + 1 / size) / (1 / drawn + 1 / (size - drawn))
    return float(np.mean(probabilities)) * scale if probabilities else 0.0


def _total(counts: csr_array) -> np.ndarray:
    return np.asarray(counts.sum(axis=0), dtype=float).ravel()


def domain_auc(reference: Sequence[str], window: Sequence[str]) -> float:
    """How well a classifier tells `window` from `reference`: the area under its ROC curve on texts it did not see.

    0.5: not at all. The domain classifier of Rabanser, Günnemann and Lipton, Failing Loudly (2019), as a logistic
    regression on TF-IDF of words and pairs of words, cross-validated. Case and numbers count for nothing (a date
    would tell any two weeks apart), nor does how often the same text is there.
    """
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    old, new = _plain(reference), _plain(window)
    texts, is_new = [*old, *new], np.repeat([0, 1], [len(old), len(new)])
    if min(len(old), len(new)) < FOLDS:
        return 0.5
    counts = HashingVectorizer(ngram_range=(1, 2), n_features=HASHED, alternate_sign=False).transform(texts)
    words = TfidfTransformer(sublinear_tf=True).fit_transform(counts)
    model = LogisticRegression(solver="liblinear", class_weight="balanced", random_state=0)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    scores = cross_val_predict(model, words, is_new, cv=folds, method="decision_function")
    return float(roc_auc_score(is_new, scores))


def _plain(texts: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(re.sub(r"\d+", "0", text.lower()) for text in texts))
