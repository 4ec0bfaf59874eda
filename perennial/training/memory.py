"""Going on with less memory: a batch that does not fit is learned in pieces, and the optimizer sees as much."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

import torch

from perennial.core import progress
from perennial.core.errors import TrainingError
from perennial.records.training import Halved
from perennial.settings.training import TrainingSpec
from perennial.training import checkpoints
from perennial.training.encoding.dataset import NOT_LEARNED

T = TypeVar("T")
Inputs = Mapping[str, torch.Tensor]
OUT_OF_MEMORY_WORDS = (
    "out of memory",
    "not enough memory",
    "can't allocate memory",
    "cannot allocate memory",
    "alloc_failed",
)
"""What torch, its CPU allocator and CUDA's libraries say in a RuntimeError that has no class of its own."""


def ran_out(error: BaseException) -> bool:
    """Whether `error` says that there is not enough memory, of the GPU or of the machine."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in OUT_OF_MEMORY_WORDS)


def tried(work: Callable[[], T]) -> T | None:
    """What `work` gives; None: there was not enough memory for it, and what it held is freed again."""
    try:
        return work()
    except (RuntimeError, MemoryError) as error:
        if not ran_out(error):
            raise
    # Only here: until the error is let go of, its traceback holds what is to be freed.
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return None


def cut_batch(batch: Inputs, number: int) -> Iterator[tuple[float, dict[str, torch.Tensor]]]:
    """`batch` in `number` pieces of like size, or one for each row if it has fewer, with their shares of its loss.

    A batch's loss is a mean over what is learned, so the sum of the pieces' losses times their shares is the batch's;
    with class weights nearly so, as it is for batches that are accumulated.
    """
    rows = len(batch["input_ids"])
    if number == 1:
        yield 1.0, dict(batch)
        return
    learned = _learned(batch["targets"])
    for piece_rows in torch.tensor_split(torch.arange(rows), min(number, rows)):
        yield float(learned[piece_rows].sum() / learned.sum()), _cut(batch, piece_rows)


def _learned(targets: torch.Tensor) -> torch.Tensor:
    """How much there is to learn in each row: where each token has a target, those that have one."""
    if targets.ndim == 1 or targets.is_floating_point():
        return torch.ones(len(targets))
    counted = (targets != NOT_LEARNED).sum(1).float()
    return counted if counted.any() else torch.ones(len(targets))


def _cut(batch: Inputs, piece_rows: torch.Tensor) -> dict[str, torch.Tensor]:
    width = batch["input_ids"].shape[1]
    longest = int(batch["attention_mask"][piece_rows].sum(1).max())
    targets = batch["targets"]
    per_token = targets.ndim > 1 and not targets.is_floating_point() and targets.shape[1] == width
    wide = {"input_ids", "attention_mask", *(("targets", "soft") if per_token else ())}
    return {name: each[piece_rows, :longest] if name in wide else each[piece_rows] for name, each in batch.items()}


class BatchPieces:
    """Into how many pieces each batch is cut, and what the optimizer's step has seen of its batches so far.

    When memory runs out in a step, its gradient is thrown away and the step begins anew, with the same random numbers,
    in half as large pieces. So the step is what it would have been had it begun with them.
    """

    def __init__(self, training: TrainingSpec) -> None:
        self._training = training
        self.halved: list[Halved] = []
        self._batches: list[Inputs] = []
        self._random = checkpoints.random_state()

    @property
    def number(self) -> int:
        """Pieces of a whole batch."""
        return int(2 ** len(self.halved))

    def begin(self) -> None:
        """A step of the optimizer begins."""
        self._batches, self._random = [], checkpoints.random_state()

    def learn(self, batch: Inputs, learn: Callable[[Inputs], torch.Tensor], start: Callable[[], int]) -> torch.Tensor:
        """What `learn` gives for `batch`, whose gradient it adds. `start` throws away the step's gradient so far, and
        says which step it is. Raises TrainingError when there is not even memory for one text at a time."""
        loss = tried(lambda: learn(batch))
        while loss is None:
            self._halve(batch, start())
            checkpoints.set_random(self._random)
            loss = tried(lambda: [learn(one) for one in (*self._batches, batch)][-1])
        self._batches.append(batch)
        return loss

    def _halve(self, batch: Inputs, step: int) -> None:
        rows = max(len(one["input_ids"]) for one in (*self._batches, batch))
        if self.number >= rows:
            raise exhausted(f"at step {step} even with one text of {batch['input_ids'].shape[1]:,} tokens at a time")
        number = 2 * self.number
        made = Halved(
            step=step,
            tokens_per_batch=max(1, self._training.tokens_per_batch // number),
            rows_per_batch=max(1, self._training.rows_per_batch // number),
            accumulation=self._training.accumulation * number,
        )
        self.halved.append(made)
        progress.note(
            f"Memory ran out at step {step}: from here on, {made.tokens_per_batch:,} tokens and "
            f"{made.rows_per_batch:,} rows at a time, accumulated {made.accumulation} times, so that a step learns "
            "from as much as before."
        )


def exhausted(when: str) -> TrainingError:
    """What to say when there is not enough memory, and no smaller piece to try."""
    return TrainingError(
        f"There is not enough memory to train: it ran out {when}.",
        remedy="Set training.gradient_checkpointing, lower model.max_length, set training.freeze_embeddings or "
        "freeze_layers, choose a smaller model.base, "
        "or run where there is more memory; the champion stays.",
    )
