"""How far a file was read, and whether it still is the file that was read so far."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, BinaryIO

from perennial.core import progress

HEAD_BYTES = 1024
"""By so many of its first bytes a file is known again."""


@dataclass(frozen=True)
class LineMark:
    """How far a file of lines was read, in bytes."""

    offset: int = 0
    head: str = ""
    """What `head_digest` says of the first bytes, up to the offset."""
    row_start: int | None = None
    """Where the last row that was read begins, if its line had no end yet."""

    def as_json(self) -> list[Any]:
        """As positions hold it."""
        return [self.offset, self.head, *([] if self.row_start is None else [self.row_start])]


@dataclass(frozen=True)
class WholeMark:
    """How far a file was read that is written as a whole, in rows."""

    stamp: str
    """Its size and time of change: with another one it is read anew."""
    rows: int = 0
    done: bool = False

    def as_json(self) -> dict[str, Any]:
        """As positions hold it."""
        return {"stamp": self.stamp, "rows": self.rows, "done": self.done}


def mark_of(value: Any) -> LineMark | WholeMark | None:
    """What `as_json` gave."""
    if isinstance(value, list):
        return LineMark(*value)
    return WholeMark(**value) if isinstance(value, dict) else None


def head_digest(head: bytes, offset: int) -> str:
    """By what a file is known of which `offset` bytes were read and that begins with `head`: 16 hex digits."""
    return hashlib.sha256(head[: min(offset, HEAD_BYTES)]).hexdigest()[:16]


def still_good(mark: LineMark, file: BinaryIO, size: int, name: str) -> LineMark:
    """`mark`, or the beginning where `file` is another than was read, which is said: it shrank, or begins otherwise."""
    if size < mark.offset:
        why = f"has {size:,} bytes, and {mark.offset:,} of it were read"
    else:
        file.seek(0)
        if head_digest(file.read(HEAD_BYTES), mark.offset) == mark.head:
            return mark
        why = "begins otherwise than when it was read last"
    progress.note(
        f"{name} {why}: it was rotated or written anew, and is read from its beginning. Texts that are known by their "
        "ids are not stored twice; rows that were written between the last reading and a rotation are read if "
        "monitor.source.path reaches the old file's new name, too."
    )
    return LineMark()
