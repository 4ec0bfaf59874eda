"""Test rows as `evaluate` reads them, and the pipelines that cut them into slices."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from perennial import kinds
from perennial.settings.pipeline import PipelineSpec

LABELS = ("negative", "positive")
START = datetime(2026, 1, 1, tzinfo=UTC)
GATES = {"regression": "rmse", "token-classification": "f1", "multi-label": "micro_f1"}


def spec_of(
    kind: str = "text-classification", columns: Sequence[str] = ("sector",), slices: Sequence[tuple[str, str]] = ()
) -> PipelineSpec:
    """A pipeline with these slice columns, and slices by expression (name, where)."""
    return PipelineSpec.model_validate(
        {
            "name": "news",
            "kind": kind,
            "data": {
                "source": {"type": "file", "path": "news.csv"},
                "labels": () if kind == "regression" else LABELS,
                "columns": {"time": "time", "slices": columns},
            },
            "evaluation": {"slices": [{"name": name, "where": where} for name, where in slices]},
            "gates": [{"metric": GATES.get(kind, "accuracy"), "max" if kind == "regression" else "min": 0.5}],
        }
    )


def table(spec: PipelineSpec, rows: Sequence[dict[str, Any]]) -> pa.Table:
    """Test rows with these cells; a cell that is not given is a text, the first label, a day after the one before."""
    types = {"row_id": pa.string(), "time": pa.timestamp("us", tz="UTC"), **kinds.kind_named(spec.kind).column_types()}
    types |= dict.fromkeys(spec.data.columns.slices, pa.string())
    full = [_usual(number) | row for number, row in enumerate(rows)]
    return pa.table({name: pa.array([row.get(name) for row in full], kind) for name, kind in types.items()})


def _usual(number: int) -> dict[str, Any]:
    return {"row_id": str(number), "text": "a text", "label": None, "time": START + timedelta(days=number)}
