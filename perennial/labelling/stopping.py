"""When to stop: what more labels would bring at most, by the curve so far.

The gain of a cheap model between half of the labels and all of them is measured on labelled texts that it did not learn
from. Learning curves are concave but for noise (Viering and Loog 2022 look at when they are not): what the next label
brings is at most what one of the last half brought on average. So `more` labels bring at most more / half times the
upper bound of that gain.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from perennial.core.record import Record
from perennial.records.labelling import LabelledText

MORE = 100
"""Labels that are asked about."""
LEAST = 200
"""Labelled texts below which nothing is told: half of them would be no model."""
LEAST_OF_A_LABEL = 10
LEAST_BY_CHANCE = 100
"""Texts chosen by chance from which on the gain is measured on them alone, as they stand for all."""
MOST = 4_000
"""Labelled texts that are looked at: the newest, so that it takes seconds."""
FOLDS = 5
HALVES = 4
"""Different halves of the labels that are tried: one could be lucky."""
ONE_SIDED_95 = 1.645
FEATURES = 2**18
LONGEST = 5_000
"""Characters of a text that are looked at."""


class MoreLabels(Record):
    """What more labels would bring."""

    labels: int
    """Texts with a label so far."""
    more: int = MORE
    accuracy: float | None = None
    """Of the cheap model with all labels; None: it can't be told yet."""
    at_half: float | None = None
    """With half of them."""
    at_most: float | None = None
    """What `more` labels would add to accuracy at most (95%)."""
    by_chance: bool = False
    """Whether that is of texts chosen by chance, and so of all live texts; else of those chosen to be hard."""
    sentence: str


def more_labels(labelled: Sequence[LabelledText]) -> MoreLabels:
    """What MORE labels would bring to accuracy at most, at 95%, by texts that have one label each.

    Of a text that several people labelled the newest label counts.
    """
    texts = list({one.id: one for one in labelled if one.label is not None and one.says_something}.values())[-MOST:]
    if reason := _too_little(texts, len(labelled)):
        return MoreLabels(labels=len(texts), sentence=f"It can't be told yet what more labels would bring: {reason}.")
    right, right_at_half = _rightness(texts)
    chance = np.array([one.weight is not None for one in texts])
    by_chance = int(chance.sum()) >= LEAST_BY_CHANCE
    weights = np.array([one.weight or 0.0 for one in texts]) if by_chance else np.ones(len(texts))
    at_most = _at_most(right - right_at_half, weights, len(texts))
    if _is_no_better(right, texts):
        return MoreLabels(
            labels=len(texts),
            sentence=f"It can't be told yet what more labels would bring: a plain model of words has learned nothing "
            f"from the {len(texts):,} so far.",
        )
    whose = "of all live texts" if by_chance else "of texts chosen as these were, which are harder than most"
    return MoreLabels(
        labels=len(texts),
        accuracy=float(np.average(right, weights=weights)),
        at_half=float(np.average(right_at_half, weights=weights)),
        at_most=at_most,
        by_chance=by_chance,
        sentence=f"{MORE} more labels would bring at most {at_most:.3f} of accuracy (95%), {whose}, as a plain model "
        f"of words learns from the {len(texts):,} so far.",
    )


def _too_little(texts: Sequence[LabelledText], said: int) -> str:
    counts = Counter(one.label for one in texts)
    if said and not texts:
        return "it is told of texts with one label each"
    if len(texts) < LEAST:
        return f"{len(texts):,} texts are labelled, and {LEAST} are the least"
    if len(counts) < 2:
        return f"all have the label {next(iter(counts))!r}"
    label, fewest = counts.most_common()[-1]
    return f"{label!r} has {fewest}, and {LEAST_OF_A_LABEL} are the least" if fewest < LEAST_OF_A_LABEL else ""


def _is_no_better(right: np.ndarray, texts: Sequence[LabelledText]) -> bool:
    """Whether the model may be no better than the commonest label: then its curve has not begun to rise, and is not
    concave."""
    [(commonest, _)] = Counter(one.label for one in texts).most_common(1)
    lead = right - np.array([one.label == commonest for one in texts], float)
    return bool(lead.mean() <= ONE_SIDED_95 * lead.std() / math.sqrt(len(lead)))


def _rightness(texts: Sequence[LabelledText]) -> tuple[np.ndarray, np.ndarray]:
    """Whether each text is answered rightly by a model that learned from the labels of other folds, and by models that
    learned from half of them (the mean of HALVES)."""
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
    from sklearn.model_selection import StratifiedKFold

    hashing = HashingVectorizer(n_features=FEATURES, ngram_range=(1, 2), alternate_sign=False, norm=None)
    counts = hashing.transform([one.text[:LONGEST] for one in texts])
    counts = counts[:, np.unique(counts.indices)]  # Words that are there.
    rows = TfidfTransformer(sublinear_tf=True).fit_transform(counts).tocsr()
    names = np.array([str(one.label) for one in texts])
    right, at_half = np.zeros(len(texts)), np.zeros(len(texts))
    draw = np.random.default_rng(0)
    for train, held in StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(rows, names):
        right[held] = _answers(rows, names, train, held)
        for _ in range(HALVES // 2):
            shuffled = draw.permutation(train)
            middle = len(shuffled) // 2
            for half in (shuffled[:middle], shuffled[middle:]):
                at_half[held] += _answers(rows, names, half, held) / HALVES
    return right, at_half


def _answers(rows: object, names: np.ndarray, train: np.ndarray, held: np.ndarray) -> np.ndarray:
    """By complement naive Bayes (Rennie et al. 2003), which learns in milliseconds."""
    from sklearn.naive_bayes import ComplementNB

    model = ComplementNB().fit(rows[train], names[train])  # type: ignore[index]
    return np.asarray(model.predict(rows[held]) == names[held], float)  # type: ignore[index]


def _at_most(gain: np.ndarray, weights: np.ndarray, labels: int) -> float:
    """The upper bound of what MORE labels bring, by each text's `gain` from half of its labels to all of them."""
    share = weights / weights.sum()
    mean = float((share * gain).sum())
    error = math.sqrt(float((share**2 * (gain - mean) ** 2).sum()))
    half = labels * (FOLDS - 1) / FOLDS / 2
    return min(1.0, max(0.0, mean + ONE_SIDED_95 * error) * MORE / half)
