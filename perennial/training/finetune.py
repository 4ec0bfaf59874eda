"""Fine-tuning: from encoded rows to a trained model in the store."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perennial import digest, kinds, progress, telemetry
from perennial.artifacts import EncodedData, TrainedModel
from perennial.errors import TrainingError
from perennial.home import Home
from perennial.inference import decoders
from perennial.inference.tokenization import Tokenizer
from perennial.spec import PipelineSpec
from perennial.training import base_model, precision
from perennial.training.base_model import BaseModel

if TYPE_CHECKING:
    import numpy as np

    from perennial.training.checkpoints import Best, Checkpoints
    from perennial.training.dataset import EncodedRows
    from perennial.training.trainer import Judge, PerennialTrainer

STEP = "finetune"
# Part of the key: raise it when the code of this step trains another model from the same rows and settings.
RECIPE = 1
REFERENCE_WIDTH = 384
REFERENCE_RATE = 2e-4
TOKENIZER = "tokenizer.json"
RECORD = "training.json"


def finetune(spec: PipelineSpec, data: EncodedData, home: Home) -> TrainedModel:
    """The base model fine-tuned on the train split, at its best checkpoint on the validation split.

    A run that was killed resumes from its last checkpoint. Raises TrainingError if training diverges, or ends in a
    model that answers the same to everything.
    """
    base = base_model.find(spec)
    computed_in = precision.choose(spec.training.precision)
    key = training_key(spec, data, base, computed_in)

    def make(folder: Path) -> TrainedModel:
        return _train(spec, data, base, computed_in, home, key, folder)

    return home.store.get_or_make(STEP, key, TrainedModel, make)


def training_key(spec: PipelineSpec, data: EncodedData, base: BaseModel, computed_in: str) -> str:
    """The key of a trained model: its rows, base, settings, and the versions that compute it."""
    return digest.of_values(
        data=data.digest,
        base=base.revision,
        kind=spec.kind,
        labels=spec.data.labels,
        model=spec.model.model_dump(exclude={"base", "revision"}),
        training=spec.training.model_dump(exclude={"checkpoint_seconds", "precision"}),
        precision=computed_in,
        recipe=RECIPE,
        versions={name: importlib.metadata.version(name) for name in ("torch", "transformers")},
    )


def encoder_rate(spec: PipelineSpec, width: int) -> float:
    """The encoder's peak learning rate; auto falls with the square of the hidden width."""
    if spec.training.learning_rate != "auto":
        return spec.training.learning_rate
    return min(REFERENCE_RATE * (REFERENCE_WIDTH / width) ** 2, 5e-4)


def _train(
    spec: PipelineSpec, data: EncodedData, base: BaseModel, computed_in: str, home: Home, key: str, folder: Path
) -> TrainedModel:
    telemetry.off()
    from perennial.training import model
    from perennial.training.checkpoints import Checkpoints

    started = time.monotonic()
    kept = Checkpoints(home.checkpoints(key))
    trainer = _trainer(spec, data, base, computed_in, home, kept)
    try:
        best = _learn(spec, trainer, kept)
    except TrainingError:
        # To resume it would only end the same way.
        kept.remove()
        raise
    model.save(trainer.model, folder)
    shutil.copyfile(home.store.root / data.tokenizer_path, folder / TOKENIZER)
    trained = _record(spec, data, base, computed_in, home, key, folder, trainer, best, time.monotonic() - started)
    kept.remove()
    return trained


def _learn(spec: PipelineSpec, trainer: PerennialTrainer, kept: Checkpoints) -> Best:
    from perennial.training import checkpoints

    latest = kept.latest()
    if latest is not None and checkpoints.damage(latest):
        progress.note(f"The checkpoint {latest} is damaged ({checkpoints.damage(latest)}); training starts anew.")
        kept.remove()
        latest = None
    if latest is not None:
        progress.note(f"Resuming the training that was cut short at step {latest.name.rpartition('-')[2]}.")
    trainer.train(resume_from_checkpoint=str(latest) if latest else None)
    best = kept.best()
    if best is None:
        raise TrainingError("Training ended before its first evaluation.", remedy="Raise training.epochs.")
    kept.load_best(trainer.model)
    _refuse_collapsed(spec, trainer)
    return best


def _trainer(
    spec: PipelineSpec, data: EncodedData, base: BaseModel, computed_in: str, home: Home, kept: Checkpoints
) -> PerennialTrainer:
    from transformers import TrainingArguments, set_seed

    from perennial.training import model
    from perennial.training.dataset import EncodedRows
    from perennial.training.trainer import PerennialTrainer

    kind = kinds.get(spec.kind)
    rows = EncodedRows(data, home.store.root, "train")
    validation = EncodedRows(data, home.store.root, "validation")
    set_seed(spec.training.seed)
    network = model.build(spec, base, kind.outputs(spec.data.labels))
    model.freeze(network, embeddings=spec.training.freeze_embeddings, layers=spec.training.freeze_layers)
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
        kind=kind,
        training=settings,
        rows=rows,
        validation=validation,
        judge=_judge(spec, validation),
        padding=Tokenizer(home.store.root / data.tokenizer_path, spec.model.max_length).pad_id,
        label_weights=(
            kind.label_weights(rows.targets, spec.data.labels) if settings.class_weights == "balanced" else None
        ),
        kept=kept,
    )


def _judge(spec: PipelineSpec, validation: EncodedRows) -> Judge:
    kind = kinds.get(spec.kind)
    decode, reading = decoders.get(spec.kind), decoders.OutputLabels(spec.data.labels)
    targets = kind.decode_targets(validation.targets, spec.data.labels)

    def judge(logits: np.ndarray) -> dict[str, float]:
        predictions = decode(logits, reading)
        return kind.measure(targets, predictions, spec.data.labels).values

    return judge


def _refuse_collapsed(spec: PipelineSpec, trainer: PerennialTrainer) -> None:
    decode, reading = decoders.get(spec.kind), decoders.OutputLabels(spec.data.labels)
    predictions = decode(trainer.validation_logits(), reading)
    answer = kinds.get(spec.kind).collapsed(predictions)
    if answer is not None:
        raise TrainingError(
            f"Training collapsed: the best checkpoint answers {answer} to all {len(predictions):,} validation rows.",
            remedy="Give more rows or more epochs, set training.class_weights to balanced if one label dominates, or "
            "change training.learning_rate; the champion stays.",
        )


def _record(
    spec: PipelineSpec,
    data: EncodedData,
    base: BaseModel,
    computed_in: str,
    home: Home,
    key: str,
    folder: Path,
    trainer: PerennialTrainer,
    best: Best,
    seconds: float,
) -> TrainedModel:
    from perennial.training import model

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
        train_rows=data.rows["train"],
        validation=best.metrics,
        seconds=round(seconds, 2),
    )


def _on_gpu() -> bool:
    import torch

    return torch.cuda.is_available()
