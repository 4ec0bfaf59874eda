"""Encoded rows as training sees them: views into memory-mapped files, no copies, no decoding."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.utils.data import Dataset

from perennial.inference.batching import pad
from perennial.records.data import EncodedData, EncodedPart
from perennial.training.encoding.row_encoding import ROWS

if TYPE_CHECKING:
    import pyarrow as pa

Row = tuple[np.ndarray, ...]
"""Token ids (int32, length), the target (a number, one for each output, or one for each token), and where there is a
teacher, what it gives (outputs, or tokens × outputs)."""

NOT_LEARNED = -100
"""The target of padding, where there is a target for each token; what torch's losses leave out by default."""


class EncodedRows(Dataset[Row]):
    """The encoded segments, over all parts, or some of them."""

    soft: np.ndarray | None = None
    """What a teacher gives for each segment, or each token of it, one after the other; None: there is no teacher."""

    def __init__(self, data: EncodedData, root: Path, chosen: np.ndarray | None = None) -> None:
        """`root`: the store's. `chosen`: numbers of segments; None: all. Maps the files; reads nothing yet."""
        import pyarrow as pa

        batches = [batch for part in data.parts for batch in batches_of(part, root)]
        lists = [batch.column("input_ids") for batch in batches]
        self._offsets = [column.offsets.to_numpy() for column in lists]
        self._values = [column.values.to_numpy() for column in lists]
        self._starts = np.cumsum([0, *(len(column) for column in lists)])
        lengths = _joined([np.diff(offsets) for offsets in self._offsets])
        self._chosen = np.arange(len(lengths)) if chosen is None else chosen
        self.lengths = lengths[self._chosen]
        self._behind = np.cumsum(self.lengths)
        columns = [batch.column("target") for batch in batches]
        self._per_token = any(pa.types.is_list(column.type) for column in columns)
        self._targets = [target_numbers(column) for column in columns]

    @property
    def targets(self) -> np.ndarray:
        """Every target: segments, or segments × outputs, or one after the other those of all tokens."""
        return _joined(
            [
                targets[_tokens(offsets, segments) if self._per_token else segments]
                for targets, offsets, segments in zip(self._targets, self._offsets, self._by_batch(), strict=True)
            ]
        )

    @property
    def tokens(self) -> np.ndarray:
        """Every token id that a segment holds, sorted, each once."""
        held = (
            np.unique(values[_tokens(offsets, segments)])
            for values, offsets, segments in zip(self._values, self._offsets, self._by_batch(), strict=True)
        )
        return np.unique(_joined(list(held)))

    def _by_batch(self) -> list[np.ndarray]:
        """The segments that were chosen of each batch, numbered from its first one."""
        if not self._offsets:
            return []
        chosen_by_batch = np.split(self._chosen, np.searchsorted(self._chosen, self._starts[1:-1]))
        return [mine - first for mine, first in zip(chosen_by_batch, self._starts[:-1], strict=True)]

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, index: int) -> Row:
        row = self._row(int(self._chosen[index]))
        return row if self.soft is None else (*row, self._softened(self.soft, index))

    def _softened(self, soft: np.ndarray, index: int) -> np.ndarray:
        if not self._per_token:
            return np.array(soft[index])
        behind = int(self._behind[index])
        return np.array(soft[behind - int(self.lengths[index]) : behind])

    def _row(self, segment: int) -> Row:
        batch = int(np.searchsorted(self._starts, segment, side="right")) - 1
        row = segment - int(self._starts[batch])
        offsets = self._offsets[batch]
        tokens = slice(offsets[row], offsets[row + 1])
        # A segment's targets lie where its tokens do.
        targets = self._targets[batch]
        return self._values[batch][tokens], targets[tokens] if self._per_token else targets[row]


def batches_of(part: EncodedPart, root: Path) -> list[pa.RecordBatch]:
    """The batches of a part that hold anything, mapped into memory."""
    import pyarrow as pa

    reader = pa.ipc.open_file(pa.memory_map(str(root / part.path / ROWS)))
    return [batch for i in range(reader.num_record_batches) if (batch := reader.get_batch(i)).num_rows]


def collate(rows: Sequence[Row], padding: int) -> dict[str, torch.Tensor]:
    """A batch: input_ids and attention_mask (rows × longest, int64), targets (rows, then outputs or tokens if any), and
    with a teacher `soft` (rows, then tokens if any, then outputs)."""
    ids, targets, *soft = zip(*rows, strict=True)
    input_ids, attention_mask = pad(ids, padding)
    batch_arrays = {"input_ids": input_ids, "attention_mask": attention_mask, "targets": _together(targets)}
    if soft:
        batch_arrays["soft"] = _filled_up(soft[0])
    return {name: torch.from_numpy(array) for name, array in batch_arrays.items()}


def _tokens(offsets: np.ndarray, segments: np.ndarray) -> np.ndarray:
    """Where the tokens of `segments` lie."""
    lengths = offsets[segments + 1] - offsets[segments]
    behind = np.cumsum(lengths)
    shifts: np.ndarray = np.repeat(offsets[segments] - behind + lengths, lengths)
    return shifts + np.arange(len(shifts))


def _together(targets: Sequence[np.ndarray]) -> np.ndarray:
    if len({target.shape for target in map(np.asarray, targets)}) == 1:
        return np.stack(targets)
    return pad(targets, NOT_LEARNED)[0]


def _filled_up(outputs: Sequence[np.ndarray]) -> np.ndarray:
    if outputs[0].ndim == 1:
        return np.stack(outputs)
    full = np.zeros((len(outputs), max(map(len, outputs)), outputs[0].shape[1]), outputs[0].dtype)
    for row, each in zip(full, outputs, strict=True):
        row[: len(each)] = each
    return full


def target_numbers(column: pa.Array) -> np.ndarray:
    """The targets in a column: segments, or segments × outputs, or one after the other those of all tokens."""
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
