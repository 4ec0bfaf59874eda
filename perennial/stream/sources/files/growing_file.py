"""A file of lines that is written to while it is read: what was added since, in blocks."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from perennial.ingest.sources.opening import clear_errors
from perennial.rows.batch import Batch
from perennial.stream.sources.files.line_rows import LineFormat, LineRows
from perennial.stream.sources.files.marks import HEAD_BYTES, LineMark, head_digest, still_good
from perennial.stream.sources.live_rows import require_text

BLOCK_BYTES = 1 << 20
LONGEST_LINE = 16 << 20
"""Bytes; a longer line is passed over, so that memory is bounded."""
TOO_LONG = f"lines of more than {LONGEST_LINE >> 20} MiB"
QUIET_SECONDS = 60.0
"""So long nobody writes to a file before its last line counts as whole without an end."""


@dataclass(frozen=True)
class LineChunk:
    """Rows of a file, and how far it was read with them."""

    rows: Batch
    mark: LineMark
    left_out: Counter[str]


def added_rows(
    path: Path, name: str, mark: LineMark, form: Callable[[BinaryIO], LineFormat | None], text: str
) -> Iterator[LineChunk]:
    """What was added to the file at `path` since `mark`, to the end that it has now; a half-written line waits.

    `form`: tells, of the open file, how it is written; None: too little is there to tell. `text`: the column that rows
    must have. Raises SourceError where a whole block has no text, and for a file that can't be read; what came before
    was given.
    """
    with clear_errors(name), path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        mark = still_good(mark, file, size, name) if mark.offset else mark
        if size <= mark.offset:
            return
        file.seek(0)
        head = file.read(HEAD_BYTES)
        file.seek(0)
        lines = form(file)
        if lines is None:
            return
        yield from _Growing(file, name, size, head, lines, text).chunks(mark)


@dataclass(frozen=True)
class _Growing:
    file: BinaryIO
    name: str
    size: int
    """Bytes that it had when reading began."""
    head: bytes
    form: LineFormat
    text: str

    def chunks(self, mark: LineMark) -> Iterator[LineChunk]:
        position, pending, left_out = max(self._start(mark), self.form.begins), b"", Counter[str]()
        while position + len(pending) < self.size and (block := self._read(position + len(pending))):
            pending += block
            if end := pending.rfind(b"\n") + 1:
                rows = self.form.rows(pending[:end])
                if rows.taken:
                    position, pending = position + rows.taken, pending[rows.taken :]
                    yield self._chunk(rows, LineMark(position, head_digest(self.head, position)))
            if len(pending) > LONGEST_LINE:
                left_out[TOO_LONG] += 1
                position, pending = self._next_line(position + len(pending)), b""
        if left_out:
            empty = LineRows({}, 0, 0, (), left_out)
            yield self._chunk(empty, LineMark(position, head_digest(self.head, position)))
        if pending.strip() and b"\n" not in pending and (last := self.form.last_row(pending, quiet=self._is_quiet())):
            end = position + len(pending)
            yield self._chunk(last, LineMark(end, head_digest(self.head, end), position))

    def _start(self, mark: LineMark) -> int:
        if mark.row_start is None:
            return mark.offset
        self.file.seek(mark.offset)
        # A row whose line had no end was not whole if the line goes on.
        return mark.offset if self.file.read(1) in b"\r\n" else mark.row_start

    def _next_line(self, position: int) -> int:
        """Where, from `position` on, the next line begins, or how large the file is."""
        while block := self._read(position):
            if end := block.find(b"\n") + 1:
                return position + end
            position += len(block)
        return position

    def _read(self, position: int) -> bytes:
        self.file.seek(position)
        return self.file.read(max(0, min(BLOCK_BYTES, self.size - position)))

    def _is_quiet(self) -> bool:
        # On either side of now, for clocks go back.
        return abs(time.time() - os.fstat(self.file.fileno()).st_mtime) > QUIET_SECONDS

    def _chunk(self, rows: LineRows, mark: LineMark) -> LineChunk:
        require_text(self.name, range(rows.count), rows.names, self.text)
        return LineChunk(Batch(self.name, "row", range(rows.count), rows.columns), mark, rows.left_out)
