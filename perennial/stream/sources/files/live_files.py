"""Files and folders as a live stream, with a mark for each file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from perennial.core import progress
from perennial.core.errors import SourceError
from perennial.ingest.sources import file
from perennial.ingest.sources.lines import BLOCK_BYTES
from perennial.ingest.sources.opening import clear_errors, is_packed
from perennial.settings.data import FileSource
from perennial.stream.sources.files import growing_file, line_formats, whole_file
from perennial.stream.sources.files.growing_file import LineChunk
from perennial.stream.sources.files.line_rows import JsonLines, LineFormat
from perennial.stream.sources.files.marks import LineMark, WholeMark, mark_of
from perennial.stream.sources.files.whole_file import WholeChunk
from perennial.stream.sources.live_rows import RowColumns
from perennial.stream.sources.reader import SourceChunk

MOST_TOLD = 20
"""Files that can't be read and are each told."""
Mark = LineMark | WholeMark


class LiveFiles:
    """The files that a pipeline's live texts are in."""

    def __init__(self, folder: Path, source: FileSource, columns: RowColumns) -> None:
        """`folder`: the pipeline's, to which paths are relative."""
        self._folder = folder
        self._source = source
        self._columns = columns

    def chunks(self, at: Any) -> Iterator[SourceChunk]:
        """What was added to each file since, file by file. A file that can't be read is told, and stands still.

        Raises SourceError when there is no file at all, and none was read before.
        """
        marks: dict[str, Any] = dict(at["files"]) if at else {}
        names = self._names(marks)
        if not names:
            return  # Marks stay: a folder may be away for a while.
        # In place, and as JSON only once a batch is full: a folder may have ten thousand files.
        here = {"files": {name: mark for name, mark in marks.items() if name in set(names)}}
        failed = 0
        for name in names:
            try:
                for chunk in self._file(name, mark_of(here["files"].get(name))):
                    here["files"][name] = chunk.mark.as_json()
                    yield SourceChunk(chunk.rows, here, chunk.left_out if isinstance(chunk, LineChunk) else {})
            except SourceError as error:
                failed += 1
                yield SourceChunk(None, here, {_sentence(error) if failed <= MOST_TOLD else "other files that wait": 1})

    def committed(self, at: Any) -> None:
        """Files want no word."""

    def close(self) -> None:
        """Each file is closed when it was read."""

    def _names(self, marks: dict[str, Any]) -> list[str]:
        all_names, problems = dict[str, None](), list[SourceError]()
        for path in self._source.path:
            whole_folder = (self._folder / path).is_dir()
            pattern = f"{path.rstrip('/')}/*" if whole_folder else path
            try:
                names = file.matching(self._folder, pattern, marks)
            except SourceError as error:
                problems.append(error)
                continue
            all_names |= dict.fromkeys(name for name in names if not whole_folder or self._is_table(name))
            if not names and not whole_folder:
                problems.append(_no_match(self._folder, path))
        if problems and not all_names and not marks:
            raise problems[0]
        for problem in problems:
            progress.note(f"{problem.problem} It is read once it is there.")
        return list(all_names)

    def _is_table(self, name: str) -> bool:
        path = Path(name)
        ending = path.with_suffix("").suffix if is_packed(path) else path.suffix
        return self._source.format != "auto" or ending.lower() in file.FORMATS

    def _file(self, name: str, mark: Mark | None) -> Iterator[LineChunk] | Iterator[WholeChunk]:
        path = self._folder / name
        form = file.form_of(path, self._source)
        tell: Callable[[BinaryIO], LineFormat | None]
        if is_packed(path) or form in ("parquet", "arrow"):
            return self._whole(path, name, mark, form)
        if form != "jsonl":
            tell = partial(self._csv, name=name, form=form)
        elif isinstance(mark, WholeMark) and mark.stamp == whole_file.stamp_of(path, name):
            return self._whole(path, name, mark, form)
        elif (isinstance(mark, LineMark) and mark.offset) or self._has_lines(path, name):
            tell = self._json
        else:
            return self._whole(path, name, mark, form)
        mark_before = mark if isinstance(mark, LineMark) else LineMark()
        return growing_file.added_rows(path, name, mark_before, tell, self._columns.text)

    def _whole(self, path: Path, name: str, mark: Mark | None, form: str) -> Iterator[WholeChunk]:
        mark_before = mark if isinstance(mark, WholeMark) else None
        return whole_file.new_rows(path, name, mark_before, form, self._source, self._columns)

    def _has_lines(self, path: Path, name: str) -> bool:
        with clear_errors(name), path.open("rb") as file:
            return line_formats.is_json_lines(file.read(BLOCK_BYTES), name, self._columns)

    def _json(self, _: BinaryIO) -> LineFormat:
        return JsonLines(self._columns.all)

    def _csv(self, file: BinaryIO, name: str, form: str) -> LineFormat | None:
        return line_formats.csv_lines(file, name, form, self._source, self._columns)


def _no_match(folder: Path, pattern: str) -> SourceError:
    return SourceError(
        f"No file matches {pattern!r} in {folder}.", remedy="Correct data.source.path, or put the file there."
    )


def _sentence(error: SourceError) -> str:
    return f"files that wait as they are: {error.problem.rstrip('.')}"
