"""Whether a table's first record is its header, and what its columns are called if it has none."""

import re
from collections import Counter
from collections.abc import Sequence

from perennial.rows import column_profile

_FEW = 20
_FEW_SHARE = 0.3
"""Different values of a column of labels: so many, or this share of its rows."""
_AGAIN = 0.05
"""Share of rows that may be the header once more; rows that are there more often are rows."""
_LONG = 30
"""Characters; a longer cell is rather a text than a name."""
_NUMBER = re.compile(r"[+-]?\d[\d.,]*$")


def column_names(width: int) -> list[str]:
    """What columns without names are called: column_1, column_2, …"""
    return [f"column_{number}" for number in range(1, width + 1)]


def lacks_header(records: Sequence[Sequence[str]]) -> bool:
    """Whether the first of `records`, all of one width, is a row like those below it, rather than names.

    It is if each of its cells is like those below it, and one is a number, or a value that recurs.
    """
    if not records:
        return False
    first, *rows = records
    again = sum(list(row) == list(first) for row in rows)
    if again <= _AGAIN * len(rows):
        # A header that stands there again, as in files put together, does not make values of names.
        rows = [row for row in rows if list(row) != list(first)]
    if len(rows) < 4:
        return False
    columns = list(zip(first, zip(*rows, strict=True), strict=True))
    if not all(_fits(cell, values) for cell, values in columns):
        return False
    return any(_recurs(cell, values) for cell, values in columns) or any(map(_is_number, first))


def _recurs(cell: str, values: Sequence[str]) -> bool:
    counts = Counter(values)
    few = len(counts) <= min(max(_FEW, _FEW_SHARE * len(values)), len(values) / 2)
    return bool(cell.strip()) and few and counts[cell] >= 2


def _fits(cell: str, values: Sequence[str]) -> bool:
    """Whether the cell may be one of this column: a number among numbers, a text of some words among texts."""
    if not cell.strip():
        return "" in values
    if sum(map(_is_number, values)) > 0.9 * len(values):
        return _is_number(cell)
    if column_profile.profile_of("", values).reads_like_text:
        return len(cell) > _LONG or len(cell.split()) > 2 or cell.rstrip()[-1] in ".!?"
    return len(set(values)) > len(values) / 2 or _recurs(cell, values)


def _is_number(cell: str) -> bool:
    return bool(_NUMBER.match(cell.strip()))
