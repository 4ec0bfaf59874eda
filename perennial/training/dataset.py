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

if TYPE_CHECKING:
    import pyarrow as pa

Row = tuple[np.ndarray, np.ndarray]
"""Token ids (int32, length) and the target (a number or an array)."""


class EncodedRows(Dataset[Row]):
    """All rows of one split, over all parts."""

    def __init__(self, data: EncodedData, root: Path, split: str) -> None:
        """`root`: the store's. Maps the files; reads nothing yet."""
        import pyarrow as pa

        batches: list[pa.RecordBatch] = []
        for part in data.parts:
            source = pa.memory_map(str(root / part.path / f"{split}.arrow"))
            reader = pa.ipc.open_file(source)
            batches += [batch for i in range(reader.num_record_batches) if (batch := reader.get_batch(i)).num_rows]
        lists = [batch.column("input_ids") for batch in batches]
        self._offsets = [column.offsets.to_numpy() for column in lists]
        self._values = [column.values.to_numpy() for column in lists]
        self._starts = np.cumsum([0, *(len(column) for column in lists)])
        self.lengths = _joined([np.diff(offsets) for offsets in self._offsets])
        self.targets = _joined([batch.column("target").to_numpy(zero_copy_only=False) for batch in batches])

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, index: int) -> Row:
        batch = int(np.searchsorted(self._starts, index, side="right")) - 1
        row = index - int(self._starts[batch])
        offsets = self._offsets[batch]
        return self._values[batch][offsets[row] : offsets[row + 1]], self.targets[index]


def collate(rows: Sequence[Row], padding: int) -> dict[str, torch.Tensor]:
    """A batch: input_ids and attention_mask (rows × longest, int64), targets (rows)."""
    input_ids, attention_mask = pad([ids for ids, _ in rows], padding)
    return {
        "input_ids": torch.from_numpy(input_ids),
        "attention_mask": torch.from_numpy(attention_mask),
        "targets": torch.from_numpy(np.stack([target for _, target in rows])),
    }


def _joined(arrays: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate(arrays) if arrays else np.empty(0, np.int64)
