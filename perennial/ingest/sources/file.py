"""Files on this machine: CSV, TSV, JSON, Parquet and Arrow, plain or packed, and annotation tools' exports."""

import difflib
import glob
import itertools
import os
import shutil
import tempfile
from collections.abc import Collection, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

from perennial import kinds
from perennial.core import digest, progress
from perennial.core.errors import SourceError, listing
from perennial.ingest.sources import annotated_files, delimited, dialects, parquet, saved_dataset, settled
from perennial.ingest.sources.annotated_files import AnnotatedFiles
from perennial.ingest.sources.annotation.reading import ExportOutcome
from perennial.ingest.sources.annotation.tools import PERENNIAL
from perennial.ingest.sources.base import Piece, wanted_columns
from perennial.ingest.sources.dialects import Dialect
from perennial.ingest.sources.json_files import json_documents
from perennial.ingest.sources.lines import TextLines
from perennial.ingest.sources.opening import PACKED, clear_errors, inner_name, is_packed, opened, unpacked
from perennial.rows.batch import Batch
from perennial.settings.data import DataSpec, FileSource
from perennial.settings.pipeline import PipelineSpec

FORMATS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".arrow": "arrow",
}
SPREADSHEETS = (".xlsx", ".xls", ".ods")
TABLES = frozenset(FORMATS.values())
"""Formats in which an annotation tool's export is read as the table it is."""
LATE_REMEDY = "Putting them in a new file takes them in."


def pieces(spec: PipelineSpec, source: FileSource, known_pieces: Collection[str]) -> list[Piece]:
    """A piece for each file that `source.path` names or matches: by pattern, then by name; each file once. All files of
    an annotation tool are one piece.

    A file read before (`known_pieces`) may have gone. Raises SourceError for any other file that is not there, and when
    no file is there and none was read before.
    """
    names = dict.fromkeys(name for pattern in source.path for name in matching(spec.folder, pattern, known_pieces))
    if not names and not known_pieces:
        raise _no_file(spec.folder, source.path[0])
    if source.format in TABLES:
        return [_piece(spec, source, name) for name in names]
    annotated = annotated_files.annotated_files(spec.folder, list(names), source.format)
    if annotated is None:
        return [_piece(spec, source, name) for name in names]
    return [_annotated_piece(spec, source, annotated), *(_piece(spec, source, name) for name in annotated.rest(names))]


def form_of(path: Path, source: FileSource) -> str:
    """csv, tsv, jsonl, parquet or arrow. Raises SourceError when the ending does not tell and the spec does not say."""
    if source.format != "auto":
        return source.format
    ending = Path(inner_name(path)).suffix.lower()
    form = FORMATS.get(ending)
    if ending in SPREADSHEETS:
        raise _spreadsheet(path, ending)
    if path.is_dir():
        raise _folder(path, str(path))
    if form is None:
        raise SourceError(
            f"What {path} is can't be told by its ending; known are {', '.join(FORMATS)}, each also with "
            f"{', '.join(PACKED)}.",
            remedy="Set data.source.format to csv, tsv, jsonl, parquet or arrow, or to the annotation tool it is of.",
        )
    return form


def read(path: Path, columns: tuple[str, ...] | None = None, dialect: Dialect | None = None) -> Iterator[Batch]:
    """The rows of the file at `path`, whose ending tells its format; only `columns` (None: all, as they are).

    `dialect`: of CSV and TSV; None: as the file shows it. Raises SourceError as the pieces do, and when the file is not
    there.
    """
    if not path.is_file():
        raise _folder(path, str(path)) if path.is_dir() else _no_file(path.parent, path.name)
    source = FileSource(type="file", path=(str(path),))
    form = form_of(path, source)
    return read_form(path, str(path), form, columns, dialect or Dialect(**source.how_written(form)))


def lines_of(path: Path) -> Generator[str, None, None]:
    """The lines of the text file at `path`, plain or packed. Raises SourceError when it can't be read as UTF-8."""
    if not path.is_file():
        raise _no_file(path.parent, path.name)
    with opened(path, str(path)) as stream:
        yield from TextLines(stream, str(path))


def dialect_like(
    path: Path, form: str, data: DataSpec | None, names: Collection[str], delimiter: str | None = None
) -> Dialect:
    """How the table at `path`, csv or tsv, is written: as the pipeline's own source (`data`), if it then has one of the
    columns `names`; else as the file shows, which is told where it is uncommon.

    `delimiter`: what a user says stands between cells. Raises SourceError as `lines_of` does.
    """
    with closing(lines_of(path)) as lines:
        head = dialects.head_of(lines)
    source = data.source if data and isinstance(data.source, FileSource) else FileSource(type="file", path=(str(path),))
    own = dialects.with_excels_line(head, Dialect(**source.how_written(form)))
    if delimiter is None and set(names) & set(dialects.names_in(head, own)):
        return replace(own, delimiter=own.delimiter or ",")
    shown = dialects.sniff(head, delimiter or ("\t" if form == "tsv" else None))
    if shown.skip_lines or not shown.header or shown.escape or not shown.quoted:
        progress.note(f"{path} is read with {dialects.in_words(shown)}, as it shows.")
    return replace(shown, blank_rows=own.blank_rows)


def _spreadsheet(path: Path, ending: str) -> SourceError:
    library = {".xlsx": "openpyxl", ".xls": "xlrd", ".ods": "odfpy"}[ending]
    plain = path.with_suffix(".csv").name
    return SourceError(
        f"{path} is a spreadsheet, which is not read; a table as text was expected.",
        remedy=f'Save it as CSV UTF-8, or: pip install {library}; python -c "import pandas; '
        f"pandas.read_excel('{path.name}').to_csv('{plain}', index=False)\"",
    )


def _folder(path: Path, pattern: str) -> SourceError:
    return SourceError(
        f"{path} is a folder; files were expected.",
        remedy=f"Name the files in it, for example: path: {pattern.rstrip('/')}/*.csv",
    )


def matching(folder: Path, pattern: str, known_pieces: Collection[str]) -> list[str]:
    """Names, relative to `folder`, of the files that `pattern` names or matches, sorted.

    Raises SourceError for a folder, and for a plain name that is not there and none of `known_pieces`.
    """
    name = _normal_path(pattern)
    if saved_dataset.is_saved_dataset(folder / pattern):
        return [_relative(path, folder) for path in saved_dataset.arrow_files(folder / pattern)]
    if (folder / pattern).is_dir():
        raise _folder(folder / pattern, pattern)
    if (folder / pattern).exists():
        return [name]
    if not glob.has_magic(pattern):
        if name in known_pieces:
            return []
        raise _no_file(folder, pattern)
    matches = glob.glob(pattern, root_dir=folder, recursive=True)  # noqa: PTH207  (takes absolute ones too)
    return sorted(_normal_path(match) for match in matches if (folder / match).is_file())


def _relative(path: Path, folder: Path) -> str:
    return _normal_path(os.path.relpath(path, folder) if path.is_relative_to(folder) else str(path))


def _normal_path(path: str) -> str:
    return Path(os.path.normpath(path)).as_posix()


def _no_file(folder: Path, pattern: str) -> SourceError:
    fixed = itertools.takewhile(lambda part: not glob.has_magic(part), Path(pattern).parts)
    looked = folder.joinpath(*fixed) if glob.has_magic(pattern) else (folder / pattern).parent
    what = "No file matches" if glob.has_magic(pattern) else "There is no file"
    if not looked.is_dir():
        folder_holds = f"the folder {looked} does not exist"
    else:
        names = sorted(path.name for path in looked.iterdir() if not path.name.startswith("."))
        near = difflib.get_close_matches(Path(pattern).name, names, 3, cutoff=0.5) or names
        folder_holds = f"in {looked} there is: {listing(near)}" if near else f"the folder {looked} is empty"
    return SourceError(
        f"{what} {pattern!r}: {folder_holds}.", remedy="Correct data.source.path, or put the file there."
    )


def _piece(spec: PipelineSpec, source: FileSource, name: str) -> Piece:
    path = spec.folder / name
    form, labels = form_of(path, source), spec.data.labels
    dialect = Dialect(**source.how_written(form))
    read = partial(read_form, path, name, form, wanted_columns(spec), dialect, labels, may_grow=True)

    def contents() -> str:
        with clear_errors(name):
            return digest.of_file(path)

    with clear_errors(name):
        status = path.stat()
    return Piece(name, f"{status.st_size} {status.st_mtime_ns}", contents, read, LATE_REMEDY)


def _annotated_piece(spec: PipelineSpec, source: FileSource, files: AnnotatedFiles) -> Piece:
    names = list(files.paths)
    patterns = any(glob.has_magic(pattern) for pattern in source.path)
    # By the patterns, so that it is the same piece when another person's file is added.
    name = names[0] if len(names) == 1 and not patterns else ", ".join(source.path)
    outcome = ExportOutcome()

    if spec.data.missing_labels == "none":
        source = source.model_copy(update={"unlabelled": "none"})

    def read(_: datetime | None) -> Iterator[Batch]:
        kind, columns = kinds.kind_named(spec.kind), spec.data.columns
        answers, same = settled.settled_answers(spec), annotated_files.same_label(spec)
        manner = annotated_files.manner_of(kind, columns, source, files.form, answers, same)
        return files.read(manner, wanted_columns(spec), outcome)

    also = settled.correction_files(spec)
    contents = partial(annotated_files.contents_of, files, also)
    reading = partial(annotated_files.reading_of, files, spec, outcome)
    differing = partial(annotated_files.differing_texts, spec, outcome)
    # People label the texts of a stream in no order of time, so none of their labels comes too late.
    takes_late = files.form.tool is PERENNIAL
    stamp = annotated_files.stamp_of(files, also)
    return Piece(name, stamp, contents, read, LATE_REMEDY, reading, differing, takes_late=takes_late)


def read_form(
    path: Path,
    name: str,
    form: str,
    columns: Sequence[str] | None,
    dialect: Dialect,
    labels: Collection[str] = (),
    _watermark: datetime | None = None,
    *,
    may_grow: bool = False,
) -> Iterator[Batch]:
    """The rows of the file at `path`, which errors call `name`, whose form is known: csv, tsv, jsonl, parquet, arrow.

    `labels` and `may_grow`: as `parquet.read` and `TextLines` have them.
    """
    with clear_errors(name), path.open("rb") as file:
        size = path.stat().st_size
        stream, packed = unpacked(file, path.suffix.lower(), name), is_packed(path)
        for batch in _batches(stream, packed, name, form, columns, dialect, labels, may_grow and not packed):
            progress.advance(file.tell(), size, unit="bytes", detail=f"reading {name}")
            yield batch


def _batches(
    stream: BinaryIO,
    packed: bool,
    name: str,
    form: str,
    columns: Sequence[str] | None,
    dialect: Dialect,
    labels: Collection[str],
    may_grow: bool,
) -> Iterator[Batch]:
    if form == "parquet":
        with _seekable(stream) if packed else stream as whole:
            yield from parquet.read(whole, name, columns, labels)
    elif form == "arrow":
        yield from saved_dataset.read(stream, name, columns, labels)
    elif form == "jsonl":
        yield from json_documents.read(stream, name, columns, may_grow=may_grow)
    else:
        yield from delimited.read(TextLines(stream, name, may_grow=may_grow), name, columns, dialect)


def _seekable(stream: BinaryIO) -> BinaryIO:
    # Parquet starts at its end, which is reached only by unpacking all of it.
    unpacked = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115  (the caller closes it)
    shutil.copyfileobj(stream, unpacked)
    unpacked.seek(0)
    return unpacked
