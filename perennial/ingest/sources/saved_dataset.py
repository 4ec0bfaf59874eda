"""Folders that the `datasets` library writes with `save_to_disk`: Arrow streams, and a file that names them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from perennial.core import progress
from perennial.core.errors import SourceError
from perennial.ingest.sources import class_labels, dotted, parquet
from perennial.ingest.sources.base import BATCH_ROWS
from perennial.rows.batch import Batch

STATE, SPLITS = "state.json", "dataset_dict.json"
"""Of one data set, and of several under the names of splits."""


def is_saved_dataset(folder: Path) -> bool:
    """Whether `folder` is one that `Dataset.save_to_disk` or `DatasetDict.save_to_disk` wrote."""
    return (folder / STATE).is_file() or (folder / SPLITS).is_file()


def arrow_files(folder: Path) -> list[Path]:
    """The files with rows of the folder, in their order; of several splits all, and that is told.

    Raises SourceError for a folder that lacks what it names.
    """
    if (folder / SPLITS).is_file():
        names = _read(folder / SPLITS, "splits")
        progress.note(f"{folder} holds the splits {', '.join(names)}: all are read, and split anew.")
        return [path for name in names for path in arrow_files(folder / name)]
    paths = [folder / entry["filename"] for entry in _read(folder / STATE, "_data_files")]
    if missing := next((path for path in paths if not path.is_file()), None):
        raise SourceError(f"{folder} names {missing.name}, which is not in it.", remedy="Save the data set again.")
    return paths


def read(stream: BinaryIO, name: str, wanted: Sequence[str] | None, labels: Collection[str] = ()) -> Iterator[Batch]:
    """The rows of an Arrow stream or file, only the columns `wanted` (None: all); class labels as `parquet.read` does.

    Raises SourceError for what is no Arrow, is damaged, or lacks a column.
    """
    import pyarrow as pa

    start = 1
    try:
        batches = pa.ipc.open_stream(stream)
        wanted = batches.schema.names if wanted is None else wanted
        parquet.require_fields(name, batches.schema, wanted)
        roots = dotted.roots_of(wanted, batches.schema.names)
        names = class_labels.class_names(batches.schema)
        for whole in batches:
            for first in range(0, whole.num_rows, BATCH_ROWS):
                batch = whole.slice(first, BATCH_ROWS).select(roots)
                yield parquet.with_class_names(parquet.batch_of(batch, name, start, wanted), names, labels)
                start += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        raise SourceError(
            f"{name} can't be read as Arrow from row {start:,} on: {str(error).partition(chr(10))[0][:200]}",
            remedy="Save the data set again, or set data.source.format to what the file is.",
        ) from error


def _read(path: Path, key: str) -> list[Any]:
    try:
        entries: list[Any] = json.loads(path.read_text(encoding="utf-8"))[key]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SourceError(
            f"{path} is not as the `datasets` library writes it: it has no list {key!r}.",
            remedy="Save the data set again, with save_to_disk.",
        ) from error
    return entries
