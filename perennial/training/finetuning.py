"""Fine-tuning: from encoded rows to a trained model in the store."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from perennial.core import digest, telemetry
from perennial.core.home import Home
from perennial.records.data import EncodedData, ValidatedData
from perennial.records.training import StartingPoint, TrainedModel
from perennial.settings.pipeline import PipelineSpec
from perennial.training import base_model, precision, train_run, validation_rows
from perennial.training.base_model import BaseModel
from perennial.training.callbacks import AfterEpoch
from perennial.training.train_run import TrainOutcome, TrainRun
from perennial.training.validation_rows import Judged

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

    from perennial.training.row_selection import SelectedRows

STEP = "finetune"
# Part of the key: raise it when the code of this step trains another model from the same rows and settings.
RECIPE = 6


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
    base = base_model.find_base_model(spec)
    computed_in = precision.choose_precision(spec.training.precision)
    key = training_key(spec, data, validated, base, computed_in, start)

    def make(folder: Path) -> TrainedModel:
        from perennial.training import row_selection

        judged = validation_rows.read_validation_rows(spec, data, validated, home)
        lesson = Lesson(start, row_selection.select_rows(spec, data, validated, start, home.store.root))
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


@dataclass(frozen=True)
class Lesson:
    """What training goes on from, and the rows that it learns from."""

    start: StartingPoint | None
    choice: SelectedRows

    @property
    def goes_on(self) -> bool:
        """Whether there are weights to start from other than the base model's."""
        return self.start is not None and self.start.start.path is not None

    def in_its_units(self, statistics: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """`statistics`, those by which outputs are read as the model to go on from reads them: its outputs are in them
        already."""
        return train_run.in_units(statistics, self.start.decoding if self.start is not None and self.goes_on else {})


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
    from perennial.training.checkpoints import Checkpoints
    from perennial.training.encoding.dataset import EncodedRows

    rows = EncodedRows(data, home.store.root, lesson.choice.segments)
    asked = TrainRun(
        spec=spec,
        rows=rows,
        statistics=lesson.in_its_units(judged.kind.statistics(rows.targets, spec.data.labels, spec.training)),
        judged=judged,
        computed_in=computed_in,
        tokenizer=home.store.root / data.tokenizer_path,
        kept=Checkpoints(home.checkpoints(key)),
        heard=heard,
    )
    passed = train_run.train(asked, lambda: _network(spec, judged, lesson, base, home), folder)
    trained = _record(asked, passed, lesson, base, home, key, folder)
    asked.kept.remove()
    return trained


def _network(
    spec: PipelineSpec, judged: Judged, lesson: Lesson, base: BaseModel, home: Home
) -> tuple[nn.Module, frozenset[str]]:
    """The network with the weights it starts from, and the names of those that are known."""
    from perennial.training import model, warm_start

    network = model.build_model(spec, base, judged.kind.outputs(spec.data.labels))
    if lesson.start is not None and lesson.goes_on:
        return network, warm_start.load_start(network, lesson.start, judged.kind, spec.data.labels, home.store.root)
    return network, warm_start.encoder_names(network)


def _record(
    asked: TrainRun, passed: TrainOutcome, lesson: Lesson, base: BaseModel, home: Home, key: str, folder: Path
) -> TrainedModel:
    from perennial.training import model

    start, sample = lesson.start and lesson.start.start, lesson.choice.sample
    train_run.write_record(
        asked,
        passed,
        folder,
        base=base.name,
        base_revision=base.revision,
        start=start and start.model_dump(),
        sample=sample and sample.model_dump(),
    )
    return TrainedModel(
        digest=digest.of_file(folder / model.WEIGHTS),
        path=home.store.relative(home.store.folder(STEP, key)),
        base=base.name,
        base_revision=base.revision,
        pooling=model.pooling(asked.spec, base),
        precision=asked.computed_in,
        train_rows=lesson.choice.rows,
        start=start,
        sample=sample,
        **passed.facts,
    )
