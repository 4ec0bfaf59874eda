"""Cells with any number of labels: a list, text with something between them, or a column of 0 and 1 for each label."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence

from perennial.rows import cells

SEPARATORS = ("|", ";", ",")
"""Between labels in a cell of plain text; the first that is in the cell."""
_ARRAY = re.compile(r'\{((?:[^"{}\\:,]+|"(?:[^"\\]|\\.)*")(?:,(?:[^"{}\\:,]+|"(?:[^"\\]|\\.)*"))*|)\}')
"""An array in one line, without arrays in it; what has a colon outside quotes is rather an object."""
_HOLDS = frozenset({"1", "1.0", "true", "t", "yes", "y", "x"})
_HOLDS_NOT = frozenset({"0", "0.0", "false", "f", "no", "n", ""})


def labels_of_cell(value: object, separator: str | None = None) -> list[str] | None:
    """A cell's labels, each once, in alphabetical order; None if it is empty or holds something else.

    In order, because two people who name the same labels do not contradict each other. An empty list says that there is
    none; an empty cell says nothing. `separator`: what stands between labels, where that is known. An object with a
    list, such as {"choices": ["a"]}, is that list.
    """
    if isinstance(value, Mapping):
        value = next(iter(value.values())) if len(value) == 1 else None
        value = value if isinstance(value, list) else None
    if isinstance(value, str):
        if not value.strip():
            return None
        mark = separator or next((mark for mark in SEPARATORS if mark in value), SEPARATORS[0])
        # What begins as a JSON list and can't be read as one is no list of names either.
        value = _array(value) if value.lstrip().startswith(("[", "{")) else value.split(mark)
    elif isinstance(value, int) and not isinstance(value, bool):
        value = [value]
    if not isinstance(value, list | tuple) or not all(map(_is_name, value)):
        return None
    names = (str(name).strip() for name in value)
    return sorted({name for name in names if name})


def _array(text: str) -> list[str] | None:
    """The items of an array as PostgreSQL writes it, such as {a,"b c"}; None: it is none."""
    inner = _ARRAY.fullmatch(text.strip())
    if inner is None:
        return None
    return next(csv.reader([inner[1]], escapechar="\\"), [])


def labels_over_columns(columns: Mapping[str, Sequence[object]], names: Sequence[str]) -> list[list[str] | None]:
    """The labels of each row, in alphabetical order: those whose column says that they hold; None for a row of which
    one says neither that nor the contrary, and for one whose cells are all empty: nobody may have looked at it."""
    names = sorted(names)
    rows = zip(*(columns[name] for name in names), strict=True)
    return [None if all(map(cells.is_missing, row)) else _that_hold(row, names) for row in rows]


def _that_hold(row: Sequence[object], names: Sequence[str]) -> list[str] | None:
    says = [holds(value, name) for value, name in zip(row, names, strict=True)]
    return None if None in says else [name for name, held in zip(names, says, strict=True) if held]


def holds(value: object, label: str) -> bool | None:
    """Whether a cell says that its column's label holds, which the label's own name says, too, or not, as an empty one
    among others does; None: it says neither that nor the contrary."""
    text = "" if cells.is_missing(value) else str(value).strip().lower()
    if text and text == label.strip().lower():
        return True
    return True if text in _HOLDS else False if text in _HOLDS_NOT else None


def _is_name(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)
