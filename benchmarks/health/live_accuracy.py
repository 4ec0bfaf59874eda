"""`python -m benchmarks live-accuracy`: accuracy without labels on three shifts, beside what one would take instead.

BENCH_SEEDS is another number of models, BENCH_EMBEDDINGS a folder in which embeddings are kept from run to run.
BENCH_WINDOW is another number of texts in a window. BENCH_BLIND=1 hides the rows' other columns (annotators' agreement,
sector) from the estimate.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.health.shifts import Shift, cached, shifts
from perennial.metrics import temperature
from perennial.monitoring.health.accuracy_estimate import AccuracyEstimate, estimated_accuracy
from perennial.monitoring.health.scored_texts import ScoredTexts

SEEDS = int(os.environ.get("BENCH_SEEDS", "8"))
WINDOW = int(os.environ.get("BENCH_WINDOW", "500"))
BLIND = bool(os.environ.get("BENCH_BLIND"))
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
TRAIN, REFERENCE = 0.4, 0.2
STRENGTH = 10.0
FIRST_SEED = 100
"""Other draws than those on which the estimate's settings were looked at."""


@dataclass(frozen=True)
class Window:
    """What was estimated of a window, and what was so."""

    seed: int
    share: float
    """Of texts of the new sort."""
    texts: int
    accuracy: float
    on_reference: float
    others: dict[str, float]
    ours: AccuracyEstimate


def measure(scratch: Path) -> dict[str, object]:
    """A row a shift and method: the mean absolute error, and of ours how often the interval holds the truth."""
    data = os.environ.get("BENCH_DATA")
    if not data:
        return {"left out": "no BENCH_DATA"}
    figures: dict[str, object] = {"models a shift": SEEDS, "texts a window": WINDOW}
    everything: list[Window] = []
    for shift in shifts(Path(data)):
        windows = list(_windows(shift, cached(shift, scratch)))
        everything += windows
        for share in SHARES:
            if some := [window for window in windows if window.share == share]:
                figures[f"{shift.name}: {share:.0%} new"] = _row(some)
        figures[f"{shift.name}: all"] = _row(windows)
    figures["all"] = _row(everything)
    return figures


def _windows(shift: Shift, embeddings: np.ndarray) -> Iterator[Window]:
    for seed in range(FIRST_SEED, FIRST_SEED + SEEDS):
        random = np.random.default_rng(seed)
        train, reference, usual, new = _drawn(shift, random)
        scores = _scores(shift, embeddings, train, reference)
        for share in SHARES:
            # Of a small set, fewer: no text is twice in a window.
            texts = int(min([WINDOW, len(new) / share if share else WINDOW, len(usual) / (1 - share or 1e-9)]))
            of_new = round(texts * share)
            rows = np.concatenate([random.choice(new, of_new, False), random.choice(usual, texts - of_new, False)])
            yield _window(shift, scores, reference, rows, seed=seed, share=share)


def _drawn(shift: Shift, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Rows to train on, rows of the reference, and of those left the ones of the known and of the new sort."""
    order = random.permutation(len(shift.texts))
    learned = order[~shift.is_new[order]] if shift.is_unknown else order
    train, reference, rest = np.split(learned, [int(TRAIN * len(learned)), int((TRAIN + REFERENCE) * len(learned))])
    new = order[shift.is_new[order]] if shift.is_unknown else rest[shift.is_new[rest]]
    return train, reference, rest[~shift.is_new[rest]], new


def _scores(shift: Shift, embeddings: np.ndarray, train: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Of a logistic regression on the embeddings, at a temperature fitted on half of the reference, as packages are."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=STRENGTH, max_iter=500).fit(embeddings[train], shift.targets[train])
    outputs = model.decision_function(embeddings)
    logits = np.column_stack([-outputs / 2, outputs / 2]) if outputs.ndim == 1 else outputs
    half = reference[: len(reference) // 2]
    logits = logits / temperature.of_one(logits[half], shift.targets[half]).temperature
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))


def _window(
    shift: Shift, scores: np.ndarray, reference: np.ndarray, rows: np.ndarray, *, seed: int, share: float
) -> Window:
    right = scores.argmax(axis=1) == shift.targets
    columns = {} if BLIND else {name: [of[row] for row in reference] for name, of in shift.columns.items()}
    old = ScoredTexts([shift.texts[row] for row in reference], scores[reference], columns=columns)
    new = ScoredTexts([shift.texts[row] for row in rows], scores[rows])
    return Window(
        seed=seed,
        share=share,
        texts=len(rows),
        accuracy=float(right[rows].mean()),
        on_reference=float(right[reference].mean()),
        others=_others(old.scores.max(axis=1), right[reference], new.scores.max(axis=1)),
        ours=estimated_accuracy(old, shift.targets[reference], new),
    )


def _others(old: np.ndarray, right: np.ndarray, new: np.ndarray) -> dict[str, float]:
    """What one would take instead, from how sure answers are."""
    from sklearn.isotonic import IsotonicRegression

    own = float(right.mean())
    calibrated = IsotonicRegression(out_of_bounds="clip").fit(old, right)
    return {
        "as on the reference": own,
        "average confidence": float(new.mean()),
        # Garg et al. 2022: as many of the reference are above the threshold as are right.
        "ATC": float((new >= np.quantile(old, 1 - own)).mean()),
        # Guillory et al. 2021.
        "DoC": own - float(old.mean() - new.mean()),
        "CBPE": float(calibrated.predict(new).mean()),
    }


def _row(windows: list[Window]) -> dict[str, object]:
    estimated = [one for one in windows if one.ours.value is not None]
    row: dict[str, object] = {
        "windows": len(windows),
        "accuracy": _mean([one.accuracy for one in windows]),
        "told": round(len(estimated) / len(windows), 3),
    }
    for name in windows[0].others:
        row[name] = [_error([one.others[name] for one in lot], lot) for lot in (windows, estimated)]
    row["ours"] = _error([one.ours.value or 0.0 for one in estimated], estimated)
    row["bias"] = _mean([(one.ours.value or 0.0) - one.accuracy for one in estimated])
    held = [one.ours.interval.low <= one.accuracy <= one.ours.interval.high for one in estimated if one.ours.interval]
    row["holds"] = _mean([float(each) for each in held])
    row["half width"] = _mean([(i.high - i.low) / 2 for one in estimated if (i := one.ours.interval)])
    return row


def _error(values: list[float], windows: list[Window]) -> float | None:
    return _mean([abs(value - one.accuracy) for value, one in zip(values, windows, strict=True)])


def _mean(values: list[float]) -> float | None:
    return round(float(np.mean(values)), 4) if values else None
