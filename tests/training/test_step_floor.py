"""Steps of the optimizer: as many as are asked for, however few the rows are, and a word where they were few."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from training_helpers import killed

from perennial.records.training import FEW_STEPS, StepFloor, TrainedModel
from perennial.settings.training import TrainingSpec
from perennial.training import step_floor
from perennial.training.validation_rows import Judged


def lengths(rows: int, tokens: int) -> np.ndarray:
    return np.full(rows, tokens)


def training(**settings: Any) -> TrainingSpec:
    return TrainingSpec.model_validate(settings)


@pytest.mark.parametrize(
    ("rows", "tokens", "settings", "batch", "epochs"),
    [
        (56, 9, {}, 16, 25),  # as many steps of the same work are better than more work
        (300, 9, {}, 16, 6),
        (2100, 9, {}, 32, 3),  # two batches of half the size are enough
        (10, 5, {}, 64, 100),  # a batch has all ten rows anyway
        (40, 300, {}, 64, 8),  # long texts: their tokens keep batches small
        (56, 9, {"accumulation": 4}, 16, 100),
        (56, 9, {"epochs": 40}, 16, 40),
    ],
)
def test_batches_become_smaller_and_then_epochs_more(
    rows: int, tokens: int, settings: dict[str, Any], batch: int, epochs: float
) -> None:
    asked = training(min_steps=100, **settings)
    enough, floor = step_floor.with_enough_steps(lengths(rows, tokens), asked)
    assert step_floor.steps_in_all(lengths(rows, tokens), asked) < 100
    assert step_floor.steps_in_all(lengths(rows, tokens), enough) >= 100
    assert floor is not None
    assert (floor.rows_per_batch, floor.epochs, floor.min_steps) == (batch, epochs, 100)
    assert (enough.rows_per_batch, enough.epochs) == (batch, epochs)


def test_nothing_changes_where_steps_are_enough_or_none_are_asked_for() -> None:
    for rows, asked in ((4000, training(min_steps=100)), (56, training())):
        assert step_floor.with_enough_steps(lengths(rows, 20), asked) == (asked, None)


def test_a_pipeline_without_the_setting_keeps_its_keys() -> None:
    assert "min_steps" not in training().model_dump()
    assert training(min_steps=5).model_dump()["min_steps"] == 5


def test_a_training_takes_them_whatever_early_stopping_says(work) -> None:
    made = work(training__min_steps=60, training__epochs=1, training__early_stopping=1)
    trained = made.train()
    assert trained.steps is not None
    assert trained.steps >= 60
    assert trained.step_floor is not None
    assert trained.epochs == trained.step_floor.epochs > 1
    [note] = [message for message in made.notes.messages if "training.min_steps asks for 60" in message]
    assert trained.remarks == (note,)
    judged = len(_evaluations(made.root / trained.path))
    assert judged <= 12


def test_what_is_as_good_later_is_kept_until_the_floor(work, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = {"accuracy": 0.8, "macro_f1": 0.8, "log_loss": 0.5}
    monkeypatch.setattr(Judged, "metrics", lambda self, outputs, statistics: figures)
    settings = {"training__epochs": 4, "training__early_stopping": 2}
    assert work("none", **settings).train().best_epoch == 1
    # 18 steps an epoch: the third is the first that ends behind the floor.
    assert work("floor", training__min_steps=48, **settings).train().best_epoch == 3


@pytest.mark.soak(twin="tests/training/test_step_floor.py::test_a_training_takes_them_whatever_early_stopping_says")
def test_a_killed_training_resumes_with_the_steps_it_was_to_take(work, tmp_path: Path) -> None:
    settings = {"training__min_steps": 50, "training__epochs": 1, "training__checkpoint_seconds": 1e-6}
    whole = work("whole", **settings).train()
    made = work(**settings)
    killed(tmp_path / "work", 30)
    trained = made.train()
    assert [note for note in made.notes.messages if note.startswith("Resuming")]
    assert (trained.digest, trained.steps) == (whole.digest, whole.steps)


def test_few_steps_are_told(work) -> None:
    trained = work(training__epochs=1).train()
    assert trained.steps is not None
    assert trained.steps < FEW_STEPS
    assert trained.remarks == (
        f"Training took only {trained.steps} steps of the optimizer, which is too few to learn much: set "
        "training.min_steps (100 is a good start), or add rows.",
    )


def test_a_record_of_an_older_build_has_none() -> None:
    older = {
        "digest": "a", "path": "finetune/a", "base": "b", "base_revision": "c", "pooling": "mean", "precision": "fp32",
        "epochs": 1.0, "best_epoch": 1.0, "train_rows": 9, "validation": {}, "seconds": 1.0,
    }  # fmt: skip
    record = TrainedModel.model_validate(older)
    assert record.remarks == ()
    assert not {"steps", "step_floor"} & set(record.model_dump())
    floor = StepFloor(min_steps=100, instead_of=1, rows_per_batch=16, epochs=25)
    assert "come to 1 step on these rows" in floor.sentence


def _evaluations(folder: Path) -> list[Any]:
    history = json.loads((folder / "training.json").read_text())["history"]
    return [entry for entry in history if "eval_accuracy" in entry]
