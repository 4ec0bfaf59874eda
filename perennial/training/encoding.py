"""Tokenizing each checked part once, into Arrow files that training maps into memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from perennial import digest, kinds, progress
from perennial.artifacts import CheckedPart, EncodedData, EncodedPart, ValidatedData
from perennial.data.columns import SPLIT
from perennial.home import Home
from perennial.inference.tokenization import Tokenizer
from perennial.spec import PipelineSpec
from perennial.training import base_model, tokenizer

if TYPE_CHECKING:
    import pyarrow as pa

STEP = "encode"
LEARNED_SPLITS = ("train", "validation")
BATCH_ROWS = 10_000


def encode(spec: PipelineSpec, data: ValidatedData, home: Home) -> EncodedData:
    """Token ids and targets of every train and validation row; a part encoded before is not read again.

    Raises BaseModelError if the base model or its tokenizer can't be used, or can't read model.max_length tokens.
    """
    base = base_model.find(spec)
    base_model.check_length(spec, base)
    stored = tokenizer.prepare(base, home)
    parts = []
    for number, part in enumerate(data.parts):
        progress.advance(number, len(data.parts), unit="part")
        parts.append(_encode_part(spec, part, stored, home))
    progress.advance(len(parts), len(parts), unit="part")
    return EncodedData(
        digest=digest.of_values(parts=[part.digest for part in parts]),
        parts=tuple(parts),
        rows={split: sum(part.rows[split] for part in parts) for split in LEARNED_SPLITS},
        truncated=sum(part.truncated for part in parts),
        tokenizer_path=stored.path,
    )


def _encode_part(spec: PipelineSpec, part: CheckedPart, stored: tokenizer.StoredTokenizer, home: Home) -> EncodedPart:
    key = digest.of_values(
        part=part.sha256,
        tokenizer=stored.sha256,
        kind=spec.kind,
        labels=spec.data.labels,
        max_length=spec.model.max_length,
    )

    def make(folder: Path) -> EncodedPart:
        encoder = Tokenizer(home.store.root / stored.path, spec.model.max_length)
        rows, truncated = _write_splits(spec, home.store.root / part.path, encoder, folder)
        files = {split: digest.of_file(folder / f"{split}.arrow") for split in LEARNED_SPLITS}
        place = home.store.relative(home.store.folder(STEP, key))
        return EncodedPart(path=place, digest=digest.of_values(**files), rows=rows, truncated=truncated)

    return home.store.get_or_make(STEP, key, EncodedPart, make)


def _write_splits(spec: PipelineSpec, source: Path, encoder: Tokenizer, folder: Path) -> tuple[dict[str, int], int]:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    kind = kinds.get(spec.kind)
    columns = [*kind.text_columns, kind.target_column, SPLIT]
    target_type = kind.encode_targets(pa.array([], kind.column_types()[kind.target_column]), spec.data.labels).type
    schema = pa.schema([("input_ids", pa.list_(pa.int32())), ("target", target_type)])
    rows = dict.fromkeys(LEARNED_SPLITS, 0)
    truncated = 0
    writers = {split: pa.ipc.new_file(folder / f"{split}.arrow", schema) for split in LEARNED_SPLITS}
    with pq.ParquetFile(source) as file:
        for batch in file.iter_batches(BATCH_ROWS, columns=columns):
            for split, writer in writers.items():
                chosen = batch.filter(pc.equal(batch.column(SPLIT), split))
                encoded, cut = _encode_batch(spec, chosen, encoder, schema)
                writer.write_batch(encoded)
                rows[split] += encoded.num_rows
                truncated += cut
    for writer in writers.values():
        writer.close()
    return rows, truncated


def _encode_batch(
    spec: PipelineSpec, batch: pa.RecordBatch, encoder: Tokenizer, schema: pa.Schema
) -> tuple[pa.RecordBatch, int]:
    import numpy as np
    import pyarrow as pa

    kind = kinds.get(spec.kind)
    ids, truncated = encoder.encode(batch.column(kind.text_columns[0]).to_pylist())
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in ids])]).astype(np.int32)
    flat = np.concatenate(ids).astype(np.int32) if ids else np.empty(0, np.int32)
    column = pa.ListArray.from_arrays(pa.array(offsets), pa.array(flat))
    targets = kind.encode_targets(batch.column(kind.target_column), spec.data.labels)
    return pa.RecordBatch.from_arrays([column, targets], schema=schema), truncated
