"""Label errors: rows whose given label the model contradicts, found by confident learning (Northcutt et al. 2021).

Only a model that did not learn a row can contradict it, so the test and validation rows are judged and no others.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from perennial import kinds
from perennial.core import progress
from perennial.metrics.prediction import Prediction
from perennial.records.evaluation import LabelErrors
from perennial.rows.columns import ROW_ID
from perennial.settings.pipeline import PipelineSpec

if TYPE_CHECKING:
    import pyarrow as pa


FILE = "label_errors.parquet"
"""row_id, given and suggested (in words) and score, the most contradicted first; no text."""


def find_label_errors(
    spec: PipelineSpec,
    rows: pa.Table,
    predictions: Sequence[Prediction],
    folder: Path,
) -> LabelErrors:
    """Write FILE into `folder`: which of `rows` (row_id and the target column) `predictions` contradict."""
    kind = kinds.kind_named(spec.kind)
    targets = rows[kind.target_column].to_pylist()
    ids = rows[ROW_ID].to_pylist()
    doubts = kind.doubts(targets, predictions, spec.data.labels)
    ranked = sorted(doubts, key=lambda doubt: (doubt.score, ids[doubt.row]))
    _write(
        folder / FILE,
        row_id=[ids[doubt.row] for doubt in ranked],
        given=[kind.target_in_words(targets[doubt.row]) for doubt in ranked],
        suggested=[kind.target_in_words(doubt.suggested) for doubt in ranked],
        score=[doubt.score for doubt in ranked],
    )
    if ranked:
        progress.note(
            f"{len(ranked):,} of {len(ids):,} test and validation rows have a label that the model contradicts: "
            f"`perennial review {spec.name}` lists them."
        )
    return LabelErrors(n=len(ids), found=len(ranked))


def _write(path: Path, *, row_id: list[str], given: list[str], suggested: list[str], score: list[float]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {"row_id": row_id, "given": given, "suggested": suggested}
    texts = {name: pa.array(cells, pa.string()) for name, cells in columns.items()}
    pq.write_table(pa.table({**texts, "score": pa.array(score, pa.float64())}), path, compression="zstd")
