"""Encoded rows as training sees them: views into memory-mapped files, no copies, no decoding."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.utils.data import Dataset

from perennial.artifacts import EncodedData
from perennial.inference.batching import pad
from perennial.training.encoding import ROWS

if TYPE_CHECKING:
    import pyarrow as pa

Row = tuple[np.ndarray, np.ndarray]
"""Token ids (int32, length) and the target: a number, one for each output, or one for each token."""

NOT_LEARNED = -100
"""The target of padding, where there is a target for each token; what torch's losses leave out by default."""


class EncodedRows(Dataset[Row]):
    """All encoded segments, over all parts."""

    def __init__(self, data: EncodedData, root: Path) -> None:
        """`root`: the store's. Maps the files; reads nothing yet."""
        import pyarrow as pa

        batches: list[pa.RecordBatch] = []
        for part in data.parts:
            source = pa.memory_map(str(root / part.path / ROWS))
            reader = pa.ipc.open_file(source)
            batches += [batch for i in range(reader.num_record_batches) if (batch := reader.get_batch(i)).num_rows]
        lists = [batch.column("input_ids") for batch in batches]
        self._offsets = [column.offsets.to_numpy() for column in lists]
        self._values = [column.values.to_numpy() for column in lists]
        self._starts = np.cumsum([0, *(len(column) for column in lists)])
        self.lengths = _joined([np.diff(offsets) for offsets in self._offsets])
        columns = [batch.column("target") for batch in batches]
        self._per_token = any(pa.types.is_list(column.type) for column in columns)
        self._targets = [_numbers(column) for column in columns]

    @property
    def targets(self) -> np.ndarray:
        """Every target: segments, or segments × outputs, or one after the other those of all tokens."""
        return _joined(self._targets)

    @property
    def tokens(self) -> np.ndarray:
        """Every token id that a segment holds, sorted, each once."""
        largest = max((int(values.max()) for values in self._values if len(values)), default=-1)
        seen = np.zeros(largest + 1, dtype=bool)
        for values in self._values:
            seen[values] = True
        return np.flatnonzero(seen)

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, index: int) -> Row:
        batch = int(np.searchsorted(self._starts, index, side="right")) - 1
        row = index - int(self._starts[batch])
        offsets = self._offsets[batch]
        tokens = slice(offsets[row], offsets[row + 1])
        # A segment's targets lie where its tokens do.
        targets = self._targets[batch]
        return self._values[batch][tokens], targets[tokens] if self._per_token else targets[row]


def collate(rows: Sequence[Row], padding: int) -> dict[str, torch.Tensor]:
    """A batch: input_ids and attention_mask (rows × longest, int64), targets (rows, then outputs or tokens if any)."""
    input_ids, attention_mask = pad([ids for ids, _ in rows], padding)
    return {
        "input_ids": torch.from_numpy(input_ids),
        "attention_mask": torch.from_numpy(attention_mask),
        "targets": torch.from_numpy(_together([target for _, target in rows])),
    }


def _together(targets: Sequence[np.ndarray]) -> np.ndarray:
    if len({target.shape for target in map(np.asarray, targets)}) == 1:
        return np.stack(targets)
    return pad(targets, NOT_LEARNED)[0]


def _numbers(column: pa.Array) -> np.ndarray:
    import pyarrow as pa

    if pa.types.is_fixed_size_list(column.type):
        flat: np.ndarray = column.flatten().to_numpy()
        return flat.reshape(len(column), -1)
    if pa.types.is_list(column.type):
        column = column.values
    numbers: np.ndarray = column.to_numpy(zero_copy_only=False)
    return numbers


def _joined(arrays: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate(arrays) if arrays else np.empty(0, np.int64)
