"""Accuracy without labels: how many of a window's answers are right, from how right answers like them were.

Assumes covariate shift: an answer like one of the reference's (as sure, of the same label, to as long a text) is right
as often as that one. Whether that holds can't be seen without labels. So the interval is widened by as much as the
texts can be told from the reference's, and nothing is told where the signs speak against it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from perennial.core.percent import percent
from perennial.monitoring import effect_sizes
from perennial.monitoring.health import label_shift, logistic
from perennial.monitoring.health.hidden_columns import hidden_column
from perennial.monitoring.health.scored_texts import ScoredTexts, features
from perennial.records.interval import Interval

LEAST_REFERENCE = 200
LEAST_WRONG = 20
"""Right and wrong answers that the reference must have at least, each, to learn from which are which."""
RIDGE_RIGHT, RIDGE_DOMAIN = 1.0, 20.0
MOST_WEIGHT = 20.0
"""Of a row, beside the average one."""
DRAWS = 100
Z = 1.96
LEAST_EFFECTIVE = 100.0
"""Rows of the reference that must be left of it when it is weighed to be like the window."""
UNSEEN = 0.5
"""How much less, or more, often right the texts may be that the reference has none of, at the same score."""
MOST_ALLOWED = 0.06
"""Where that would move accuracy by more, nothing is told."""
LABELS_MOVED, DISAGREEMENT = 0.1, 0.05
"""Where labels' frequencies seem to have moved by more (total variation), and accuracy is another by more if they have,
nothing is told."""
REFERENCE_TEXTS = 1500
SHOWN = 40
"""Characters of a column's value."""


@dataclass(frozen=True)
class AccuracyEstimate:
    """What is told of a window, or why nothing is."""

    value: float | None = None
    interval: Interval | None = None
    problem: str | None = None


def estimated_accuracy(reference: ScoredTexts, targets: np.ndarray, window: ScoredTexts) -> AccuracyEstimate:
    """The share of right answers among those of `window`, with the interval that holds it in 95% of windows.

    `targets`: the number of each right label of `reference`, rows that the version did not learn from; (n,). Of
    `window`, no label is known.

    The share is the mean over the window of the chance to be right, by a logistic regression on the reference (Platt
    1999; NannyML calls such an estimate CBPE), corrected by its own errors there, weighed by how likely each row would
    be in the window (doubly robust: Robins, Rotnitzky and Zhao 1994; the weights from a classifier: Bickel, Brückner
    and Scheffer 2009). The interval: a bootstrap over both sets of rows, what chance makes of so many answers, and
    `UNSEEN` times how far the texts can be told apart.
    """
    right = reference.answers == targets
    if problem := _too_little(right):
        return AccuracyEstimate(problem=problem)
    if problem := _hidden(reference, right, window):
        return AccuracyEstimate(problem=problem)
    told_apart = _told_apart(reference, window)
    allowed = UNSEEN * told_apart
    if allowed > MOST_ALLOWED:
        return AccuracyEstimate(
            problem=f"The texts are too unlike those that the model was judged on: a classifier tells them apart with "
            f"an AUC of {(1 + told_apart) / 2:.2f}, so that how right the model is on them can't be taken from there."
        )
    draws = _Draws(reference, targets, window)
    if draws.effective < LEAST_EFFECTIVE:
        return AccuracyEstimate(
            problem=f"Too few of the rows that the model was judged on are like these texts: they tell as much as "
            f"{draws.effective:.0f} of {len(right):,}; {LEAST_EFFECTIVE:.0f} are needed."
        )
    return _told(draws, allowed, window)


def _told(draws: _Draws, allowed: float, window: ScoredTexts) -> AccuracyEstimate:
    value, by_labels, moved = draws.from_all
    others = np.array(list(draws.again()))
    apart, spread = abs(value - by_labels), float(np.std(others[:, 0] - others[:, 1]))
    if moved > LABELS_MOVED and apart > DISAGREEMENT + Z * spread:
        return AccuracyEstimate(
            problem=f"It depends on what has shifted: {percent(value)} would be right if the texts did, "
            f"{percent(by_labels)} if labels became more or less frequent, and answers alone can't say which."
        )
    chance = draws.varies / window.independent
    half = Z * float(np.sqrt(np.var(others[:, 0]) + chance)) + allowed
    return AccuracyEstimate(value, Interval(low=max(0.0, value - half), high=min(1.0, value + half)))


def _too_little(right: np.ndarray) -> str | None:
    fewer = int(min(right.sum(), len(right) - right.sum()))
    if len(right) < LEAST_REFERENCE:
        return f"Only {len(right):,} rows are kept from training to compare with; {LEAST_REFERENCE} are needed."
    if fewer < LEAST_WRONG:
        return (
            f"Of {len(right):,} rows kept from training, only {fewer} are answered "
            f"{'wrongly' if right.sum() > fewer else 'rightly'}; {LEAST_WRONG} are needed to learn what tells wrong "
            "answers from right ones."
        )
    return None


def _hidden(reference: ScoredTexts, right: np.ndarray, window: ScoredTexts) -> str | None:
    plain, yes = features(reference, reference)[0], right.astype(float)
    likely = logistic.sigmoid(plain @ logistic.fitted(plain, yes, np.ones(len(yes)), RIDGE_RIGHT))
    hidden = hidden_column(reference.columns, window.columns, yes, likely)
    if hidden is None:
        return None
    return (
        f"Of the rows kept from training, those whose {hidden.name} is {hidden.value[:SHOWN]!r} are right "
        f"{'more' if hidden.apart > 0 else 'less'} often than others of the same score, by {abs(hidden.apart):.2f}. "
        + (
            "Scores don't show whether live texts have more or fewer of such; only labels do."
            if hidden.now is None
            else f"They were {percent(hidden.before)} of those rows, and are {percent(hidden.now)} of these texts."
        )
    )


def _told_apart(reference: ScoredTexts, window: ScoredTexts) -> float:
    """0: a classifier can't tell their texts apart; 1: always."""
    places = np.linspace(0, len(reference.texts) - 1, min(REFERENCE_TEXTS, len(reference.texts)), dtype=int)
    auc = effect_sizes.domain_auc([reference.texts[row] for row in places], list(window.texts))
    return max(0.0, 2 * auc - 1)


class _Draws:
    """The estimate from all rows, and from rows drawn again."""

    def __init__(self, reference: ScoredTexts, targets: np.ndarray, window: ScoredTexts) -> None:
        self._right = (reference.answers == targets).astype(float)
        self._old, self._new = features(reference, window)
        self._all = np.vstack([self._old, self._new])
        self._is_new = np.repeat([0.0, 1.0], [len(self._old), len(self._new)])
        self._confusion = label_shift.Confusion(reference.answers, targets, window.answers, reference.scores.shape[1])
        self._starts: tuple[np.ndarray, np.ndarray] | None = None
        ones = np.ones(len(self._old)), np.ones(len(self._new))
        self.from_all = self._estimate(*ones)

    def again(self) -> Iterator[tuple[float, float, float]]:
        """The same of `DRAWS` bootstraps."""
        random, n, m = np.random.default_rng(0), len(self._old), len(self._new)
        for _ in range(DRAWS):
            yield self._estimate(
                random.multinomial(n, np.full(n, 1 / n)).astype(float),
                random.multinomial(m, np.full(m, 1 / m)).astype(float),
            )

    def _estimate(self, old: np.ndarray, new: np.ndarray) -> tuple[float, float, float]:
        """Accuracy if texts shifted, and if labels did, and how far those moved then; rows count `old`, `new` times."""
        start = self._starts or (None, None)
        tells_right = logistic.fitted(self._old, self._right, old, RIDGE_RIGHT, start[0])
        both = np.concatenate([old / old.sum(), new / new.sum()]) * len(self._all) / 2
        tells_new = logistic.fitted(self._all, self._is_new, both, RIDGE_DOMAIN, start[1])
        odds = np.minimum(np.exp(np.minimum(self._old @ tells_new, 30)), MOST_WEIGHT)
        weights = old * odds / (old * odds).sum()
        likely = logistic.sigmoid(self._new @ tells_right)
        errors = self._right - logistic.sigmoid(self._old @ tells_right)
        value = float(np.clip((new * likely).sum() / new.sum() + (weights * errors).sum(), 0, 1))
        if self._starts is None:
            self._starts = tells_right, tells_new
            self.effective = float(1 / np.square(weights).sum())
            self.varies = float((likely * (1 - likely)).mean())
        return value, *self._confusion.reading(old, new)
