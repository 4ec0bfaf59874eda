"""Edits of a text, which know where each of its characters went: spans can be followed through them."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Edit(NamedTuple):
    """The characters from `start` to before `end` are replaced by `new`; none there: `new` is put in."""

    start: int
    end: int
    new: str


def apply(text: str, edits: Iterable[Edit]) -> str:
    """`text` with all `edits` made, which do not overlap; their places are in `text` as it is."""
    parts, done = [], 0
    for edit in sorted(edits):
        parts += [text[done : edit.start], edit.new]
        done = edit.end
    return "".join((*parts, text[done:]))


def moved_start(edits: Sequence[Edit], start: int) -> int:
    """Where a span that began at `start` begins after `edits`: what is put in before it does not become part of it."""
    inside = [edit.start for edit in edits if edit.start < start < edit.end]
    moved = inside[0] if inside else start
    return moved + sum(_longer(edit) for edit in edits if edit.end <= moved)


def moved_end(edits: Sequence[Edit], end: int) -> int:
    """Where a span that ended before `end` ends after `edits`: what is put in behind it does not become part of it."""
    inside = [edit.end for edit in edits if edit.start < end < edit.end]
    moved = inside[0] if inside else end
    return moved + sum(_longer(edit) for edit in edits if edit.start < moved and edit.end <= moved)


def _longer(edit: Edit) -> int:
    return len(edit.new) - (edit.end - edit.start)
