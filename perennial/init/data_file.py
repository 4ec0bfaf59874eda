"""The data that `init` looks at: a table, or what an annotation tool exported, in a file or a folder of several."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from perennial.core.errors import SourceError, listing
from perennial.ingest.sources import annotated_files, dialects, dotted, file, saved_dataset, sentences
from perennial.ingest.sources.annotated_files import AnnotatedFiles
from perennial.ingest.sources.annotation.reading import TOKENS, ExportOutcome, Manner
from perennial.ingest.sources.dialects import Dialect
from perennial.ingest.sources.opening import is_packed
from perennial.ingest.sources.sentences import Parting
from perennial.kinds.protocols import ReadsRows
from perennial.rows.batch import Batch
from perennial.settings.data import ColumnsSpec, FileSource


@dataclass
class DataFile:
    """Data to be looked at, and what became of it when it was read last."""

    path: Path
    files: tuple[Path, ...] = ()
    """Of a folder of tables: those that are read."""
    glob: str | None = None
    """Of a folder of tables: which files those are."""
    dialect: Dialect | None = None
    """How a CSV or TSV is written."""
    parting: Parting | None = None
    """What parts sentences, where there is one token a row."""
    annotated: AnnotatedFiles | None = None
    outcome: ExportOutcome = field(default_factory=ExportOutcome)

    @property
    def source_format(self) -> str | None:
        """The annotation tool, as data.source.format names it; None: it is a table."""
        return self.annotated.form.tool.name if self.annotated else None

    @property
    def pattern(self) -> Path:
        """What data.source.path is to lead to."""
        if self.glob:
            return self.path / self.glob
        return self.path / "*" if self.annotated and self.path.is_dir() else self.path

    @property
    def delimiter(self) -> str | None:
        """What is to be said of it, as it is neither a comma nor, in TSV, a tab."""
        if self.dialect is None:
            return None
        usual = "\t" if _form(self.files[0] if self.files else self.path) == "tsv" else ","
        return None if self.dialect.delimiter == usual else self.dialect.delimiter

    def rows(self) -> Iterator[Batch]:
        """All rows with all columns, as the source has them, what is inside objects by dotted names. Raises SourceError
        as reading does."""
        manner = Manner(default_offsets=self.annotated.form.tool.offsets) if self.annotated else None
        for batch in self._rows(manner, None):
            yield batch if self.annotated else dotted.flattened(batch)

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

    def look_at_dialect(self, delimiter: str | None) -> None:
        """Find out how the file is written, if it is CSV or TSV; `delimiter`: as a user says. Raises SourceError when
        it can't be told what the file is."""
        path = self.files[0] if self.files else self.path
        form = _form(path)
        if form in ("csv", "tsv") and path.is_file():
            head = dialects.head_of(file.lines_of(path))
            dialect = dialects.sniff(head, delimiter or ("\t" if form == "tsv" else None))
            self.dialect = dialects.proven(lambda: file.lines_of(path), dialect)

    def _rows(self, manner: Manner | None, wanted: tuple[str, ...] | None) -> Iterator[Batch]:
        if self.annotated and manner:
            self.outcome = ExportOutcome()
            yield from self.annotated.read(manner, wanted, self.outcome, say=False)
        elif self.parting:
            parting = self.parting
            if wanted is not None and parting.sentence and parting.sentence not in wanted:
                wanted = (*wanted, parting.sentence)
            yield from sentences.put_together(self._table(wanted), parting)
        else:
            yield from self._table(wanted)

    def _table(self, wanted: tuple[str, ...] | None) -> Iterator[Batch]:
        if saved_dataset.is_saved_dataset(self.path):
            for path in saved_dataset.arrow_files(self.path):
                yield from file.read(path, wanted)
            return
        for path in self.files or (self.path,):
            yield from file.read(path, wanted, self.dialect)


def data_file(path: Path) -> DataFile:
    """The data in `path`. Raises SourceError for a folder of files of several forms, or of none that is read."""
    if saved_dataset.is_saved_dataset(path) or not path.exists():
        return DataFile(path)
    if not path.is_dir():
        return DataFile(path, annotated=annotated_files.annotated_files(path.parent, [path.name], "auto"))
    names = sorted(one.name for one in path.iterdir() if one.is_file() and not one.name.startswith("."))
    annotated = annotated_files.annotated_files(path, names, "auto")
    if annotated is None:
        return _tables(path, names)
    if annotated.rest(names):
        raise SourceError(
            f"{path} is a folder in which not all files are {annotated.form.tool.title}'s.",
            remedy="Give one of its files; in pipeline.yaml a glob such as data/*.json takes in others like it.",
        )
    return DataFile(path, annotated=annotated)


def _tables(folder: Path, names: Sequence[str]) -> DataFile:
    """The tables in `folder`, which are read together if all are of one form."""
    endings = {_ending(name) for name in names}
    tables = [ending for ending in endings if ending and f".{ending.split('.')[1]}" in file.FORMATS]
    if len(tables) == 1:
        files = tuple(folder / name for name in names if _ending(name) == tables[0])
        return DataFile(folder, files=files, glob=f"*{tables[0]}")
    what = f"holds files of several kinds: {listing(sorted(tables))}" if tables else f"holds no table: {listing(names)}"
    raise SourceError(
        f"{folder} is a folder, and {what if names else 'nothing is in it'}.",
        remedy="Give one of its files; in pipeline.yaml a glob such as data/*.csv takes in others like it.",
    )


def _ending(name: str) -> str:
    """The ending that tells what the file is, with that of a packed one: .csv, .jsonl.gz."""
    path = Path(name)
    return (
        "".join(path.suffixes[-2:]).lower() if is_packed(path) and path.with_suffix("").suffix else path.suffix.lower()
    )


def _form(path: Path) -> str:
    try:
        return file.form_of(path, FileSource(type="file", path=(str(path),)))
    except SourceError as error:
        if not path.is_file():
            return ""  # that it is not there is the better message; reading gives it
        remedy = "Rename the file by what it holds." if error.problem.startswith("What ") else error.remedy
        raise SourceError(error.problem, remedy=remedy) from error
