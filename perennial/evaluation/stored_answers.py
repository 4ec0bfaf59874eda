"""What the models answered to the test rows, as files: all that a decision can be made from again. No text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from perennial.kinds.protocols import GivesAnswers
from perennial.metrics.clusters import Clusters
from perennial.metrics.prediction import Prediction
from perennial.records.evaluation import EvaluationContext

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

PREDICTIONS = "predictions.parquet"
CONTEXT = "contest.json"
CANDIDATE = "candidate"
CHAMPION = "champion"
ANCHOR = "anchor"
BASELINE = "baseline "
SLICE = "slice "
CLUSTER = "cluster "


@dataclass(frozen=True)
class Answers:
    """Each model's answers to the test rows, all in one order."""

    row_ids: list[str]
    targets: pa.ChunkedArray
    candidate: list[Prediction]
    champion: list[Prediction] | None
    """None: there is none, or it could not be asked."""
    baselines: Mapping[str, list[Prediction]]
    slices: Mapping[str, np.ndarray]
    """Which rows are in a slice (bool), by its name."""
    anchor: list[Prediction] | None = None
    """None: there is none, it could not be asked, or it is the champion."""
    clusters: Clusters | None = None
    """Which rows belong together; None: each is independent."""


def write_answers(folder: Path, answers: Answers, kind: GivesAnswers) -> None:
    """Write `answers` into `folder`, without what they quote of the texts."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    champion = {CHAMPION: answers.champion} if answers.champion is not None else {}
    anchor = {ANCHOR: answers.anchor} if answers.anchor is not None else {}
    baselines = {BASELINE + name: given for name, given in answers.baselines.items()}
    models = {CANDIDATE: answers.candidate, **champion, **anchor, **baselines}
    columns = {"row_id": pa.array(answers.row_ids, pa.string()), "target": answers.targets}
    columns |= {name: _as_json(map(kind.without_text, given)) for name, given in models.items()}
    columns |= {SLICE + name: pa.array(inside) for name, inside in answers.slices.items()}
    if answers.clusters is not None and not answers.clusters.each_alone():
        columns |= {CLUSTER + name: pa.array(numbers) for name, numbers in answers.clusters.numbers.items()}
    pq.write_table(pa.table(columns), folder / PREDICTIONS, compression="zstd")


def read_answers(folder: Path) -> Answers:
    """The answers that `write_answers` wrote into `folder`."""
    import pyarrow.parquet as pq

    table = pq.read_table(folder / PREDICTIONS)
    names = table.column_names
    clusters = {name.removeprefix(CLUSTER): table[name].to_numpy() for name in names if name.startswith(CLUSTER)}
    return Answers(
        row_ids=table["row_id"].to_pylist(),
        targets=table["target"],
        candidate=_from_json(table[CANDIDATE]),
        champion=_from_json(table[CHAMPION]) if CHAMPION in names else None,
        baselines={name.removeprefix(BASELINE): _from_json(table[name]) for name in names if name.startswith(BASELINE)},
        anchor=_from_json(table[ANCHOR]) if ANCHOR in names else None,
        slices={name.removeprefix(SLICE): table[name].to_numpy() for name in names if name.startswith(SLICE)},
        clusters=Clusters(clusters) if clusters else None,
    )


def write_context(folder: Path, context: EvaluationContext) -> None:
    """Write what was asked beside the rows, and how the champion stood."""
    (folder / CONTEXT).write_text(context.model_dump_json(indent=1) + "\n", encoding="utf-8")


def read_context(folder: Path) -> EvaluationContext:
    """What `write_context` wrote."""
    return EvaluationContext.model_validate_json((folder / CONTEXT).read_bytes())


def _as_json(given: Iterable[Prediction]) -> pa.Array:
    import pyarrow as pa

    return pa.array([json.dumps(answer, ensure_ascii=False) for answer in given], pa.string())


def _from_json(column: pa.ChunkedArray) -> list[Prediction]:
    return [json.loads(answer) for answer in column.to_pylist()]
