"""Distillation: a model of fewer layers that learns from the fine-tuned one, and takes its place from then on.

Its teacher's outputs count beside the rows' own targets (Hinton, Vinyals and Dean 2015), and it begins with some of its
teacher's layers (Sun et al. 2019; Sanh et al. 2019).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from perennial.core import digest, telemetry
from perennial.core.home import Home
from perennial.records.data import EncodedData, ValidatedData
from perennial.records.training import Distillation, StartingPoint, TrainedModel
from perennial.settings.export import StudentSpec
from perennial.settings.pipeline import PipelineSpec
from perennial.training import train_run, validation_rows
from perennial.training.train_run import TrainOutcome, TrainRun

if TYPE_CHECKING:
    from torch import nn

STEP = "distill"
# Part of the key: raise it when the code of this step trains another model from the same teacher and settings.
RECIPE = 1


def distill(
    spec: PipelineSpec,
    student: StudentSpec,
    teacher: TrainedModel,
    data: EncodedData,
    validated: ValidatedData,
    home: Home,
    start: StartingPoint | None = None,
) -> TrainedModel:
    """The `student` of `teacher`, taught on the rows that `teacher` learned from, at its best checkpoint on the
    validation split of `validated`.

    `start`: what the teacher's own training started from, which may decide what its rows were. A run that was killed
    resumes from its last checkpoint. Raises TrainingError as `finetune` does, and if the teacher's architecture does
    not let layers be taken out.
    """
    key = student_key(student, teacher)

    def make(folder: Path) -> TrainedModel:
        asked = _train_run(spec, student, teacher, data, validated, home, start, key)
        source = home.store.root / teacher.path
        passed = train_run.train(asked, lambda: _network(asked, student, source), folder)
        trained = _record(asked, passed, student, teacher, home, key, folder)
        asked.kept.remove()
        return trained

    return home.store.get_or_make(STEP, key, TrainedModel, make)


def student_key(student: StudentSpec, teacher: TrainedModel) -> str:
    """The key of a student. The teacher's own, in its path, is made of the rows, the settings and the versions."""
    return digest.of_values(teacher=[teacher.path, teacher.digest], student=student, recipe=RECIPE)


def _train_run(
    spec: PipelineSpec,
    student: StudentSpec,
    teacher: TrainedModel,
    data: EncodedData,
    validated: ValidatedData,
    home: Home,
    start: StartingPoint | None,
    key: str,
) -> TrainRun:
    telemetry.off()
    from perennial.training import row_selection
    from perennial.training.checkpoints import Checkpoints
    from perennial.training.distillation import teacher_outputs
    from perennial.training.encoding.dataset import EncodedRows

    judged, kept = validation_rows.read_validation_rows(spec, data, validated, home), Checkpoints(home.checkpoints(key))
    rows = EncodedRows(
        data, home.store.root, row_selection.select_rows(spec, data, validated, start, home.store.root).segments
    )
    statistics = judged.kind.statistics(rows.targets, spec.data.labels, spec.training)
    tokenizer = home.store.root / data.tokenizer_path
    asked = TrainRun(
        spec=_as_taught(spec, student),
        rows=rows,
        # The teacher's outputs are in its own units.
        statistics=train_run.in_units(statistics, teacher.decoding),
        judged=judged,
        computed_in=teacher.precision,
        tokenizer=tokenizer,
        kept=kept,
        student=student,
    )
    per_token = judged.decoder.per_token
    rows.soft = teacher_outputs.ask_teacher(
        home.store.root / teacher.path, rows, judged.padding, per_token=per_token, kept=kept
    )
    return asked


def _as_taught(spec: PipelineSpec, student: StudentSpec) -> PipelineSpec:
    """`spec` with the training of its student. Layers that were taken out of their places all have to learn."""
    changes = {"epochs": student.epochs, "freeze_layers": 0, "hold": "none"}
    return spec.model_copy(update={"training": spec.training.model_copy(update=changes)})


def _network(asked: TrainRun, student: StudentSpec, teacher: Path) -> tuple[nn.Module, frozenset[str]]:
    from perennial.training.distillation import student_network

    return student_network.student_of(teacher, student.layers, asked.spec.training.dropout), frozenset()


def _record(
    asked: TrainRun,
    passed: TrainOutcome,
    student: StudentSpec,
    teacher: TrainedModel,
    home: Home,
    key: str,
    folder: Path,
) -> TrainedModel:
    from perennial.training import model
    from perennial.training.distillation import student_network

    how = Distillation(
        layers=student.layers,
        teacher_layers=student_network.layers_of(home.store.root / teacher.path),
        metric=asked.judged.kind.headline_metric,
        teacher=teacher,
    )
    train_run.write_record(
        asked,
        passed,
        folder,
        base=teacher.base,
        base_revision=teacher.base_revision,
        student=student.model_dump(),
        distillation=how.model_dump(mode="json"),
    )
    changes = {
        "digest": digest.of_file(folder / model.WEIGHTS),
        "path": home.store.relative(home.store.folder(STEP, key)),
        "distillation": how,
    }
    return teacher.model_copy(update=changes | passed.facts)
