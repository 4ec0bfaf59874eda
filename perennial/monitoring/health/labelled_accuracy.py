"""Accuracy on labels that came late: of texts that were chosen by chance, each weighed by how many it stands for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from perennial.records.interval import Interval
from perennial.records.labelling import LabelledText

if TYPE_CHECKING:
    import pyarrow as pa

CONFIDENCE = 0.95


@dataclass(frozen=True)
class LabelledAccuracy:
    """What the labels of a window's texts say."""

    labelled: int
    """Texts with a label, however they were chosen."""
    by_chance: int = 0
    """Of those, chosen by chance: accuracy is of them."""
    accuracy: float | None = None
    interval: Interval | None = None


class LiveLabels:
    """What people said of live texts, by id."""

    def __init__(self, labelled: Iterable[LabelledText]) -> None:
        """Of one annotator the latest word on a text counts; what was skipped, or has no label, does not."""
        said: dict[str, dict[str, LabelledText]] = {}
        for one in labelled:
            if one.skipped or one.label is None:
                continue
            by = said.setdefault(one.id, {})
            if one.annotator not in by or by[one.annotator].labelled_at <= one.labelled_at:
                by[one.annotator] = one
        self._said: Mapping[str, list[LabelledText]] = {key: list(by.values()) for key, by in said.items()}

    def ids(self) -> pa.Array:
        """Of the texts that have a label."""
        import pyarrow as pa

        return pa.array(list(self._said), pa.string())

    def accuracy(self, answers: Mapping[str, str]) -> LabelledAccuracy:
        """Of `answers`, by the texts' ids; those without a label do not count.

        The weighted mean (Hájek 1971) over texts that were chosen by chance, with weights 1 / chance (Horvitz and
        Thompson 1952): those that were chosen as unsure or novel are no fair sample. Where annotators disagree, an
        answer is right as far as they say so.
        """
        with_label = [(self._said[key], answer) for key, answer in answers.items() if key in self._said]
        drawn = [(weight, _right(said, answer)) for said, answer in with_label if (weight := _weight(said)) is not None]
        if not drawn:
            return LabelledAccuracy(labelled=len(with_label))
        weights, right = np.array(drawn, float).T
        share = float(weights @ right / weights.sum())
        return LabelledAccuracy(len(with_label), len(drawn), share, interval(share, weights))


def interval(share: float, weights: np.ndarray) -> Interval:
    """Of a weighted share of few texts: exact (Clopper and Pearson 1934) for as many as the weights leave (Korn and
    Graubard 1998). It holds the share in 95% of samples or more."""
    from scipy.stats import beta

    texts = float(weights.sum() ** 2 / np.square(weights).sum())
    hits, outside = share * texts, (1 - CONFIDENCE) / 2
    low = float(beta.ppf(outside, hits, texts - hits + 1)) if hits > 0 else 0.0
    high = float(beta.ppf(1 - outside, hits + 1, texts - hits)) if hits < texts else 1.0
    return Interval(low=min(low, share), high=max(high, share))


def _right(said: Iterable[LabelledText], answer: str) -> float:
    return float(np.mean([one.label == answer for one in said]))


def _weight(said: Iterable[LabelledText]) -> float | None:
    """None: not chosen by chance."""
    weights = [one.weight for one in said if one.chosen_by == "random" and one.weight is not None and one.weight > 0]
    return max(weights) if weights else None
