"""Rows are tokenized once, as the server does it, and training sees exactly those rows."""

import hashlib
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tiny_pipeline
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_pipeline import LABELS
from training_helpers import Work, prepare

from perennial.core.errors import BaseModelError
from perennial.inference.tokenization import Tokenizer
from perennial.records.data import EncodedData, EncodedPart
from perennial.training import validation_rows
from perennial.training.encoding.dataset import EncodedRows, batches_of, collate


def entries(work: Work) -> dict[str, int]:
    """The encoded parts in the store, with when they were written."""
    return {path.name: path.stat().st_mtime_ns for path in (work.root / "encode").glob("*")}


def rows_of(work: Work, split: str) -> list[dict[str, Any]]:
    """The rows of `split`, from the snapshot."""
    rows = [row for part in work.snapshot.parts for row in pq.read_table(work.root / part.path).to_pylist()]
    return [row for row in rows if row["split"] == split]


def test_training_sees_the_tokenizers_ids_and_the_labels_places(work) -> None:
    made = work()
    backend = Tokenizer(made.root / made.encoded.tokenizer_path, made.spec.model.max_length)
    rows = rows_of(made, "train")
    ids, _ = backend.encode([row["text"] for row in rows])
    seen = EncodedRows(made.encoded, made.root)
    assert len(seen) == len(rows) == made.encoded.rows > 20
    for place, row in enumerate(rows):
        encoded, target = seen[place]
        assert encoded.tolist() == list(ids[place])
        assert LABELS[int(target)] == row["label"]


def test_the_rows_to_choose_by_are_read_as_they_are_served(work) -> None:
    made = work()
    backend = Tokenizer(made.root / made.encoded.tokenizer_path, made.spec.model.max_length)
    rows = rows_of(made, "validation")
    ids, _ = backend.encode([row["text"] for row in rows])
    judged = validation_rows.read_validation_rows(made.spec, made.encoded, made.validated, made.home)
    assert len(judged.targets) == len(rows) > 20
    assert [segment.tolist() for segment in judged.encoded.segments] == [list(row) for row in ids]
    assert judged.targets == [row["label"] for row in rows]


def test_only_train_rows_are_encoded(work) -> None:
    made = work()
    assert made.encoded.rows == sum(part.rows for part in made.encoded.parts) == len(rows_of(made, "train"))
    assert made.encoded.rows < made.snapshot.rows
    files = {path.name for path in (made.root / made.encoded.parts[0].path).glob("*.arrow")}
    assert files == {"train.arrow"}


def test_with_each_row_goes_what_it_is_drawn_by(work) -> None:
    made = work()
    rows = rows_of(made, "train")
    (batch,) = batches_of(made.encoded.parts[0], made.root)
    assert batch.column("time").to_pylist() == [row["time"] for row in rows]
    keys = batch.column("row_key").to_pylist()
    assert len(set(keys)) == len(rows)
    assert keys[0] == int.from_bytes(hashlib.blake2b(rows[0]["row_id"].encode(), digest_size=8).digest(), "little")


def test_truncated_rows_are_counted(work) -> None:
    assert work("long", model__max_length=24).encoded.truncated == 0
    short = work("short", model__max_length=8)
    assert short.encoded.truncated > 0
    assert EncodedRows(short.encoded, short.root).lengths.max() == 8


def test_a_length_the_base_can_not_read_is_refused(work) -> None:
    with pytest.raises(BaseModelError, match=r"model\.max_length is 65 tokens, but .* reads at most 64") as caught:
        work(model__max_length=65)
    assert "64 or less" in caught.value.remedy


def test_a_description_of_the_base_that_is_broken_is_named(work, tiny_base: Path, tmp_path: Path) -> None:
    broken = Path(shutil.copytree(tiny_base, tmp_path / "broken"))
    (broken / "config.json").write_text("{")
    with pytest.raises(BaseModelError, match=r"config\.json is not the JSON object"):
        work(model__base=str(broken))


def test_only_a_new_part_is_encoded(work, tmp_path: Path) -> None:
    before = work()
    old = entries(before)
    tiny_pipeline.write_jsonl(tmp_path / "work" / "tiny" / "data" / "second.jsonl", tiny_pipeline.rows(60, 1000))
    after = prepare(tmp_path / "work")
    new = entries(after)
    assert len(after.encoded.parts) == 2
    assert after.encoded.parts[0] == before.encoded.parts[0]
    assert after.encoded.digest != before.encoded.digest
    assert {name: new[name] for name in old} == old
    assert len(new) == len(old) + 1


def test_rows_are_mapped_into_memory_not_copied(work) -> None:
    made = work()
    before = pa.total_allocated_bytes()
    rows = EncodedRows(made.encoded, made.root)
    assert pa.total_allocated_bytes() == before
    ids, _ = rows[0]
    assert not ids.flags.owndata


Rows = list[tuple[list[int], int]]
PARTS = st.lists(
    st.lists(
        st.lists(st.tuples(st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=5), st.integers(0, 9)), max_size=5),
        max_size=3,
    ),
    max_size=4,
)


@given(parts=PARTS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_over_several_parts_and_batches_are_the_rows_written(
    parts: list[list[Rows]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("parts")
    data = EncodedData(
        digest="", parts=tuple(_write(root, number, part) for number, part in enumerate(parts)),
        rows=0, truncated=0, tokenizer_path="",
    )  # fmt: skip
    written = [row for part in parts for batch in part for row in batch]
    rows = EncodedRows(data, root)
    assert [(ids.tolist(), int(target)) for ids, target in (rows[place] for place in range(len(rows)))] == written
    assert rows.lengths.tolist() == [len(ids) for ids, _ in written]
    assert rows.targets.tolist() == [target for _, target in written]
    some = np.arange(1, len(written), 3)
    chosen = EncodedRows(data, root, some)
    assert [(ids.tolist(), int(target)) for ids, target in map(chosen.__getitem__, range(len(chosen)))] == written[1::3]
    assert chosen.lengths.tolist() == [len(ids) for ids, _ in written[1::3]]
    assert chosen.targets.tolist() == [target for _, target in written[1::3]]


def _write(root: Path, number: int, part: list[Rows]) -> EncodedPart:
    (root / str(number)).mkdir()
    schema = pa.schema([("input_ids", pa.list_(pa.int32())), ("target", pa.int64())])
    with pa.ipc.new_file(root / str(number) / "train.arrow", schema) as writer:
        for batch in part:
            columns = [
                pa.array([ids for ids, _ in batch], pa.list_(pa.int32())),
                pa.array([t for _, t in batch], pa.int64()),
            ]
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
    return EncodedPart(path=str(number), digest="", rows=0, truncated=0)


def test_collate_pads_and_masks() -> None:
    rows = [(np.array([5, 6, 7], np.int32), np.int64(1)), (np.array([8], np.int32), np.int64(0))]
    batch = collate(rows, padding=9)
    assert batch["input_ids"].tolist() == [[5, 6, 7], [8, 9, 9]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]
    assert batch["targets"].tolist() == [1, 0]
