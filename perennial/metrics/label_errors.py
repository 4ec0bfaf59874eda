"""Rows whose given label the model contradicts, found by confident learning (Northcutt et al. 2021)."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from perennial.core import progress
from perennial.inference.spans import Span
from perennial.metrics.prediction import Prediction

if TYPE_CHECKING:
    import numpy as np


Found = TypeVar("Found", bound=Sequence[Any])


OUTLIER = 3.5
"""Standardized residuals further out than this are doubted (Iglewicz and Hoaglin 1993)."""


@dataclass(frozen=True)
class Doubt:
    """A row whose given label may be wrong."""

    row: int
    """Its place among the rows looked at."""
    suggested: Any
    """What the model would say, as a value of the target column."""
    score: float
    """How well the model supports the given label, 0 (not at all) to 1."""


def of_one_label(targets: Sequence[str], predictions: Sequence[Prediction], labels: Sequence[str]) -> list[Doubt]:
    """Rows of one label each that confident learning prunes; the score is the model's of the given label."""
    import numpy as np

    places = {label: index for index, label in enumerate(labels)}
    given = np.array([places[target] for target in targets], int)
    scores = _scores(predictions, labels)

    def prune() -> list[int]:
        from cleanlab.filter import find_label_issues

        # One process: cleanlab would start as many as there are cores, each with all of this in memory.
        issues: np.ndarray = find_label_issues(given, scores, return_indices_ranked_by="self_confidence", n_jobs=1)
        return [int(row) for row in issues]

    best = scores.argmax(axis=1) if len(scores) else given
    return [
        Doubt(int(row), labels[best[row]], float(scores[row, given[row]]))
        for row in _found(prune, len(np.unique(given)))
        if best[row] != given[row]
    ]


def of_several_labels(
    targets: Sequence[Sequence[str]], predictions: Sequence[Prediction], labels: Sequence[str]
) -> list[Doubt]:
    """Rows of any number of labels each, one against the rest (Thyagarajan et al. 2022); cleanlab's own score."""
    places = {label: index for index, label in enumerate(labels)}
    given = [sorted(places[label] for label in target) for target in targets]
    scores = _scores(predictions, labels)

    def prune() -> list[int]:
        from cleanlab.multilabel_classification.filter import find_label_issues

        issues: np.ndarray = find_label_issues(given, scores, return_indices_ranked_by="self_confidence", n_jobs=1)
        return [int(row) for row in issues]

    issues = [
        row
        for row in _found(prune, len(set(map(tuple, given))))
        if set(predictions[row]["labels"]) != set(targets[row])
    ]
    if not issues:
        return []
    from cleanlab.multilabel_classification import get_label_quality_scores

    quality = get_label_quality_scores(given, scores)
    return [Doubt(int(row), sorted(predictions[row]["labels"]), float(quality[row])) for row in issues]


def of_words(
    targets: Sequence[Sequence[Span]], predictions: Sequence[Prediction], labels: Sequence[str]
) -> list[Doubt]:
    """Rows with a word that confident learning prunes (Wang and Mueller 2022), where the spans found are others.

    A word is outside all spans or inside one of a label; where a span ends beside another of its label is not looked
    at. The score is the lowest of the row's pruned words.
    """
    given = [
        _words_inside(target, prediction["words"], labels)
        for target, prediction in zip(targets, predictions, strict=True)
    ]
    scores = [prediction["scores"] for prediction in predictions]

    def prune() -> list[tuple[int, int]]:
        from cleanlab.token_classification.filter import find_label_issues

        issues: list[tuple[int, int]] = find_label_issues([row.tolist() for row in given], scores, n_jobs=1)
        return issues

    lowest: dict[int, float] = {}
    for row, word in _found(prune, len({label for inside in given for label in inside.tolist()})):
        lowest[row] = min(float(scores[row][word, given[row][word]]), lowest.get(row, 1.0))
    return [
        Doubt(row, predictions[row]["spans"], score)
        for row, score in lowest.items()
        if [(span["start"], span["end"], span["label"]) for span in predictions[row]["spans"]] != list(targets[row])
    ]


def _words_inside(target: Sequence[Span], words: np.ndarray, labels: Sequence[str]) -> np.ndarray:
    """For each of `words` the number of its span's label, from 1; 0: it is in none."""
    import numpy as np

    inside = np.zeros(len(words), int)
    for start, end, label in target:
        inside[(words[:, 0] < end) & (words[:, 1] > start)] = labels.index(label) + 1
    return inside


def of_numbers(targets: Sequence[float], predictions: Sequence[Prediction]) -> list[Doubt]:
    """Rows whose number is an outlier among the residuals.

    Residuals are standardized by their median and their median absolute deviation, which outliers do not move; the
    score is how often a normal residual is further out.
    """
    import numpy as np

    if not targets:
        return []
    answers = np.array([prediction["value"] for prediction in predictions], float)
    residuals = np.array(targets, float) - answers
    centred = np.abs(residuals - np.median(residuals))
    # 0.6745 is the median absolute deviation of a standard normal variable.
    spread = float(np.median(centred)) / 0.6745
    if spread == 0:
        return []
    outliers = np.flatnonzero(centred / spread > OUTLIER)
    return [Doubt(int(row), float(answers[row]), math.erfc(centred[row] / spread / math.sqrt(2))) for row in outliers]


def _scores(predictions: Sequence[Prediction], labels: Sequence[str]) -> np.ndarray:
    import numpy as np

    rows = [[prediction["scores"][label] for label in labels] for prediction in predictions]
    return np.array(rows, float).reshape(len(rows), len(labels))


def _found(prune: Callable[[], Found], distinct: int) -> Found | Sequence[Any]:
    """What `prune` names; nothing where all rows are labelled alike, of which nothing can be learned."""
    if distinct < 2:
        return []
    try:
        with warnings.catch_warnings():
            # That a rare label's errors may not all be found, docs/label-errors.md says.
            warnings.simplefilter("ignore")
            issues = prune()
    except ValueError as error:
        # A list for review must not keep a model from its users.
        progress.note(f"Label errors were not looked for: cleanlab says {error}")
        return []
    return issues
