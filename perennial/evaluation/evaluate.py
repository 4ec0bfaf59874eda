"""Judging the package: candidate, champion and baselines on the same test rows, all scored now."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perennial import digest, kinds, progress
from perennial.artifacts import Champion, Evaluation, Metrics, OnnxPackage, ValidatedData
from perennial.data import splits
from perennial.data.columns import ROW_ID
from perennial.data.read import read_split
from perennial.errors import PackageError, ValidationError
from perennial.home import Home
from perennial.inference.decoders import Input
from perennial.inference.predictor import Predictor
from perennial.kinds import Kind, Prediction
from perennial.spec import PipelineSpec

if TYPE_CHECKING:
    import pyarrow as pa

STEP = "evaluate"
PREDICTIONS = "predictions.parquet"
# Part of the key: raise it when the code of this step measures something else.
RECIPE = 2
LIBRARIES = ("scikit-learn", "tokenizers")


def evaluate(
    spec: PipelineSpec, package: OnnxPackage, data: ValidatedData, champion: Champion | None, home: Home
) -> Evaluation:
    """Every metric of `package` on the test split, through the predictor that would serve it.

    The champion's package and the kind's baselines answer the same rows. A champion that can't answer is recorded as
    a problem, which keeps every comparison with it undecided; it never counts as "no champion".
    """
    key = digest.of_values(
        package=package.digest,
        data=data.digest,
        champion=champion.package_digest if champion else None,
        version=champion.version if champion else None,
        kind=spec.kind,
        labels=spec.data.labels,
        recipe=RECIPE,
        versions={name: importlib.metadata.version(name) for name in LIBRARIES},
    )
    found = home.store.get(STEP, key, Evaluation)
    if found is not None and found.champion_problem is not None:
        # What kept the champion from being judged may have been mended.
        home.store.forget(STEP, key)

    def make(folder: Path) -> Evaluation:
        return _evaluate(spec, package, data, champion, home, key, folder)

    return home.store.get_or_make(STEP, key, Evaluation, make)


def _evaluate(
    spec: PipelineSpec,
    package: OnnxPackage,
    data: ValidatedData,
    champion: Champion | None,
    home: Home,
    key: str,
    folder: Path,
) -> Evaluation:
    kind = kinds.get(spec.kind)
    columns = list(kind.column_types())
    test = read_split(data, home.store, "test", [ROW_ID, *columns])
    if test.num_rows == 0:
        raise ValidationError("The test split has no rows, so nothing can be judged.", remedy="Add data.")
    targets, inputs = test[kind.target_column].to_pylist(), kind.inputs(test)
    candidate = _answers(_predictor(home, package.path, package.digest), inputs, "candidate")
    rival = _rival(spec, champion, inputs, home) if champion else None
    progress.advance(0, None, unit="row", detail="baselines")
    train = read_split(data, home.store, "train", columns)
    baselines = kind.baselines(train, test, spec.data.labels)
    answers = {"candidate": candidate} | ({"champion": rival.answers} if rival and rival.answers else {}) | baselines
    _write(folder / PREDICTIONS, test, kind.target_column, answers)
    judged = _Judged(kind, spec.data.labels, targets)
    return Evaluation(
        digest=key,
        candidate=judged.measure(candidate),
        champion=judged.measure_shared(rival.answers, rival.labels) if rival and rival.answers else None,
        champion_version=champion.version if champion else None,
        champion_problem=rival.problem if rival else None,
        shared=judged.measure_shared(candidate, rival.labels) if rival and judged.new(rival.labels) else None,
        new_labels=judged.new(rival.labels) if rival else (),
        dropped_labels=judged.dropped(rival.labels) if rival else (),
        baselines={name: judged.measure(predictions) for name, predictions in baselines.items()},
        predictions_path=home.store.relative(home.store.folder(STEP, key) / PREDICTIONS),
    )


@dataclass(frozen=True)
class _Judged:
    """Test rows' targets, and the measures of answers to them."""

    kind: Kind
    labels: tuple[str, ...]
    targets: list[Any]

    def measure(self, answers: Sequence[Prediction]) -> Metrics:
        return self.kind.measure(self.targets, answers, self.labels)

    def measure_shared(self, answers: Sequence[Prediction], others: Sequence[str] | None) -> Metrics:
        """Every metric on the labels that are among `others`, too; None: the same labels."""
        if others is None or set(others) == set(self.labels):
            return self.measure(answers)
        labels = [label for label in self.labels if label in others]
        targets, shared = self.kind.shared(self.targets, answers, labels)
        return self.kind.measure(targets, shared, labels)

    def new(self, others: Sequence[str] | None) -> tuple[str, ...]:
        return () if others is None else tuple(label for label in self.labels if label not in others)

    def dropped(self, others: Sequence[str] | None) -> tuple[str, ...]:
        return tuple(label for label in others or () if label not in self.labels)


@dataclass(frozen=True)
class _Rival:
    """The champion on the test rows."""

    answers: list[Prediction] | None
    labels: tuple[str, ...] | None
    """Those it knows; None: it could not be loaded."""
    problem: str | None
    """Why it could not be judged."""


def _rival(spec: PipelineSpec, champion: Champion, inputs: Sequence[Input], home: Home) -> _Rival:
    if champion.splits not in {None, splits.fingerprint(spec.data.splits)}:
        problem = "it was trained with other data.splits, so it may have learned from rows it would be judged on."
        return _Rival(None, None, problem)
    try:
        predictor = _predictor(home, champion.path, champion.package_digest)
        if predictor.package.kind != spec.kind:
            problem = f"it is of another kind of task, {predictor.package.kind}; give this pipeline another name."
            return _Rival(None, None, problem)
        return _Rival(_answers(predictor, inputs, "champion"), predictor.package.labels, None)
    except PackageError as error:
        return _Rival(None, None, str(error))


def _predictor(home: Home, path: str, expected: str) -> Predictor:
    return Predictor(home.store.root / path, digest=expected)


def _answers(predictor: Predictor, inputs: Sequence[Input], who: str) -> list[Prediction]:
    def heard(done: int, total: int) -> None:
        progress.advance(done, total, unit="row", detail=who)

    return list(predictor.predict(inputs, on_progress=heard))


def _write(path: Path, test: pa.Table, target: str, answers: dict[str, Any]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, Any] = {ROW_ID: test[ROW_ID], "target": test[target]}
    for name, predictions in answers.items():
        columns[name] = pa.array([json.dumps(prediction) for prediction in predictions], pa.string())
    pq.write_table(pa.table(columns), path, compression="zstd")
