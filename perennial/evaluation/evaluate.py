"""Judging the package: candidate, champion and baselines on the same test rows, all scored now."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perennial import digest, kinds, progress
from perennial.artifacts import Champion, Evaluation, Metrics, OnnxPackage, ValidatedData
from perennial.data import splits
from perennial.data.columns import ROW_ID
from perennial.data.read import read_split
from perennial.errors import PackageError, ValidationError
from perennial.home import Home
from perennial.inference.predictor import Predictor
from perennial.kinds import Prediction
from perennial.spec import PipelineSpec

if TYPE_CHECKING:
    import pyarrow as pa

STEP = "evaluate"
PREDICTIONS = "predictions.parquet"
# Part of the key: raise it when the code of this step measures something else.
RECIPE = 1
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
    test = read_split(data, home.store, "test", [ROW_ID, *kind.text_columns, kind.target_column])
    if test.num_rows == 0:
        raise ValidationError("The test split has no rows, so nothing can be judged.", remedy="Add data.")
    answers = {"candidate": _answers(home, package.path, package.digest, test, kind.text_columns[0], "candidate")}
    problem = None
    if champion is not None and champion.splits not in {None, splits.fingerprint(spec.data.splits)}:
        problem = "it was trained with other data.splits, so it may have learned from rows it would be judged on."
    elif champion is not None:
        try:
            answers["champion"] = _answers(
                home, champion.path, champion.package_digest, test, kind.text_columns[0], "champion"
            )
        except PackageError as error:
            problem = str(error)
    progress.advance(0, None, unit="row", detail="baselines")
    train = read_split(data, home.store, "train", [*kind.text_columns, kind.target_column])
    baselines = kind.baselines(train, test, spec.data.labels)
    _write(folder / PREDICTIONS, test, kind.target_column, answers | baselines)
    targets = test[kind.target_column].to_pylist()

    def measured(predictions: Sequence[Prediction]) -> Metrics:
        return kind.measure(targets, predictions, spec.data.labels)

    return Evaluation(
        digest=key,
        candidate=measured(answers["candidate"]),
        champion=measured(answers["champion"]) if "champion" in answers else None,
        champion_version=champion.version if champion else None,
        champion_problem=problem,
        baselines={name: measured(predictions) for name, predictions in baselines.items()},
        predictions_path=home.store.relative(home.store.folder(STEP, key) / PREDICTIONS),
    )


def _answers(home: Home, path: str, expected: str, test: pa.Table, column: str, who: str) -> list[Prediction]:
    predictor = Predictor(home.store.root / path, digest=expected)

    def heard(done: int, total: int) -> None:
        progress.advance(done, total, unit="row", detail=who)

    return list(predictor.predict(test[column].to_pylist(), on_progress=heard))


def _write(path: Path, test: pa.Table, target: str, answers: dict[str, Any]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, Any] = {ROW_ID: test[ROW_ID], "target": test[target]}
    for name, predictions in answers.items():
        columns[name] = pa.array([json.dumps(prediction) for prediction in predictions], pa.string())
    pq.write_table(pa.table(columns), path, compression="zstd")
