"""A pipeline of some kind over rows in a file, ingested and validated as a run does it."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from perennial.core.home import Home
from perennial.ingest.snapshots import ingest
from perennial.records.data import ValidatedData
from perennial.rows.batch import Batch
from perennial.settings.data import ColumnsSpec
from perennial.settings.pipeline import PipelineSpec
from perennial.validation.snapshot_validation import validate

Row = dict[str, Any]


def spec(kind: str, *gates: Row, labels: Sequence[str] = (), **data: Any) -> PipelineSpec:
    """A pipeline of `kind` over rows.jsonl; `data` replaces settings of its data."""
    settings = {"source": {"type": "file", "path": "rows.jsonl"}, "labels": list(labels)} | data
    return PipelineSpec.model_validate(
        {"name": "tiny", "kind": kind, "data": settings, "gates": list(gates) or [{"metric": "any", "min": 0}]}
    )


def validated(made: PipelineSpec, folder: Path, rows: Sequence[Row]) -> ValidatedData:
    """`rows` in `folder`'s rows.jsonl, through ingestion and validation."""
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    home = Home(folder / "home")
    return validate(made, ingest(made.located(folder), home), home)


def set_aside(data: ValidatedData, folder: Path) -> dict[int, str]:
    """The reason of each row in quarantine, by its line."""
    [part] = data.parts
    if part.quarantine_path is None:
        return {}
    with (folder / "home" / "store" / part.quarantine_path).open(encoding="utf-8-sig", newline="") as file:
        return {int(row["line"]): row["reason"] for row in csv.DictReader(file)}


def good(data: ValidatedData, folder: Path) -> list[Row]:
    """The rows that may be learned from, in the order of their lines."""
    [part] = data.parts
    rows = pq.read_table(folder / "home" / "store" / part.path).to_pylist()
    return sorted(rows, key=lambda row: row["line"])


def cells(kind: Any, values: Sequence[Any], columns: ColumnsSpec | None = None) -> list[Any]:
    """The target column that `kind` makes of these cells of a source."""
    named = columns or ColumnsSpec()
    given = {name: [f"text {number}" for number in range(len(values))] for name in kind.sources(named)}
    given[named.label] = list(values)
    batch = Batch("rows.jsonl", "line", list(range(1, len(values) + 1)), given)
    array: pa.Array = kind.canonical(batch, named)[kind.target_column]
    column: list[Any] = array.to_pylist()
    return column
