"""Fine-tuning: from encoded rows to a trained model in the store."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perennial import digest, progress, telemetry
from perennial.artifacts import EncodedData, StartingPoint, TrainedModel, ValidatedData
from perennial.errors import TrainingError
from perennial.home import Home
from perennial.kinds import Prediction
from perennial.spec import PipelineSpec
from perennial.training import base_model, precision, validation_rows
from perennial.training.base_model import BaseModel
from perennial.training.listening import AfterEpoch, Stopped
from perennial.training.validation_rows import Judged

if TYPE_CHECKING:
    import numpy as np

    from perennial.training.checkpoints import Best, Checkpoints
    from perennial.training.choice import Choice
    from perennial.training.dataset import EncodedRows
    from perennial.training.trainer import PerennialTrainer

STEP = "finetune"
# Part of the key: raise it when the code of this step trains another model from the same rows and settings.
RECIPE = 6
REFERENCE_WIDTH = 384
REFERENCE_RATE = 2e-4
TOKENIZER = "tokenizer.json"
RECORD = "training.json"


def finetune(
    spec: PipelineSpec,
    data: EncodedData,
    validated: ValidatedData,
    home: Home,
    start: StartingPoint | None = None,
    heard: AfterEpoch | None = None,
) -> TrainedModel:
    """The base model fine-tuned on `data`, at its best checkpoint on the validation split of `validated`.

    `start`: the model whose weights it starts from instead of the base model's; some of the rows are learned from, or
    all, as `spec.training` says. A run that was killed resumes from its last checkpoint. `heard`: hears of each epoch
    of a training that is not in the store yet, and may end it. Raises TrainingError if training diverges, or ends in a
    model that answers the same to everything; Stopped when `heard` does.
    """
    base = base_model.find(spec)
    computed_in = precision.choose(spec.training.precision)
    key = training_key(spec, data, validated, base, computed_in, start)

    def make(folder: Path) -> TrainedModel:
        from perennial.training import choice

        judged = validation_rows.read(spec, data, validated, home)
        lesson = Lesson(start, choice.choose(spec, data, validated, start, home.store.root))
        return _train(spec, data, judged, lesson, base, computed_in, home, key, folder, heard)

    return home.store.get_or_make(STEP, key, TrainedModel, make)


def training_key(
    spec: PipelineSpec,
    data: EncodedData,
    validated: ValidatedData,
    base: BaseModel,
    computed_in: str,
    start: StartingPoint | None,
) -> str:
    """The key of a trained model: its rows, what it starts from, settings, and the versions that compute it."""
    return digest.of_values(
        data=data.digest,
        validated=validated.digest,
        base=base.revision,
        kind=spec.kind,
        labels=spec.data.labels,
        model=spec.model.model_dump(exclude={"base", "revision"}),
        training=spec.training.model_dump(exclude={"checkpoint_seconds", "precision"}),
        precision=computed_in,
        recipe=RECIPE,
        start=start and start.model_dump(exclude={"start": {"path"}}),
        versions={name: importlib.metadata.version(name) for name in ("torch", "transformers")},
    )


def encoder_rate(spec: PipelineSpec, width: int) -> float:
    """The encoder's peak learning rate; auto falls with the square of the hidden width."""
    if spec.training.learning_rate != "auto":
        return spec.training.learning_rate
    return min(REFERENCE_RATE * (REFERENCE_WIDTH / width) ** 2, 5e-4)


@dataclass(frozen=True)
class Lesson:
    """What training goes on from, and the rows that it learns from."""

    start: StartingPoint | None
    choice: Choice

    @property
    def goes_on(self) -> bool:
        """Whether there are weights to start from other than the base model's."""
        return self.start is not None and self.start.start.path is not None

    def in_its_units(self, statistics: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """`statistics`, those by which outputs are read as the model to go on from reads them: its outputs are in them
        already (regression: mean and scale)."""
        import numpy as np

        known = self.start.decoding if self.start is not None and self.goes_on else {}
        return {name: np.array(known[name]) if name in known else value for name, value in statistics.items()}


def _train(
    spec: PipelineSpec,
    data: EncodedData,
    judged: Judged,
    lesson: Lesson,
    base: BaseModel,
    computed_in: str,
    home: Home,
    key: str,
    folder: Path,
    heard: AfterEpoch | None,
) -> TrainedModel:
    telemetry.off()
    from perennial.training import model, vocabulary
    from perennial.training.checkpoints import Checkpoints
    from perennial.training.dataset import EncodedRows

    started = time.monotonic()
    kept = Checkpoints(home.checkpoints(key))
    rows = EncodedRows(data, home.store.root, lesson.choice.segments)
    statistics = lesson.in_its_units(judged.kind.statistics(rows.targets, spec.data.labels, spec.training))
    trainer = _trainer(spec, data, lesson, rows, judged, statistics, base, computed_in, home, kept, heard)
    try:
        best = _learn(trainer, kept)
        outputs = trainer.validation_outputs()
        decoding = judged.decoding(outputs, statistics)
        _refuse_collapsed(judged, judged.predictions(outputs, decoding))
    except (TrainingError, Stopped):
        # To resume it would only end the same way.
        kept.remove()
        raise
    vocabulary.widen(trainer.model)
    model.save(trainer.model, folder)
    shutil.copyfile(home.store.root / data.tokenizer_path, folder / TOKENIZER)
    seconds = time.monotonic() - started
    trained = _record(spec, lesson, base, computed_in, home, key, folder, trainer, best, decoding, seconds)
    kept.remove()
    return trained


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


def _trainer(
    spec: PipelineSpec,
    data: EncodedData,
    lesson: Lesson,
    rows: EncodedRows,
    judged: Judged,
    statistics: Mapping[str, np.ndarray],
    base: BaseModel,
    computed_in: str,
    home: Home,
    kept: Checkpoints,
    heard: AfterEpoch | None,
) -> PerennialTrainer:
    import numpy as np
    from transformers import TrainingArguments, set_seed

    from perennial.training import model, starting, vocabulary
    from perennial.training.trainer import PerennialTrainer

    set_seed(spec.training.seed)
    network = model.build(spec, base, judged.kind.outputs(spec.data.labels))
    held = starting.encoder_names(network)
    if lesson.start is not None and lesson.goes_on:
        held = starting.load(network, lesson.start, judged.kind, spec.data.labels, home.store.root)
    model.freeze(network, embeddings=spec.training.freeze_embeddings, layers=spec.training.freeze_layers)
    if spec.training.gradient_checkpointing:
        model.recompute(network)
    vocabulary.narrow(network, np.union1d(rows.tokens, [judged.padding]))
    settings = spec.training
    arguments = TrainingArguments(
        output_dir=str(kept.folder),
        num_train_epochs=settings.epochs,
        learning_rate=encoder_rate(spec, model.width(network)),
        warmup_steps=settings.warmup,
        lr_scheduler_type="linear",
        max_grad_norm=settings.max_gradient_norm,
        gradient_accumulation_steps=settings.accumulation,
        bf16=computed_in == "bf16",
        seed=settings.seed,
        eval_strategy="epoch",
        save_strategy="no",
        logging_steps=10,
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
        use_cpu=not _on_gpu(),
    )
    return PerennialTrainer(
        network,
        arguments,
        kind=judged.kind,
        training=settings,
        rows=rows,
        validation=judged.encoded.segments,
        judge=partial(judged.metrics, statistics=statistics),
        padding=judged.padding,
        statistics=statistics,
        kept=kept,
        held=held,
        heard=heard,
    )


def _refuse_collapsed(judged: Judged, predictions: Sequence[Prediction]) -> None:
    answer = judged.kind.collapsed(predictions)
    if answer is not None:
        raise TrainingError(
            f"Training collapsed: the best checkpoint answers {answer} to all {len(predictions):,} validation rows.",
            remedy="Give more rows or more epochs, set training.class_weights to balanced if one label dominates, or "
            "change training.learning_rate; the champion stays.",
        )


def _record(
    spec: PipelineSpec,
    lesson: Lesson,
    base: BaseModel,
    computed_in: str,
    home: Home,
    key: str,
    folder: Path,
    trainer: PerennialTrainer,
    best: Best,
    decoding: dict[str, Any],
    seconds: float,
) -> TrainedModel:
    from perennial.training import model

    start, sample = lesson.start and lesson.start.start, lesson.choice.sample
    record: dict[str, Any] = {
        "kind": spec.kind,
        "labels": list(spec.data.labels),
        "max_length": spec.model.max_length,
        "base": base.name,
        "base_revision": base.revision,
        "training": spec.training.model_dump(mode="json"),
        "learning_rate": trainer.args.learning_rate,
        "precision": computed_in,
        "steps": trainer.state.global_step,
        "start": start and start.model_dump(),
        "sample": sample and sample.model_dump(),
        "halved": [one.model_dump() for one in trainer.pieces.halved],
        "history": trainer.state.log_history,
    }
    (folder / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return TrainedModel(
        digest=digest.of_file(folder / model.WEIGHTS),
        path=home.store.relative(home.store.folder(STEP, key)),
        base=base.name,
        base_revision=base.revision,
        pooling=model.pooling(spec, base),
        precision=computed_in,
        epochs=round(float(trainer.state.epoch or 0), 2),
        best_epoch=round(best.epoch, 2),
        train_rows=lesson.choice.rows,
        validation=best.metrics,
        decoding=decoding,
        seconds=round(seconds, 2),
        halved=tuple(trainer.pieces.halved),
        start=start,
        sample=sample,
    )


def _on_gpu() -> bool:
    import torch

    return torch.cuda.is_available()
