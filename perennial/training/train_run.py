"""One training, from a network to a model in a folder: what fine-tuning and distillation share."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perennial.core import progress, telemetry
from perennial.core.errors import TrainingError
from perennial.metrics.prediction import Prediction
from perennial.settings.export import StudentSpec
from perennial.settings.pipeline import PipelineSpec
from perennial.training.callbacks import AfterEpoch, Stopped
from perennial.training.validation_rows import Judged

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

    from perennial.training.attachments.attachment import Attachment
    from perennial.training.checkpoints import Best, Checkpoints
    from perennial.training.encoding.dataset import EncodedRows
    from perennial.training.trainer import PerennialTrainer

Build = Callable[[], "tuple[nn.Module, frozenset[str]]"]
"""Gives a network with its first weights, and the names of those that `training.hold` holds."""

TOKENIZER = "tokenizer.json"
RECORD = "training.json"
REFERENCE_WIDTH = 384
REFERENCE_RATE = 2e-4


@dataclass(frozen=True)
class TrainRun:
    """A training as it is asked for."""

    spec: PipelineSpec
    """Its `training` says how this one is done."""
    rows: EncodedRows
    """What is learned from."""
    statistics: Mapping[str, np.ndarray]
    """Of their targets, as the kind makes them."""
    judged: Judged
    computed_in: str
    """fp32 or bf16."""
    tokenizer: Path
    kept: Checkpoints
    """Where it is resumed; the caller removes them once what came of it is written."""
    student: StudentSpec | None = None
    """How what a teacher gives for the rows counts; None: there is no teacher."""
    heard: AfterEpoch | None = None
    """Hears of each epoch, and may end the training."""
    started: float = field(default_factory=time.monotonic)


@dataclass(frozen=True)
class TrainOutcome:
    """What a training came to."""

    trainer: PerennialTrainer
    best: Best
    decoding: dict[str, Any]
    seconds: float

    @property
    def facts(self) -> dict[str, Any]:
        """The fields of a TrainedModel that only the training knows."""
        return {
            "epochs": round(float(self.trainer.state.epoch or 0), 2),
            "best_epoch": round(self.best.epoch, 2),
            "steps": int(self.trainer.state.global_step),
            "step_floor": self.trainer.step_floor,
            "validation": self.best.metrics,
            "decoding": self.decoding,
            "seconds": round(self.seconds, 2),
            "halved": tuple(self.trainer.pieces.halved),
        }


def in_units(statistics: Mapping[str, np.ndarray], decoding: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """`statistics`, those by which outputs are read as a model reads them whose decoding is `decoding` (regression: its
    mean and scale)."""
    import numpy as np

    return {name: np.array(decoding[name]) if name in decoding else value for name, value in statistics.items()}


def train(run: TrainRun, build: Build, folder: Path) -> TrainOutcome:
    """Train what `build` gives, and write it to `folder` at its best checkpoint on the validation rows.

    One that was killed resumes from its last checkpoint. Raises TrainingError if training diverges, or ends in a model
    that answers the same to everything; Stopped when `run.heard` does.
    """
    telemetry.off()
    from perennial.training import model
    from perennial.training.attachments import attachment, choice

    attached = choice.chosen_attachments(run.rows, run.judged.padding)
    trainer = _trainer(run, build, attached)
    try:
        best = _learn(trainer, run.kept)
        outputs = trainer.best_outputs()
        decoding = run.judged.decoding(outputs, run.statistics)
        _refuse_collapsed(run.judged, run.judged.predictions(outputs, decoding))
    except (TrainingError, Stopped):
        # To resume it would only end the same way.
        run.kept.remove()
        raise
    attachment.fold_all(trainer.model, attached)
    model.save_model(trainer.model, folder)
    shutil.copyfile(run.tokenizer, folder / TOKENIZER)
    return TrainOutcome(trainer, best, decoding, time.monotonic() - run.started)


def write_record(run: TrainRun, passed: TrainOutcome, folder: Path, **facts: Any) -> None:
    """Write how the model in `folder` was trained: settings, `facts` and figures of each epoch."""
    spec, trainer = run.spec, passed.trainer
    record: dict[str, Any] = {
        "kind": spec.kind,
        "labels": list(spec.data.labels),
        "max_length": spec.model.max_length,
        **facts,
        "training": spec.training.model_dump(mode="json"),
        "learning_rate": trainer.args.learning_rate,
        "precision": run.computed_in,
        "steps": trainer.state.global_step,
        "halved": [one.model_dump() for one in trainer.pieces.halved],
        "history": trainer.state.log_history,
    }
    (folder / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def encoder_rate(spec: PipelineSpec, width: int) -> float:
    """The encoder's peak learning rate; auto falls with the square of the hidden width."""
    if spec.training.learning_rate != "auto":
        return spec.training.learning_rate
    return min(REFERENCE_RATE * (REFERENCE_WIDTH / width) ** 2, 5e-4)


def _learn(trainer: PerennialTrainer, kept: Checkpoints) -> Best:
    from perennial.training import checkpoints, memory

    latest = kept.latest()
    if latest is not None and checkpoints.damage(latest):
        progress.note(f"The checkpoint {latest} is damaged ({checkpoints.damage(latest)}); training starts anew.")
        kept.remove()
        latest = None
    if latest is not None:
        progress.note(f"Resuming the training that was cut short at step {latest.name.rpartition('-')[2]}.")
    try:
        trainer.train(resume_from_checkpoint=str(latest) if latest else None)
    except (RuntimeError, MemoryError) as error:
        if not memory.ran_out(error):
            raise
        raise memory.exhausted("outside any batch that could be made smaller") from error
    best = kept.best()
    if best is None:
        raise TrainingError("Training ended before its first evaluation.", remedy="Raise training.epochs.")
    kept.load_best(trainer.model)
    return best


def _trainer(run: TrainRun, build: Build, attached: Sequence[Attachment]) -> PerennialTrainer:
    import torch
    from transformers import TrainingArguments, set_seed

    from perennial.training import model, step_floor
    from perennial.training.attachments import attachment
    from perennial.training.trainer import PerennialTrainer

    spec = run.spec
    processes = int(os.environ.get("WORLD_SIZE", "1"))  # as torchrun and its like say it
    settings, floor = step_floor.with_enough_steps(run.rows.lengths, spec.training, processes)
    set_seed(settings.seed)
    network, held = build()
    model.freeze(network, embeddings=settings.freeze_embeddings, layers=settings.freeze_layers)
    if settings.gradient_checkpointing:
        model.recompute(network)
    attachment.attach_all(network, attached)
    arguments = TrainingArguments(
        output_dir=str(run.kept.folder),
        num_train_epochs=settings.epochs,
        learning_rate=encoder_rate(spec, model.width(network)),
        warmup_steps=settings.warmup,
        lr_scheduler_type="linear",
        max_grad_norm=settings.max_gradient_norm,
        gradient_accumulation_steps=settings.accumulation,
        bf16=run.computed_in == "bf16",
        seed=settings.seed,
        eval_strategy="epoch",
        save_strategy="no",
        logging_steps=10,
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
        use_cpu=not torch.cuda.is_available(),
    )
    return PerennialTrainer(
        network,
        arguments,
        kind=run.judged.kind,
        training=settings,
        rows=run.rows,
        validation=run.judged.encoded.segments,
        judge=partial(run.judged.metrics, statistics=run.statistics),
        padding=run.judged.padding,
        statistics=run.statistics,
        kept=run.kept,
        held=held,
        student=run.student,
        step_floor=floor,
        heard=run.heard,
    )


def _refuse_collapsed(judged: Judged, predictions: Sequence[Prediction]) -> None:
    answer = judged.kind.collapsed(predictions)
    if answer is not None:
        raise TrainingError(
            f"Training collapsed: the best checkpoint answers {answer} to all {len(predictions):,} validation rows.",
            remedy="Give more rows or more epochs, set training.class_weights to balanced if one label dominates, or "
            "change training.learning_rate; the champion stays.",
        )
