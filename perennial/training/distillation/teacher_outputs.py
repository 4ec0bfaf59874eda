"""What a trained model gives for the rows that another one is to learn from: computed once, kept in a file."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import torch

from perennial.core import progress
from perennial.training import memory, model
from perennial.training.checkpoints import Checkpoints
from perennial.training.encoding.dataset import EncodedRows

NAME = "teacher"
FILE = "outputs.npy"
SEGMENTS_AT_ONCE = 4096
TOKENS_AT_ONCE = 8192


def ask_teacher(folder: Path, rows: EncodedRows, padding: int, *, per_token: bool, kept: Checkpoints) -> np.ndarray:
    """What the model in `folder` gives for each segment of `rows` (`per_token`: for each token), one after the other,
    float32.

    Mapped from a file beside the checkpoints, which a run that resumes finds again: memory does not grow with the rows.
    Raises TrainingError when memory runs out for a single text.
    """

    def write(target: Path) -> None:
        _write(target / FILE, folder, rows, padding, per_token=per_token)

    folder_of_file = kept.made_once(NAME, write)
    try:
        return _mapped(folder_of_file)
    except (OSError, ValueError, EOFError) as error:
        progress.note(f"What the teacher gave before ({folder_of_file / FILE}) is damaged ({error}); it is asked anew.")
        shutil.rmtree(folder_of_file)
        return _mapped(kept.made_once(NAME, write))


def _mapped(folder: Path) -> np.ndarray:
    mapped: np.ndarray = np.load(folder / FILE, mmap_mode="r", allow_pickle=False)
    return mapped


def _write(file: Path, folder: Path, rows: EncodedRows, padding: int, *, per_token: bool) -> None:
    network = model.load_model(folder).to("cuda" if torch.cuda.is_available() else "cpu")
    number = int(rows.lengths.sum()) if per_token else len(rows)
    memmap: np.ndarray | None = None
    budget, done = TOKENS_AT_ONCE, 0
    for start in range(0, len(rows), SEGMENTS_AT_ONCE):
        segments = [rows[index][0] for index in range(start, min(start + SEGMENTS_AT_ONCE, len(rows)))]
        budget, outputs = _within_memory(network, segments, padding, budget)
        flat = np.concatenate(outputs) if per_token else np.stack(outputs)
        if memmap is None:
            memmap = np.lib.format.open_memmap(file, "w+", np.float32, (number, flat.shape[1]))
        memmap[done : done + len(flat)] = flat
        done += len(flat)
        progress.advance(start + len(segments), len(rows), unit="row", detail="asking the teacher")


def _within_memory(
    network: torch.nn.Module, segments: list[np.ndarray], padding: int, budget: int
) -> tuple[int, list[np.ndarray]]:
    """The tokens at once that there is memory for, at most `budget`, and what `network` gives."""
    while budget:
        outputs = memory.tried(lambda tokens=budget: model.outputs_of(network, segments, padding, tokens))  # type: ignore[misc]
        if outputs is not None:
            return budget, outputs
        budget //= 2
    raise memory.exhausted("while the teacher was asked about a single text")
