"""What each row adds to the sums that metrics are made of, so that metrics of any choice of rows are quickly had."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from perennial.inference.spans import Span
from perennial.metrics import ranges
from perennial.metrics.prediction import Prediction

SMALLEST_PROBABILITY = 1e-15
Name = tuple[str, str | None]
"""A metric, and the label it is of; None: of all rows."""


@dataclass(frozen=True)
class MetricSums:
    """What one model's answers add, row by row."""

    names: tuple[Name, ...]
    """Of the metrics, in the order of `figures`."""
    rows: np.ndarray
    """rows × sums."""
    figures: Callable[[np.ndarray], np.ndarray]
    """From sums (draws × sums) to metrics (draws × names); NaN where there is nothing to measure."""
    right: np.ndarray
    """What a row that is answered well would add, one for each sort of row (sorts × sums)."""
    wrong: np.ndarray
    """What the same rows would add if they were answered badly."""
    counted_in: tuple[int, ...]
    """For each sort, the sum that is above 0 if there is any row of that sort."""
    own_ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Between which numbers a metric is, by its name, where that is other than `ranges.RANGES` has it."""
    is_difference: bool = False
    """Whether the metrics are one model's less another's."""

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """The lowest and the highest that each metric can be."""
        return ranges.bounds([metric for metric, _ in self.names], self.own_ranges, difference=self.is_difference)


def paired(one: MetricSums, other: MetricSums) -> MetricSums:
    """Of the difference between two models in each metric, `one` minus `other`, on the same rows.

    A row that is answered well is then one that only `one` answers well.
    """
    width = one.rows.shape[1]

    def difference(sums: np.ndarray) -> np.ndarray:
        return np.asarray(one.figures(sums[:, :width]) - other.figures(sums[:, width:]))

    return replace(
        one,
        rows=np.hstack([one.rows, other.rows]),
        figures=difference,
        right=np.hstack([one.right, other.wrong]),
        wrong=np.hstack([one.wrong, other.right]),
        is_difference=True,
    )


def single_label_sums(
    targets: Sequence[str], predictions: Sequence[Prediction], labels: Sequence[str]
) -> tuple[MetricSums, ...]:
    """Of one label a row; the metrics are those of `metrics.single_label`.

    Each row adds to 1 + 3 × labels counts: rows; rows of each label; answers with each; right answers of each. Of rows
    a, a, b that are answered a, b, b the counts are 3 rows; 2 a, 1 b; 1 a, 2 b; 1 a, 1 b. So accuracy is (1 + 1) / 3,
    the precision of b 1 / 2 and the recall of a 1 / 2. Where a draw of rows has the first row twice and the second not
    at all, the counts are twice the first row and the third:

    >>> answers = [{"label": label, "scores": {}} for label in "abb"]
    >>> counts, _ = single_label_sums("aab", answers, "ab")
    >>> counts.rows.tolist()
    [[1, 1, 0, 1, 0, 1, 0], [1, 1, 0, 0, 1, 0, 0], [1, 0, 1, 0, 1, 0, 1]]
    >>> (np.array([1, 1, 1]) @ counts.rows).tolist(), (np.array([2, 0, 1]) @ counts.rows).tolist()
    ([3, 2, 1, 1, 2, 1, 1], [3, 2, 1, 2, 1, 2, 1])
    """
    places = {label: index for index, label in enumerate(labels)}
    true = np.array([places[target] for target in targets], dtype=np.int64)
    given = np.array([places.get(prediction["label"], -1) for prediction in predictions], dtype=np.int64)
    every = np.arange(len(labels))
    there, answered = true[:, None] == every, given[:, None] == every
    rows = np.hstack([np.ones((len(true), 1), bool), there, answered, there & answered]).astype(np.int8)
    overall = ("accuracy", "macro_precision", "macro_recall", "macro_f1", "micro_f1", "weighted_f1")
    right, wrong = _by_label(len(labels), before=1)
    right[:, 0] = wrong[:, 0] = 1
    counts = MetricSums(
        names=(*((name, None) for name in overall), *_label_names(labels)),
        rows=rows,
        figures=_single_label_figures,
        right=right,
        wrong=wrong,
        counted_in=tuple(range(1, 1 + len(labels))),
    )
    likely = [prediction["scores"].get(target, 0.0) for target, prediction in zip(targets, predictions, strict=True)]
    scores = np.array([[prediction["scores"].get(label, 0.0) for label in labels] for prediction in predictions])
    squared = np.square(scores.reshape(len(true), len(labels)) - there).sum(axis=1)
    return counts, _losses(("log_loss", "brier"), [_log_losses(np.array(likely)), squared])


def multi_label_sums(
    targets: Sequence[Sequence[str]], predictions: Sequence[Prediction], labels: Sequence[str]
) -> tuple[MetricSums, ...]:
    """Of any number of labels a row; the metrics are those of `metrics.multi_label`."""
    from perennial.metrics.multi_label import label_matrix

    there, answered = (
        label_matrix(targets, labels) == 1,
        label_matrix([answer["labels"] for answer in predictions], labels) == 1,
    )
    whole = (there == answered).all(axis=1, keepdims=True)
    rows = np.hstack([np.ones_like(whole), whole, there, answered, there & answered]).astype(np.int8)
    overall = ("exact_match", "micro_precision", "micro_recall", "micro_f1", "macro_f1")
    right, wrong = _by_label(len(labels), before=2)
    right[:, :2], wrong[:, 0] = 1, 1
    counts = MetricSums(
        names=(*((name, None) for name in overall), *_label_names(labels)),
        rows=rows,
        figures=_multi_label_figures,
        right=right,
        wrong=wrong,
        counted_in=tuple(range(2, 2 + len(labels))),
    )
    given = [[answer["scores"].get(label, 0.0) for label in labels] for answer in predictions]
    scores = np.array(given, dtype=np.float64).reshape(there.shape)
    log_loss = _log_losses(np.where(there, scores, 1 - scores)).mean(axis=1)
    losses = _losses(("log_loss", "brier"), [log_loss, np.square(scores - there).mean(axis=1)])
    return counts, replace(losses, own_ranges={"brier": ranges.UNIT})


def span_sums(
    targets: Sequence[Sequence[Span]], predicted: Sequence[Sequence[Span]], labels: Sequence[str]
) -> tuple[MetricSums, ...]:
    """Of spans; the metrics are those of `metrics.entities`."""
    places = {label: index for index, label in enumerate(labels)}
    rows = np.zeros((len(targets), 3, len(labels)), np.int16)
    for row, (wanted, given) in enumerate(zip(targets, predicted, strict=True)):
        for which, those in enumerate((wanted, given, set(wanted) & set(given))):
            for _, _, label in those:
                rows[row, which, places[label]] += 1
    right, wrong = _by_label(len(labels), before=0)
    overall = ("precision", "recall", "f1", "macro_f1")
    return (
        MetricSums(
            names=(*((name, None) for name in overall), *_label_names(labels)),
            rows=rows.reshape(len(targets), -1),
            figures=_span_figures,
            right=right,
            wrong=wrong,
            counted_in=tuple(range(len(labels))),
        ),
    )


def number_sums(targets: Sequence[float], predictions: Sequence[Prediction]) -> tuple[MetricSums, ...]:
    """Of a number a row; the metrics are those of `metrics.regression` but the rank correlation, which is no sum."""
    true = np.asarray(targets, dtype=np.float64)
    errors = np.array([prediction["value"] for prediction in predictions], dtype=np.float64) - true
    # Around the mean, so that the sums of squares lose no digits.
    around = true - true.mean()
    rows = np.column_stack([np.ones_like(true), np.square(errors), np.abs(errors), around, np.square(around)])
    right, wrong = _typical(rows, worse=(1, 2))
    names: tuple[Name, ...] = (("rmse", None), ("mae", None), ("r2", None))
    return (MetricSums(names, rows, _number_figures, right, wrong, (0,)),)


def _losses(names: Sequence[str], columns: Sequence[np.ndarray]) -> MetricSums:
    rows = np.column_stack([np.ones(len(columns[0])), *columns])
    right, wrong = _typical(rows, worse=range(1, rows.shape[1]))

    def means(sums: np.ndarray) -> np.ndarray:
        return np.asarray(sums[:, 1:] / sums[:, :1])

    return MetricSums(tuple((name, None) for name in names), rows, means, right, wrong, (0,))


def _log_losses(likely: np.ndarray) -> np.ndarray:
    return np.asarray(-np.log(np.maximum(likely, SMALLEST_PROBABILITY)))


def _typical(rows: np.ndarray, worse: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """A mean row, its losses (columns `worse`) half a standard deviation below and above the mean."""
    right, wrong = rows.mean(axis=0, keepdims=True), rows.mean(axis=0, keepdims=True)
    for column in worse:
        half = rows[:, column].std() / 2
        right[:, column] = max(0.0, right[0, column] - half)
        wrong[:, column] += half
    return right, wrong


def _by_label(count: int, before: int) -> tuple[np.ndarray, np.ndarray]:
    """A row of each label answered with it, and with the next label; after `before` sums of other things."""
    one, none = np.eye(count), np.zeros((count, count))
    first = np.zeros((count, before))
    # A single label can only be missed, not be taken for another.
    next_one = np.roll(one, 1, axis=1) if count > 1 else none
    return np.hstack([first, one, one, one]), np.hstack([first, one, next_one, none])


def _label_names(labels: Sequence[str]) -> list[Name]:
    return [(metric, label) for metric in ("precision", "recall", "f1") for label in labels]


def _single_label_figures(sums: np.ndarray) -> np.ndarray:
    rows, (there, answered, right) = sums[:, 0], np.split(sums[:, 1:], 3, axis=1)
    present = there > 0
    each = _each(there, answered, right, present)
    right_in_all = right.sum(axis=1)
    micro = 2 * right_in_all / (rows + (answered * present).sum(axis=1))
    weighted = (np.nan_to_num(each[2]) * there).sum(axis=1) / rows
    return np.column_stack([right_in_all / rows, *map(_mean, each), micro, weighted, *each])


def _multi_label_figures(sums: np.ndarray) -> np.ndarray:
    there, answered, right = np.split(sums[:, 2:], 3, axis=1)
    each = _each(there, answered, right, there > 0)
    micro = _each(*(part.sum(axis=1, keepdims=True) for part in (there, answered, right)))
    return np.column_stack([sums[:, 1] / sums[:, 0], *micro, _mean(each[2]), *each])


def _span_figures(sums: np.ndarray) -> np.ndarray:
    there, answered, right = np.split(sums, 3, axis=1)
    micro = _each(*(part.sum(axis=1, keepdims=True) for part in (there, answered, right)))
    macro = _mean(_each(there, answered, right, there + answered > 0)[2])
    # No span at all: nothing to measure.
    macro = np.where(there.sum(axis=1) > 0, macro, np.nan)
    some = np.where(there.sum(axis=1, keepdims=True) > 0, np.hstack(micro), np.nan)
    return np.column_stack([some, macro, *_each(there, answered, right, there > 0)])


def _number_figures(sums: np.ndarray) -> np.ndarray:
    rows, squared, absolute, around, spread = sums.T
    spread = spread - np.square(around) / rows
    explained = np.where(spread > 0, 1 - squared / np.where(spread > 0, spread, 1), 0.0)
    return np.column_stack([np.sqrt(squared / rows), absolute / rows, explained])


def _each(
    there: np.ndarray, answered: np.ndarray, right: np.ndarray, present: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Precision, recall and F1, 0 where a denominator is, NaN where not `present`."""
    with np.errstate(divide="ignore", invalid="ignore"):
        per_row = (
            np.where(answered > 0, right / answered, 0.0),
            np.where(there > 0, right / there, 0.0),
            np.where(there + answered > 0, 2 * right / (there + answered), 0.0),
        )
    if present is None:
        return per_row
    precision, recall, f1 = (np.where(present, figures, np.nan) for figures in per_row)
    return precision, recall, f1


def _mean(figures: np.ndarray) -> np.ndarray:
    """Over what is a number; NaN where nothing is."""
    is_number = ~np.isnan(figures)
    count = is_number.sum(axis=1)
    total = np.where(is_number, figures, 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
