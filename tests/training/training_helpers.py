"""A pipeline's steps up to training, without Great Expectations and MLflow."""

import os
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from forking import forked
from good_rows import checked

from perennial.core import progress
from perennial.core.home import Home
from perennial.inference.tokenization import Tokenizer
from perennial.ingest import snapshots
from perennial.pipeline_file import loader
from perennial.records.data import EncodedData, Snapshot, ValidatedData
from perennial.records.training import TrainedModel
from perennial.settings.pipeline import PipelineSpec
from perennial.training.distillation.student_training import distill
from perennial.training.encoding import row_encoding
from perennial.training.finetuning import finetune
from perennial.validation.read_rows import read_split


class Notes:
    """Keeps what a step reports; kills this process at `kill_at` steps of training."""

    def __init__(self, kill_at: int | None = None) -> None:
        self.messages: list[str] = []
        self.steps: list[float] = []
        self.kill_at = kill_at

    def advance(self, done: float, total: float | None, unit: str, detail: str) -> None:
        if unit == "step":
            self.steps.append(done)
            if done == self.kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    def note(self, message: str) -> None:
        self.messages.append(message)


@dataclass
class Work:
    """A pipeline, its home, and its rows as training takes them."""

    spec: PipelineSpec
    home: Home
    snapshot: Snapshot
    validated: ValidatedData
    encoded: EncodedData
    notes: Notes = field(default_factory=Notes)

    @property
    def root(self) -> Path:
        return self.home.store.root

    def rows(self, split: str) -> tuple[list[np.ndarray], list[str]]:
        """Token ids and labels of the rows of `split`, read as they would be served."""
        table = read_split(self.validated, self.home.store, split, ["text", "label"])
        tokenizer = Tokenizer(self.root / self.encoded.tokenizer_path, self.spec.model.max_length)
        ids, _ = tokenizer.encode(table["text"].to_pylist())
        return ids, table["label"].to_pylist()

    def train(self) -> TrainedModel:
        with progress.heard_by(self.notes):
            return finetune(self.spec, self.encoded, self.validated, self.home)

    def distil(self, teacher: TrainedModel) -> TrainedModel:
        """The student that the spec asks for."""
        assert self.spec.export.student is not None
        with progress.heard_by(self.notes):
            return distill(self.spec, self.spec.export.student, teacher, self.encoded, self.validated, self.home)


def prepare(folder: Path) -> Work:
    """The pipeline in `folder`/tiny up to its encoded rows, in the home `folder`/home."""
    spec, home = loader.read_pipeline(folder / "tiny" / "pipeline.yaml"), Home(folder / "home")
    snapshot = snapshots.ingest(spec, home)
    snapshots.accept(spec, snapshot, home)
    validated = checked(snapshot)
    return Work(spec, home, snapshot, validated, row_encoding.encode(spec, validated, home))


def killed(folder: Path, step: int, room: int = 0) -> None:
    """Train the pipeline in `folder` in another process, which is killed at `step` (of the student, where one is asked
    for). `room`: rows that fit in a pass."""
    assert forked(train_until, str(folder), step, room) == -signal.SIGKILL


def train_until(folder: str, step: int, room: int) -> None:
    """Train the pipeline in `folder`, and die at `step`."""
    work = prepare(Path(folder))
    teacher = work.train() if work.spec.export.student else None
    work.notes.kill_at = step
    if room:
        narrow(room)
    _ = work.distil(teacher) if teacher else work.train()


def killed_judging(folder: Path, evaluation: int) -> None:
    """Train the pipeline in `folder` in another process, which is killed in its `evaluation`th evaluation."""
    assert forked(train_until_judged, str(folder), evaluation) == -signal.SIGKILL


def train_until_judged(folder: str, evaluation: int) -> None:
    """Train the pipeline in `folder`, and die where validation rows are judged for the `evaluation`th time."""
    from perennial.training.trainer import PerennialTrainer

    real, begun = PerennialTrainer.validation_outputs, []

    def validation_outputs(self: Any) -> list[np.ndarray]:
        begun.append(self)
        if len(begun) == evaluation:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(self)

    PerennialTrainer.validation_outputs = validation_outputs  # type: ignore[method-assign]
    prepare(Path(folder)).train()


def narrow(rows: int) -> None:
    """From here on, a pass over more than `rows` rows runs out of memory."""
    import torch

    from perennial.training.model import MeanPooled

    real = MeanPooled.forward

    def forward(self: Any, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        if self.training and len(input_ids) > rows:
            raise torch.OutOfMemoryError
        return real(self, input_ids, attention_mask)

    MeanPooled.forward = forward  # type: ignore[method-assign]
