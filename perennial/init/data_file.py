"""The data that `init` looks at: a table, or what an annotation tool exported, in a file or a folder of several."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from perennial.core.errors import SourceError
from perennial.ingest.sources import annotated_files, file, saved_dataset
from perennial.ingest.sources.annotated_files import AnnotatedFiles
from perennial.ingest.sources.annotation.reading import TOKENS, ExportOutcome, Manner
from perennial.kinds.protocols import ReadsRows
from perennial.rows.batch import Batch
from perennial.settings.data import ColumnsSpec, FileSource


@dataclass
class DataFile:
    """Data to be looked at, and what became of it when it was read last."""

    path: Path
    delimiter: str | None = None
    """Of CSV, where it is not a comma."""
    annotated: AnnotatedFiles | None = None
    outcome: ExportOutcome = field(default_factory=ExportOutcome)

    @property
    def source_format(self) -> str | None:
        """The annotation tool, as data.source.format names it; None: it is a table."""
        return self.annotated.form.tool.name if self.annotated else None

    @property
    def pattern(self) -> Path:
        """What data.source.path is to lead to."""
        return self.path / "*" if self.annotated and self.path.is_dir() else self.path

    def rows(self) -> Iterator[Batch]:
        """All rows with all columns, as the source has them. Raises SourceError as reading does."""
        return self._rows(Manner(default_offsets=self.annotated.form.tool.offsets) if self.annotated else None, None)

    def rows_of(self, kind: ReadsRows, columns: ColumnsSpec, wanted: tuple[str, ...]) -> Iterator[Batch]:
        """The rows as a pipeline of this kind reads them, with the columns `wanted`."""
        manner = None
        if self.annotated:
            source = FileSource(type="file", path=(str(self.path),))
            manner = annotated_files.manner_of(kind, columns, source, self.annotated.form, {})
        return self._rows(manner, wanted)

    def may_be_learned(self, cells: dict[str, list[object]]) -> dict[str, list[object]]:
        """Of the columns those that may be text or what is learned: a tool tells its questions from other columns."""
        questions = [*self.outcome.questions, TOKENS] if self.outcome.questions else []
        if not questions:
            return cells
        texts = {name for name, values in cells.items() if any(isinstance(one, str) and " " in one for one in values)}
        return {name: values for name, values in cells.items() if name in questions or name in texts | {"text"}}

    def _rows(self, manner: Manner | None, wanted: tuple[str, ...] | None) -> Iterator[Batch]:
        if self.annotated and manner:
            self.outcome = ExportOutcome()
            yield from self.annotated.read(manner, wanted, self.outcome, say=False)
        elif saved_dataset.is_saved_dataset(self.path):
            for path in saved_dataset.arrow_files(self.path):
                yield from file.read(path, wanted)
        else:
            yield from file.read(self.path, wanted, self.delimiter)


def data_file(path: Path) -> DataFile:
    """The data in `path`. Raises SourceError for a folder of files that no annotation tool wrote."""
    if saved_dataset.is_saved_dataset(path) or not path.exists():
        return DataFile(path)
    if not path.is_dir():
        return DataFile(path, annotated=annotated_files.annotated_files(path.parent, [path.name], "auto"))
    names = sorted(one.name for one in path.iterdir() if one.is_file() and not one.name.startswith("."))
    annotated = annotated_files.annotated_files(path, names, "auto")
    if annotated is None or annotated.rest(names):
        raise SourceError(
            f"{path} is a folder, and not one that an annotation tool or the `datasets` library wrote.",
            remedy="Give one of its files; in pipeline.yaml a glob such as data/*.csv takes in the others.",
        )
    return DataFile(path, annotated=annotated)
