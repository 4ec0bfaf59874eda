"""How many steps of the optimizer a training takes, and what is changed where that is fewer than it must take."""

from __future__ import annotations

import math

import numpy as np

from perennial.core import progress
from perennial.records.training import StepFloor
from perennial.settings.training import TrainingSpec
from perennial.training.batching import TokenBudgetSampler

SMALLEST_ROWS = 16
"""Of a batch that is made smaller: steps by fewer rows are mostly noise."""


def steps_in_all(lengths: np.ndarray, training: TrainingSpec, processes: int = 1) -> int:
    """Steps of the optimizer at most, over rows of these `lengths` (tokens)."""
    return math.ceil(training.epochs * _steps_an_epoch(lengths, training, processes))


def with_enough_steps(
    lengths: np.ndarray, training: TrainingSpec, processes: int = 1
) -> tuple[TrainingSpec, StepFloor | None]:
    """`training` with batches and epochs that come to `min_steps`, and what was changed; None: nothing.

    First batches are halved, as that makes more steps of the same work; below SMALLEST_ROWS there are more epochs.
    """
    before = steps_in_all(lengths, training, processes)
    if training.min_steps is None or before >= training.min_steps or not len(lengths):
        return training, None
    enough, fullest = training, _fullest(lengths, training)
    while steps_in_all(lengths, enough, processes) < training.min_steps and fullest > SMALLEST_ROWS:
        fullest = max(SMALLEST_ROWS, math.ceil(fullest / 2))
        enough = enough.model_copy(update={"rows_per_batch": fullest})
    epochs = max(enough.epochs, float(math.ceil(training.min_steps / _steps_an_epoch(lengths, enough, processes))))
    enough = enough.model_copy(update={"epochs": epochs})
    floor = StepFloor(
        min_steps=training.min_steps, instead_of=before, rows_per_batch=enough.rows_per_batch, epochs=epochs
    )
    progress.note(floor.sentence)
    return enough, floor


def _steps_an_epoch(lengths: np.ndarray, training: TrainingSpec, processes: int) -> int:
    batches = TokenBudgetSampler(
        lengths,
        tokens=training.tokens_per_batch,
        max_rows=training.rows_per_batch,
        seed=training.seed,
        world_size=processes,
    )
    return max(1, math.ceil(len(batches) / training.accumulation))


def _fullest(lengths: np.ndarray, training: TrainingSpec) -> int:
    """Rows of a full batch, of texts of the usual length: where they are long, the tokens limit it and not the rows."""
    by_tokens = training.tokens_per_batch // max(1, int(np.median(lengths)))
    return min(len(lengths), training.rows_per_batch, by_tokens)
