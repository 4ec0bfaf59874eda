"""Smaller models beside the whole one, all in int8 and on the same test rows: rows/s, latency, accuracy.

BENCH_ROUNDS turns, BENCH_SINGLES texts alone; BENCH_EPOCHS of training make the teacher, BENCH_LAYERS its student.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from benchmarks.common import own_rows, turns
from benchmarks.common.own_rows import Work
from benchmarks.infer import WARM_UP, Timed, accuracy, by_package
from perennial.inference.predictor import Predictor
from perennial.records.package import OnnxPackage
from perennial.records.training import TrainedModel
from perennial.settings.export import CascadeSpec, StudentSpec

WHOLE = "whole"
PRECISION = "int8"


def measure(scratch: Path) -> dict[str, object]:
    """The whole model, its student, and a cascade before each, in turn on the same texts."""
    work = own_rows.work(scratch)
    teacher = work.train(epochs=own_rows.size("BENCH_EPOCHS", 3))
    student = _distilled(work, teacher, StudentSpec(layers=own_rows.size("BENCH_LAYERS", 3)))
    packages = {WHOLE: work.pack(teacher, PRECISION), "student": work.pack(student, PRECISION)}
    packages |= {f"cascade before the {name}": _cascade(work, made) for name, made in packages.items()}
    texts, labels = work.rows("test")
    ways = {
        name: Timed(partial(by_package, Predictor(work.folder(made.path))), texts) for name, made in packages.items()
    }
    for way in ways.values():
        way.answer(texts[:WARM_UP])
    rounds, singles = own_rows.size("BENCH_ROUNDS", 5), own_rows.size("BENCH_SINGLES", 60)
    rates = turns.take({name: way.rows_per_second for name, way in ways.items()}, rounds)
    alone = turns.take({name: partial(way.alone, singles) for name, way in ways.items()}, rounds)
    return {
        "rows": f"{work.encoded.rows:,} to train on, {len(texts):,} test rows, {own_rows.source()}",
        **turns.figures(rates, WHOLE, "rows/s"),
        **turns.figures(alone, WHOLE, "p50 ms"),
        **{f"{name}, accuracy": accuracy(way.labels, labels) for name, way in ways.items()},
        **{f"{name}, MB": made.size_bytes / 1e6 for name, made in packages.items()},
        **{f"{name}, precision": made.precision for name, made in packages.items()},
        "student": " ".join(student.remarks),
        "seconds of training": {"teacher": teacher.seconds, "student": student.seconds},
        **{name: made.cascade.sentence for name, made in packages.items() if made.cascade},
    }


def _distilled(work: Work, teacher: TrainedModel, student: StudentSpec) -> TrainedModel:
    from perennial.training.distillation.student_training import distill

    return distill(work.spec, student, teacher, work.encoded, work.validated, work.home)


def _cascade(work: Work, made: OnnxPackage) -> OnnxPackage:
    from perennial.export import linear_cascade, sample

    inputs, targets = sample.validation_sample(work.spec, work.validated, work.home.store)
    return linear_cascade.put_before(work.spec, CascadeSpec(), made, work.encoded, inputs, targets, work.home)
