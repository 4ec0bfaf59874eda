"""How faithful explanations of the candidate's answers are, on a sample of test rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from perennial.evaluation.asking import Heard
from perennial.inference.decoders import Input
from perennial.inference.explanations.deletion import SHARES, DeletionCurve, deletion_curves
from perennial.inference.explanations.explaining import METHOD
from perennial.inference.explanations.targets import can_be_explained
from perennial.inference.predictor import Predictor
from perennial.records.faithfulness import DeletionPoint, Faithfulness
from perennial.records.interval import Interval

MOST_ROWS = 64
FEWEST_ROWS = 16
MOST_CHARACTERS = 12_000
"""Of all rows of the sample, as far as the model reads them: each is answered some thirty times."""
CHARACTERS_PER_TOKEN = 5
RESAMPLES = 2_000
SEED = 0


def measure_faithfulness(
    predictor: Predictor, inputs: Sequence[Input], texts: Sequence[str], confidence: float, heard: Heard | None = None
) -> Faithfulness:
    """The deletion curves of a sample of the test rows `inputs`, of different `texts` (keys, in the same order).

    The figure is what leaving words out in the explanation's order takes from the answer's score beyond what random
    order takes, on average over the shares of the curve; of a regression in standard deviations of the value. Its
    interval is by resampling texts (percentile bootstrap, Efron 1979). It says nothing of rows without two words, or
    without a span; and no row is asked of a kind of task whose answers have no number to explain.
    """
    asked = [inputs[index] for index in _sample(predictor, inputs, texts)]
    if not all(map(can_be_explained, predictor.predict(asked[:1]))):
        return Faithfulness(method=METHOD, n=0, asked=0)
    curves = deletion_curves(predictor, asked, on_progress=heard)
    scale = float(predictor.package.decoding.get("scale", 1.0)) or 1.0
    if not curves:
        return Faithfulness(method=METHOD, n=0, asked=len(asked))
    explained, by_chance = (_stacked(curves, name) / scale for name in ("explained", "random"))
    gains = (explained - by_chance).mean(axis=1)
    return Faithfulness(
        method=METHOD,
        n=len(curves),
        asked=len(asked),
        value=float(gains.mean()),
        interval=_interval(gains, confidence),
        curve=tuple(
            DeletionPoint(share=share, explained=float(drop), random=float(other))
            for share, drop, other in zip(SHARES, explained.mean(axis=0), by_chance.mean(axis=0), strict=True)
        ),
    )


def _sample(predictor: Predictor, inputs: Sequence[Input], texts: Sequence[str]) -> list[int]:
    """Rows of different texts, spread evenly; fewer where they are long."""
    different = list({text: index for index, text in reversed(list(enumerate(texts)))}.values())[::-1]
    longest = CHARACTERS_PER_TOKEN * predictor.package.max_length
    mean = sum(min(longest, _characters(inputs[index])) for index in different) / max(1, len(different))
    rows = min(len(different), MOST_ROWS, max(FEWEST_ROWS, int(MOST_CHARACTERS / max(1.0, mean))))
    return [different[index * len(different) // rows] for index in range(rows)]


def _characters(one: Input) -> int:
    return len(one) if isinstance(one, str) else sum(map(len, one))


def _stacked(curves: Sequence[DeletionCurve], name: str) -> np.ndarray:
    return np.stack([getattr(curve, name) for curve in curves])


def _interval(gains: np.ndarray, confidence: float) -> Interval | None:
    if len(gains) < 2:
        return None
    drawn = np.random.default_rng(SEED).integers(0, len(gains), (RESAMPLES, len(gains)))
    # A few texts vary more than their resamples do: as much wider as Student's variance is than the plug-in one.
    means = gains.mean() + (gains[drawn].mean(axis=1) - gains.mean()) * np.sqrt(len(gains) / (len(gains) - 1))
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(low=float(low), high=float(high))
