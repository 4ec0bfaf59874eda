"""Folders of JSON Lines, CSV and Parquet that the `datasets` library would load, read as files are.

That library guesses types: it makes JSON of all texts of a column that holds a number somewhere, times of texts that
look like one, and nothing of a label that is a number where the others are texts. And it takes the first Parquet file's
names of labels for those of all.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perennial.core import telemetry
from perennial.ingest.sources import file, saved_dataset
from perennial.ingest.sources.dialects import Dialect
from perennial.rows.batch import Batch
from perennial.settings.data import FileSource, HuggingFaceSource

if TYPE_CHECKING:
    import datasets

READ_HERE = {"json": ("jsonl",), "csv": ("csv", "tsv"), "parquet": ("parquet",)}
"""The library's modules for such folders, with the forms of file that are read here."""
_SAYS_NOTHING = {"name", "version", "data_dir", "data_files", "description", "sep", "delimiter"}


@dataclasses.dataclass(frozen=True)
class TextFiles:
    """The files of a split."""

    paths: Sequence[Path]
    delimiter: str | None


def files_of_split(folder: Path, source: HuggingFaceSource) -> TextFiles | None:
    """The files of the split that `source` names in `folder`, in the library's order; None: they are of another form,
    or its README.md says how they are to be read, and the library reads them."""
    telemetry.off()
    import datasets

    if saved_dataset.is_saved_dataset(folder):
        return None
    builder = datasets.load_dataset_builder(str(folder), source.config)
    forms = READ_HERE.get(type(builder).__module__.rpartition(".")[2], ())
    paths = [Path(path) for path in _of_split(builder, source.split)]
    if not paths or not all(path.is_file() and _form(path) in forms for path in paths) or _is_told_how(builder):
        return None
    separator = getattr(builder.config, "delimiter", None) or getattr(builder.config, "sep", None)
    return TextFiles(paths, None if separator == "," else separator)


def read(files: TextFiles, name: str, names: Sequence[str]) -> Iterator[Batch]:
    """The rows of all `files`, numbered through. Raises SourceError, naming file and line, as a file is read."""
    start = 1
    for path in files.paths:
        for batch in file.read(path, tuple(names), Dialect(files.delimiter) if files.delimiter else None):
            yield Batch(name, "row", range(start, start + len(batch.numbers)), batch.columns)
            start += len(batch.numbers)


def _of_split(builder: datasets.DatasetBuilder, split: str) -> Sequence[str]:
    by_split = builder.config.data_files or {}
    return next((paths for name, paths in by_split.items() if str(name) == split), [])


def _form(path: Path) -> str | None:
    if file.FORMATS.get(_plain(path).suffix.lower()) is None:
        return None
    return file.form_of(path, FileSource(type="file", path=(str(path),)))


def _plain(path: Path) -> Path:
    return path.with_suffix("") if path.suffix.lower() == ".gz" else path


def _is_told_how(builder: datasets.DatasetBuilder) -> bool:
    """Whether the folder says of its files more than which they are: types, a field, a header."""
    config: Any = builder.config
    set_here = [
        field.name
        for field in dataclasses.fields(config)
        if field.name not in _SAYS_NOTHING and getattr(config, field.name) != field.default
    ]
    return bool(set_here) or builder.info.features is not None
