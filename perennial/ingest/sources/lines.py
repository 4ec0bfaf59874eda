"""Text lines from a stream of bytes: decoded by blocks, so that memory is bounded and every fault has its line."""

import codecs
import io
from collections.abc import Iterator
from typing import BinaryIO

from perennial.core import progress
from perennial.core.errors import SourceError
from perennial.ingest.sources.base import MAX_LINE_BYTES

BLOCK_BYTES = 256 << 10
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Rewound:
    """A stream of which the first bytes were read already, from its beginning."""

    def __init__(self, start: bytes, rest: BinaryIO) -> None:
        self._start = start
        self._rest = rest

    def read(self, size: int) -> bytes:
        """Some bytes: first those that were read already, all at once."""
        start, self._start = self._start, b""
        return start or self._rest.read(size)


class TextLines:
    """The lines of a UTF-8 stream, their ends kept; only a line feed ends a line. A byte-order mark is dropped.

    Raises SourceError, naming file and line, for bytes that are not UTF-8, NUL bytes and lines without an end.
    """

    def __init__(self, stream: BinaryIO, name: str, *, may_grow: bool = False) -> None:
        """`may_grow`: whether somebody may still write to it, so that its last line may be half a line."""
        self._stream = stream
        self._may_grow = may_grow
        self._name = name
        self._number = 1
        self.taken = 0
        """Bytes handed out so far, by whole blocks."""
        self.is_open = False
        """Whether the last line handed out is the stream's last one, and has no end."""

    def left_for_later(self, line: int) -> bool:
        """Whether what begins in `line` and is no whole row may be half written, which is said: it is in the last line,
        and that has no end."""
        if not (self._may_grow and self.is_open):
            return False
        progress.note(
            f"{self._name} ends in the middle of line {line:,}, without a line end and without all of a row: it may "
            "still be written to. That line is left for the run that finds it whole."
        )
        return True

    def __iter__(self) -> Iterator[str]:
        pending: list[bytes] = []
        size = 0
        while block := self._stream.read(BLOCK_BYTES):
            end = block.rfind(b"\n") + 1
            if end:
                yield from self._lines(b"".join((*pending, block[:end])))
                pending, size = [block[end:]], len(block) - end
                continue
            pending.append(block)
            size += len(block)
            if size > MAX_LINE_BYTES:
                raise SourceError(
                    f"{self._name}, line {self._number:,}, goes on for more than {MAX_LINE_BYTES >> 20} MiB; "
                    "one row a line was expected.",
                    remedy="Look whether the file has line ends, or set data.source.format to what it is.",
                )
        rest = b"".join(pending)
        self.is_open = bool(rest)
        yield from self._lines(rest)

    def _lines(self, block: bytes) -> Iterator[str]:
        text = self._decoded(block)
        yield from io.StringIO(text, newline="\n")
        self._number += text.count("\n")

    def _without_mark(self, block: bytes) -> bytes:
        if block.startswith(_UTF16):
            raise SourceError(f"{self._name} is UTF-16; UTF-8 was expected.", remedy=_convert(self._name, "UTF-16"))
        return block.removeprefix(codecs.BOM_UTF8)

    def _decoded(self, block: bytes) -> str:
        if self.taken == 0:
            block = self._without_mark(block)
        self.taken += len(block)
        nul = block.find(b"\0")
        if nul >= 0:
            raise SourceError(
                f"{self._at(block, nul)} is a NUL byte, which no text file holds: it is damaged, or UTF-16.",
                remedy=f"If it is UTF-16: {_convert(self._name, 'UTF-16')}",
            )
        try:
            return block.decode()
        except UnicodeDecodeError as error:
            raise SourceError(
                f"{self._at(block, error.start)} is 0x{block[error.start]:02X}, which is not UTF-8.",
                remedy=_convert(self._name, "WINDOWS-1252"),
            ) from error

    def _at(self, block: bytes, offset: int) -> str:
        line = self._number + block.count(b"\n", 0, offset)
        start = block.rfind(b"\n", 0, offset)
        return f"{self._name}, line {line:,}: byte {offset - start:,}"


def _convert(name: str, encoding: str) -> str:
    return f"Convert it, for example with: iconv -f {encoding} -t UTF-8 {name} > converted"
