"""Small snapshots for the tests of validation, made as ingestion makes them: canonical Parquet parts in a store."""

import hashlib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from perennial.core import digest
from perennial.core.home import Home
from perennial.ingest.canonical_rows import part_schema
from perennial.records.data import Part, Snapshot
from perennial.settings.pipeline import PipelineSpec

SPLIT_OF = ("train", "train", "validation", "test")
LABELS = ("negative", "positive")


def pipeline(**data: Any) -> PipelineSpec:
    """A pipeline with two labels; `data` overrides settings of its data."""
    settings = {"source": {"type": "file", "path": "news.csv"}, "labels": LABELS, "max_quarantined": 1.0} | data
    gates = [{"metric": "accuracy", "min": 0.5}]
    return PipelineSpec.model_validate(
        {"name": "news", "kind": "text-classification", "data": settings, "gates": gates}
    )


def rows(count: int, start: int = 0, file: str = "news.csv", **columns: Any) -> list[dict[str, Any]]:
    """`count` good rows, their labels and splits in turn; `columns` overrides values in all of them."""
    return [
        {
            "text": f"Shares of company {number} moved",
            "label": LABELS[number // len(SPLIT_OF) % 2],
            "split": SPLIT_OF[number % len(SPLIT_OF)],
            "file": file,
            "line": number + 1,
        }
        | columns
        for number in range(start, start + count)
    ]


def with_row(some: list[dict[str, Any]], place: int, **columns: Any) -> list[dict[str, Any]]:
    """`some` rows, with `columns` overridden in the row at `place`."""
    return [row | columns if number == place else row for number, row in enumerate(some)]


def snapshot(spec: PipelineSpec, home: Home, *parts: list[dict[str, Any]]) -> Snapshot:
    """A snapshot of these parts, its files in the store."""
    made = [_part(spec, home, number, part) for number, part in enumerate(parts)]
    total = sum(part.rows for part in made)
    return Snapshot(
        pipeline=spec.name,
        digest=digest.of_values(parts=[part.sha256 for part in made]),
        parts=tuple(made),
        rows=total,
        new_rows=made[-1].rows if made else 0,
        repeated_rows=0,
        late_rows=0,
        watermark=None,
    )


def _part(spec: PipelineSpec, home: Home, number: int, some: list[dict[str, Any]]) -> Part:
    path = home.store.root / "parts" / f"{number}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist([_canonical(row) for row in some], part_schema(spec)), path)
    return Part(path=str(path.relative_to(home.store.root)), sha256=digest.of_file(path), rows=len(some))


def _canonical(row: dict[str, Any]) -> dict[str, Any]:
    text = row["text"]
    content = f"{row['file']} {row['line']} {text} {row['label']}"
    ids = {"row_id": _hash(content), "text_key": _hash(str(text).strip().lower())}
    return ids | row


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:32]


def files_of(home: Home, step: str) -> list[Path]:
    """The entries of `step` in the store."""
    return sorted(path for path in (home.store.root / step).glob("*") if not path.name.startswith("."))
