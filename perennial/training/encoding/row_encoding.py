"""Tokenizing the train rows of each checked part once, into Arrow files that training maps into memory."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from perennial import kinds
from perennial.core import digest, ordered_map, progress
from perennial.core.home import Home
from perennial.inference import decoders
from perennial.inference.decoders import Encoded
from perennial.inference.tokenization import Tokenizer
from perennial.ingest import retirements
from perennial.records.data import CheckedPart, EncodedData, EncodedPart, Retirement, ValidatedData
from perennial.rows.columns import ROW_ID, SPLIT, TIME
from perennial.settings.pipeline import PipelineSpec
from perennial.training import base_model
from perennial.training.encoding import tokenizer
from perennial.training.encoding.column_chunks import ColumnChunks

if TYPE_CHECKING:
    import pyarrow as pa

STEP = "encode"
TRAIN = "train"
ROWS = "train.arrow"
BATCH_ROWS = 10_000
FORMAT = 2
"""Of what is stored; a new number encodes everything again."""
KEY = "row_key"
KEY_BYTES = 8


@dataclass(frozen=True)
class PartLeft:
    """A checked part, and what was retired of it since."""

    number: int
    """Among all parts."""
    part: CheckedPart
    retired: tuple[Retirement, ...]


def encode(spec: PipelineSpec, data: ValidatedData, home: Home) -> EncodedData:
    """Token ids and targets of every train row that counts; a part encoded before is not read again, unless rows of
    it were retired since: then its token ids are copied without theirs.

    Raises BaseModelError if the base model or its tokenizer can't be used, can't read model.max_length tokens, or
    has no more layers than export.student.
    """
    base = base_model.find_base_model(spec)
    base_model.check_length(spec, base)
    base_model.check_student(spec, base)
    stored = tokenizer.prepare_tokenizer(base, home)
    left = (
        PartLeft(number, part, tuple(retirements.retirements_of_part(data.retired, number)))
        for number, part in enumerate(data.parts)
    )
    parts = tuple(
        ordered_map.map_in_order(
            partial(_encode_left, spec, stored, home),
            left,
            total=len(data.parts),
            heard=partial(progress.advance, unit="part"),
        )
    )
    return EncodedData(
        digest=digest.of_values(parts=[part.digest for part in parts]),
        parts=parts,
        rows=sum(part.rows for part in parts),
        truncated=sum(part.truncated for part in parts),
        tokenizer_path=stored.path,
    )


def part_key(spec: PipelineSpec, part: CheckedPart, stored: tokenizer.StoredTokenizer) -> str:
    """The key of a part's train rows as token ids."""
    return digest.of_values(
        part=part.sha256,
        tokenizer=stored.sha256,
        kind=spec.kind,
        labels=spec.data.labels,
        max_length=spec.model.max_length,
        format=FORMAT,
    )


def part_keys(spec: PipelineSpec, data: ValidatedData, number: int, stored: tokenizer.StoredTokenizer) -> list[str]:
    """The key of all train rows of the part `number`, and after it those of what is left after each retirement."""
    return _keys(
        part_key(spec, data.parts[number], stored), number, retirements.retirements_of_part(data.retired, number)
    )


def _keys(whole: str, number: int, retired: Sequence[Retirement]) -> list[str]:
    keys = [whole]
    for one in retired:
        keys.append(digest.of_values(before=keys[-1], part=number, retired=one.sha256))
    return keys


def _encode_left(spec: PipelineSpec, stored: tokenizer.StoredTokenizer, home: Home, left: PartLeft) -> EncodedPart:
    """The part less what was retired of it; made from what was left of it before, where that is there."""
    part, number, retired = left.part, left.number, left.retired
    keys = _keys(part_key(spec, part, stored), number, retired)
    for done in range(len(retired), 0, -1):
        encoded_part = home.store.get(STEP, keys[done], EncodedPart, by_stamp=True)
        if encoded_part is not None:
            break
    else:
        done, encoded_part = 0, _encode_part(spec, part, stored, home)
    if done == len(retired):
        return encoded_part

    def make(folder: Path) -> EncodedPart:
        gone = retirements.RetiredIds(retired[done:], home.store).ids(number)
        rows = encoded_part.rows - _copy_without(
            home.store.root / encoded_part.path / ROWS, gone.to_pylist(), folder / ROWS
        )
        path = home.store.relative(home.store.folder(STEP, keys[-1]))
        return EncodedPart(path=path, digest=digest.of_file(folder / ROWS), rows=rows, truncated=encoded_part.truncated)

    return home.store.get_or_make(STEP, keys[-1], EncodedPart, make)


def _copy_without(source: Path, gone: Sequence[str], target: Path) -> int:
    """Copy token ids without those of the rows with the ids `gone`; how many rows that were."""
    import pyarrow as pa
    import pyarrow.compute as pc

    keys, out = row_keys(gone), set()
    with pa.memory_map(str(source)) as file:
        reader = pa.ipc.open_file(file)
        with pa.ipc.new_file(target, reader.schema) as writer:
            for number in range(reader.num_record_batches):
                batch = reader.get_batch(number)
                hit = pc.is_in(batch.column(KEY), value_set=keys)
                out.update(batch.column(KEY).filter(hit).to_pylist())
                writer.write_batch(batch.filter(pc.invert(hit)))
    return len(out)


def _encode_part(spec: PipelineSpec, part: CheckedPart, stored: tokenizer.StoredTokenizer, home: Home) -> EncodedPart:
    key = part_key(spec, part, stored)

    def make(folder: Path) -> EncodedPart:
        encoder = Tokenizer(home.store.root / stored.path, spec.model.max_length, ColumnChunks)
        rows, truncated = _write(spec, home.store.root / part.path, encoder, folder / ROWS)
        path = home.store.relative(home.store.folder(STEP, key))
        return EncodedPart(path=path, digest=digest.of_file(folder / ROWS), rows=rows, truncated=truncated)

    return home.store.get_or_make(STEP, key, EncodedPart, make, by_stamp=True)


def _write(spec: PipelineSpec, source: Path, encoder: Tokenizer, target: Path) -> tuple[int, int]:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    kind = kinds.kind_named(spec.kind)
    columns = list(dict.fromkeys((*kind.input_columns, kind.target_column, ROW_ID, TIME, SPLIT)))
    rows = truncated = 0
    with pq.ParquetFile(source) as file:
        empty = file.schema_arrow.empty_table().select(columns)
        with pa.ipc.new_file(target, _encode(spec, empty, encoder)[0].schema) as writer:
            for batch in file.iter_batches(BATCH_ROWS, columns=columns):
                chosen = pa.Table.from_batches([batch.filter(pc.equal(batch.column(SPLIT), TRAIN))])
                encoded, cut = _encode(spec, chosen, encoder)
                writer.write_batch(encoded)
                rows += chosen.num_rows
                truncated += cut
    return rows, truncated


def _encode(spec: PipelineSpec, rows: pa.Table, encoder: Tokenizer) -> tuple[pa.RecordBatch, int]:
    import numpy as np
    import pyarrow as pa

    kind = kinds.kind_named(spec.kind)
    encoded = decoders.decoder_named(spec.kind).encode(kind.inputs(rows), encoder)
    offsets = np.concatenate([[0], np.cumsum([len(ids) for ids in encoded.segments])]).astype(np.int32)
    flat = np.concatenate([np.empty(0, np.int32), *encoded.segments])
    ids = pa.ListArray.from_arrays(pa.array(offsets), pa.array(flat))
    targets = kind.encode_targets(rows[kind.target_column].combine_chunks(), encoded, spec.data.labels)
    arrays = {"input_ids": ids, "target": targets, **_of_rows(rows, encoded)}
    return pa.RecordBatch.from_arrays(list(arrays.values()), names=list(arrays)), encoded.truncated


def _of_rows(rows: pa.Table, encoded: Encoded) -> dict[str, pa.Array]:
    """By what rows are drawn, for each segment: 64 bits of a hash of the row's id, and its time."""
    import pyarrow as pa

    arrays = {KEY: row_keys(rows[ROW_ID].to_pylist()), TIME: rows[TIME].combine_chunks()}
    if encoded.row_of is None:
        return arrays
    row_numbers = pa.array(encoded.row_of)
    return {name: column.take(row_numbers) for name, column in arrays.items()}


def row_keys(ids: Sequence[str]) -> pa.Array:
    """64 bits of a hash of each row's id, by which it is told apart among token ids."""
    import numpy as np
    import pyarrow as pa

    keys = [hashlib.blake2b(row_id.encode(), digest_size=KEY_BYTES).digest() for row_id in ids]
    return pa.array(np.frombuffer(b"".join(keys), "<u8"))
