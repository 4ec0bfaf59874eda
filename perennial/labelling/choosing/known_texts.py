"""A sample of what the pipeline learned from, to tell which live texts are new to it."""

from __future__ import annotations

from collections.abc import Iterator

from perennial import kinds
from perennial.core.errors import StoreError
from perennial.core.home import Home
from perennial.ingest import snapshot_heads
from perennial.records.data import Snapshot
from perennial.settings.pipeline import PipelineSpec

MOST = 5_000
"""Texts that live ones are compared with, of those that were read for training."""


def known_texts(spec: PipelineSpec, home: Home) -> list[str]:
    """About MOST texts of the pipeline's newest snapshot, evenly; none where nothing was read yet.

    Raises StoreError when the snapshot or a part of it is damaged.
    """
    head = snapshot_heads.read_head(snapshot_heads.head_path(spec, home))
    return list(_sampled(spec, home, head.snapshot)) if head else []


def _sampled(spec: PipelineSpec, home: Home, snapshot: Snapshot) -> Iterator[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    column = kinds.kind_named(spec.kind).text_columns[0]
    every = -(-max(1, sum(part.rows for part in snapshot.parts)) // MOST)
    passed = 0
    for part in snapshot.parts:
        try:
            with pq.ParquetFile(home.store.root / part.path) as file:
                for batch in file.iter_batches(columns=[column]):
                    texts = batch.column(0).to_pylist()
                    yield from (str(text) for text in texts[-passed % every :: every] if text)
                    passed += len(texts)
        except (OSError, pa.ArrowException) as error:
            raise StoreError(
                f"Rows of {spec.name} ({part.path} in the store) are missing or damaged.",
                remedy=f"`perennial run {spec.name} --reread` reads the source into a new snapshot.",
            ) from error
