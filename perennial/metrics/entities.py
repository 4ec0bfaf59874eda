"""Metrics of spans: strict, by entity. A span counts when both its ends and its label are right.

The definition of the CoNLL-2003 shared task (Tjong Kim Sang and De Meulder 2003), as seqeval computes it.
"""

from collections import Counter
from collections.abc import Sequence
from statistics import fmean

from perennial.inference.spans import Span
from perennial.records.evaluation import Metrics


def entity_metrics(
    targets: Sequence[Sequence[Span]], predicted: Sequence[Sequence[Span]], labels: Sequence[str]
) -> Metrics:
    """Precision, recall and F1 over all spans and for each label; `n` counts rows, `support` spans.

    The macro average is over the labels that `targets` or `predicted` have; a label without a span in `targets` has no
    figures of its own. No span there at all: no metrics, so that every gate stays undecided.
    """
    there, answered, right = (Counter[str]() for _ in range(3))
    for wanted, given in zip(targets, predicted, strict=True):
        there.update(label for _, _, label in wanted)
        answered.update(label for _, _, label in given)
        right.update(label for _, _, label in set(wanted) & set(given))
    support = {label: there[label] for label in labels}
    if not there.total():
        return Metrics(n=len(targets), values={}, support=support)
    each = {label: _figures(right[label], answered[label], there[label]) for label in {*there, *answered}}
    values = _figures(right.total(), answered.total(), there.total())
    values["macro_f1"] = fmean(figures["f1"] for figures in each.values())
    per_label = {label: each[label] for label in labels if there[label]}
    return Metrics(n=len(targets), values=values, per_label=per_label, support=support)


def _figures(right: int, answered: int, there: int) -> dict[str, float]:
    precision, recall = right / answered if answered else 0.0, right / there if there else 0.0
    f1 = 2 * precision * recall / (precision + recall) if right else 0.0
    return {"precision": precision, "recall": recall, "f1": f1}
