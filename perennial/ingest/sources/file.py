"""Files on this machine: CSV, TSV, JSON Lines, Parquet and Arrow, plain or gzipped, and annotation tools' exports."""

import difflib
import glob
import gzip
import itertools
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

from perennial import kinds
from perennial.core import digest, progress
from perennial.core.errors import SourceError, listing
from perennial.ingest.sources import annotated_files, delimited, jsonl, parquet, saved_dataset, settled
from perennial.ingest.sources.annotated_files import AnnotatedFiles
from perennial.ingest.sources.annotation.reading import ExportOutcome
from perennial.ingest.sources.base import Piece, wanted_columns
from perennial.ingest.sources.lines import TextLines
from perennial.ingest.sources.opening import clear_errors
from perennial.rows.batch import Batch
from perennial.settings.data import FileSource
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
TABLES = frozenset(FORMATS.values())
"""Formats in which an annotation tool's export is read as the table it is."""
LATE_REMEDY = "Putting them in a new file takes them in."


def pieces(spec: PipelineSpec, source: FileSource, known_pieces: Collection[str]) -> list[Piece]:
    """A piece for each file that `source.path` names or matches: by pattern, then by name; each file once. All files of
    an annotation tool are one piece.

    A file read before (`known_pieces`) may have gone. Raises SourceError for any other file that is not there, and when
    no file is there and none was read before.
    """
    names = dict.fromkeys(name for pattern in source.path for name in _matches(spec.folder, pattern, known_pieces))
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
    plain = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    form = FORMATS.get(plain.suffix.lower())
    if form is None:
        raise SourceError(
            f"What {path} is can't be told by its ending; known are {', '.join(FORMATS)}, each also with .gz.",
            remedy="Set data.source.format to csv, tsv, jsonl, parquet or arrow, or to the annotation tool it is of.",
        )
    return form


def read(path: Path, columns: tuple[str, ...] | None = None, delimiter: str | None = None) -> Iterator[Batch]:
    """The rows of the file at `path`, whose ending tells its format; only `columns` (None: all, as they are).

    Raises SourceError as the pieces do, and when the file is not there.
    """
    if not path.is_file():
        raise _no_file(path.parent, path.name)
    return _read(path, str(path), form_of(path, FileSource(type="file", path=(str(path),))), columns, delimiter)


def lines_of(path: Path) -> Iterator[str]:
    """The lines of the text file at `path`, plain or gzipped. Raises SourceError when it can't be read as UTF-8."""
    if not path.is_file():
        raise _no_file(path.parent, path.name)
    with clear_errors(str(path)), path.open("rb") as file:
        stream = cast(BinaryIO, gzip.GzipFile(fileobj=file)) if path.suffix.lower() == ".gz" else file
        yield from TextLines(stream, str(path))


def _matches(folder: Path, pattern: str, known_pieces: Collection[str]) -> list[str]:
    name = _normal_path(pattern)
    if saved_dataset.is_saved_dataset(folder / pattern):
        return [_relative(path, folder) for path in saved_dataset.arrow_files(folder / pattern)]
    if (folder / pattern).is_dir():
        raise SourceError(
            f"{folder / pattern} is a folder; files were expected.",
            remedy=f"Name the files in it, for example: path: {pattern.rstrip('/')}/*.csv",
        )
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
    read = partial(_read, path, name, form, wanted_columns(spec), source.delimiter, labels, may_grow=True)

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
        manner = annotated_files.manner_of(kind, columns, source, files.form, settled.settled_answers(spec))
        return files.read(manner, wanted_columns(spec), outcome)

    also = settled.correction_files(spec)
    contents = partial(annotated_files.contents_of, files, also)
    reading = partial(annotated_files.reading_of, files, spec, outcome)
    differing = partial(annotated_files.differing_texts, spec, outcome)
    return Piece(name, annotated_files.stamp_of(files, also), contents, read, LATE_REMEDY, reading, differing)


def _read(
    path: Path,
    name: str,
    form: str,
    columns: Sequence[str] | None,
    delimiter: str | None,
    labels: Collection[str] = (),
    _watermark: datetime | None = None,
    *,
    may_grow: bool = False,
) -> Iterator[Batch]:
    zipped = path.suffix.lower() == ".gz"
    with clear_errors(name), path.open("rb") as file:
        size = path.stat().st_size
        for batch in _batches(file, zipped, name, form, columns, delimiter, labels, may_grow and not zipped):
            progress.advance(file.tell(), size, unit="bytes", detail=f"reading {name}")
            yield batch


def _batches(
    file: BinaryIO,
    zipped: bool,
    name: str,
    form: str,
    columns: Sequence[str] | None,
    delimiter: str | None,
    labels: Collection[str],
    may_grow: bool,
) -> Iterator[Batch]:
    stream = cast(BinaryIO, gzip.GzipFile(fileobj=file)) if zipped else file
    if form == "parquet":
        with _seekable(stream) if zipped else file as whole:
            yield from parquet.read(whole, name, columns, labels)
    elif form == "arrow":
        yield from saved_dataset.read(stream, name, columns, labels)
    elif form == "jsonl":
        yield from jsonl.read(TextLines(stream, name, may_grow=may_grow), name, columns)
    else:
        lines = TextLines(stream, name, may_grow=may_grow)
        yield from delimited.read(lines, name, columns, delimiter or ("\t" if form == "tsv" else ","))


def _seekable(stream: BinaryIO) -> BinaryIO:
    # Parquet starts at its end, which gzip reaches only by unpacking all of it.
    unpacked = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115  (the caller closes it)
    shutil.copyfileobj(stream, unpacked)
    unpacked.seek(0)
    return unpacked
