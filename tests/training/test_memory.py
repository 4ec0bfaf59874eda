"""When memory runs out, batches are learned in pieces: the optimizer sees as much, and the run says what it did."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from training_helpers import Work, killed

from perennial.core.errors import TrainingError
from perennial.records.training import TrainedModel
from perennial.training import memory, model
from perennial.training.encoding.dataset import NOT_LEARNED
from perennial.training.memory import cut_batch

FAILURES = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory"),
    RuntimeError("[enforce fail] data. DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes."),
    MemoryError(),
]
# As little as possible that rounding in another order could turn into another model.
EXACT: dict[str, Any] = {"training__dropout": 0.0, "training__epochs": 2, "training__max_gradient_norm": 100.0}


@contextmanager
def room_for(rows: int, monkeypatch: pytest.MonkeyPatch, error: Exception = FAILURES[0]) -> Iterator[list[int]]:
    """In training, more than `rows` rows at once do not fit; gives the rows of each pass that was tried."""
    seen: list[int] = []
    real = model.MeanPooled.forward

    def forward(self: Any, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        if self.training:
            seen.append(len(input_ids))
            if len(input_ids) > rows:
                raise error
        return real(self, input_ids, attention_mask)

    with monkeypatch.context() as patch:
        patch.setattr(model.MeanPooled, "forward", forward)
        yield seen


def recorded(made: Work, trained: TrainedModel) -> list[dict[str, int]]:
    found: list[dict[str, int]] = json.loads((made.root / trained.path / "training.json").read_text())["halved"]
    return found


@pytest.mark.parametrize("error", FAILURES, ids=lambda error: type(error).__name__)
def test_what_says_that_memory_ran_out_is_understood(error: Exception) -> None:
    def fails() -> int:
        raise error

    assert memory.ran_out(error)
    assert memory.tried(fails) is None


def test_another_error_is_not_taken_for_it() -> None:
    def fails() -> int:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="shapes"):
        memory.tried(fails)


@pytest.mark.parametrize("accumulation", [1, 2])
def test_a_batch_that_does_not_fit_is_learned_in_pieces_to_the_same_model(
    accumulation: int, work, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = work("whole", training__accumulation=accumulation, **EXACT)
    expected = whole.train()
    made = work("pieces", training__accumulation=accumulation, **EXACT)
    with room_for(4, monkeypatch) as seen:
        trained = made.train()

    assert max(seen) == 16
    assert [rows for rows in seen if rows > 4][2:] == []  # twice in vain, then never again
    assert [(one.tokens_per_batch, one.rows_per_batch, one.accumulation) for one in trained.halved] == [
        (512, 8, 2 * accumulation),
        (256, 4, 4 * accumulation),
    ]
    assert recorded(made, trained) == [one.model_dump() for one in trained.halved]
    notes = [note for note in made.notes.messages if note.startswith("Memory ran out at step 0")]
    assert len(notes) == 2
    assert made.notes.steps == whole.notes.steps
    assert expected.halved == ()
    apart = compare(whole, expected, made, trained)
    assert apart < 1e-3
    assert trained.validation["accuracy"] == pytest.approx(expected.validation["accuracy"], abs=0.05)


def compare(one: Work, first: TrainedModel, other: Work, second: TrainedModel) -> float:
    """How far the outputs of two models for the validation rows are apart, at most, in mean."""
    segments, _ = one.rows("validation")
    left, right = (
        torch.from_numpy(np.stack(model.outputs_of(model.load_model(made.root / trained.path), segments, 0, 1024)))
        for made, trained in ((one, first), (other, second))
    )
    return float((left - right).abs().mean())


def test_a_step_that_ran_out_half_way_is_not_learned_twice(work, monkeypatch: pytest.MonkeyPatch) -> None:
    made, again = (work(name, **(EXACT | {"training__dropout": 0.1})) for name in ("made", "again"))
    real = torch.Tensor.backward
    passes = iter(range(10_000))

    def backward(self: torch.Tensor, *arguments: Any, **options: Any) -> None:
        real(self, *arguments, **options)
        if next(passes) == 5:  # the gradient is there already
            raise FAILURES[0]

    with monkeypatch.context() as patch:
        patch.setattr(torch.Tensor, "backward", backward)
        trained = made.train()
    assert [one.step for one in trained.halved] == [5]
    with room_for_after(5, 8, monkeypatch):
        assert again.train().digest == trained.digest


@contextmanager
def room_for_after(step: int, rows: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """From pass number `step` on, more than `rows` rows do not fit."""
    real = model.MeanPooled.forward
    passes = 0

    def forward(self: Any, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        nonlocal passes
        passes += self.training
        if self.training and passes > step and len(input_ids) > rows:
            raise FAILURES[0]
        return real(self, input_ids, attention_mask)

    with monkeypatch.context() as patch:
        patch.setattr(model.MeanPooled, "forward", forward)
        yield


def test_one_text_that_does_not_fit_ends_it_in_clear_words(work, monkeypatch: pytest.MonkeyPatch) -> None:
    made = work()
    with (
        room_for(0, monkeypatch),
        pytest.raises(TrainingError, match=r"with one text of .* tokens at a time") as caught,
    ):
        made.train()
    assert "model.max_length" in caught.value.remedy
    assert not any((made.root / "finetune").glob("*"))


def test_an_optimizer_that_does_not_fit_ends_it_in_clear_words(work, monkeypatch: pytest.MonkeyPatch) -> None:
    def step(*_: Any, **__: Any) -> None:
        raise FAILURES[1]

    monkeypatch.setattr(torch.optim.AdamW, "step", step)
    with pytest.raises(TrainingError, match="outside any batch"):
        work().train()


def test_an_evaluation_that_does_not_fit_takes_fewer_rows(work, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = work("whole", training__epochs=1)
    made = work("pieces", training__epochs=1)
    expected = whole.train()
    real = model.MeanPooled.forward

    def forward(self: Any, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        if not self.training and len(input_ids) > 4:
            raise FAILURES[0]
        return real(self, input_ids, attention_mask)

    monkeypatch.setattr(model.MeanPooled, "forward", forward)
    assert made.train().validation == pytest.approx(expected.validation, abs=1e-5)


def test_killed_after_it_ran_out_it_resumes_to_the_same_model(work, monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    made, whole = (work(name, training__checkpoint_seconds=1e-6) for name in ("work", "whole"))
    with room_for(8, monkeypatch):
        expected = whole.train()
    killed(tmp_path / "work", 24, room=8)
    with room_for(8, monkeypatch) as seen:
        trained = made.train()
    assert trained.digest == expected.digest
    assert trained.halved == expected.halved
    assert max(seen) == 8  # it knew


ROWS = st.lists(st.tuples(st.integers(1, 9), st.integers(0, 4)), min_size=1, max_size=12)


@given(rows=ROWS, number=st.sampled_from([1, 2, 4, 8, 16]), per_token=st.booleans())
@settings(max_examples=2 * settings.default.max_examples)
def test_pieces_are_the_batch_and_their_losses_its_loss(
    rows: list[tuple[int, int]], number: int, per_token: bool
) -> None:
    width = max(length for length, _ in rows)
    ids = torch.tensor([[row + 1] * length + [0] * (width - length) for row, (length, _) in enumerate(rows)])
    targets = torch.tensor([label for _, label in rows])
    if per_token:
        targets = torch.where((ids > 0) & (torch.arange(width) % 2 == 0), targets[:, None], NOT_LEARNED)
    cut = list(cut_batch({"input_ids": ids, "attention_mask": (ids > 0).long(), "targets": targets}, number))

    assert len(cut) == min(number, len(rows))
    assert sum(share for share, _ in cut) == pytest.approx(1)
    seen = [row[row > 0].tolist() for _, piece in cut for row in piece["input_ids"]]
    assert seen == [row[row > 0].tolist() for row in ids]
    learned = targets[targets != NOT_LEARNED].float().mean()
    means = [piece["targets"][piece["targets"] != NOT_LEARNED].float().mean() * share for share, piece in cut]
    assert float(torch.stack(means).sum()) == pytest.approx(float(learned), abs=1e-5)
