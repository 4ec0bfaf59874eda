"""Whether a table's first record is its header, and what its columns are called if it has none."""

import re
from collections import Counter
from collections.abc import Sequence

from perennial.kinds.recognition import columns
from perennial.rows import column_profile

_FEW = 20
_FEW_SHARE = 0.3
"""Different values of a column of labels: so many, or this share of its rows."""
_AGAIN = 0.05
"""Share of rows that may be the header once more; rows that are there more often are rows."""
_WORDS = 4
"""Of a sentence, at least."""
_ALIKE = 0.9
"""Share of the labels that are written in one way."""
_LONG = 30
"""Characters; a longer cell is rather a text than a name."""
_NUMBER = re.compile(r"[+-]?\d[\d.,]*$")


def column_names(width: int) -> list[str]:
    """What columns without names are called: column_1, column_2, …"""
    return [f"column_{number}" for number in range(1, width + 1)]


def lacks_header(records: Sequence[Sequence[str]]) -> bool:
    """Whether the first of `records`, all of one width, is a row like those below it, rather than names.

    It is if each of its cells is like those below it, and one is a number, a value that recurs, or a sentence.
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
    by_column = list(zip(first, zip(*rows, strict=True), strict=True))
    if not all(_fits(cell, values) for cell, values in by_column):
        return False
    if any(_recurs(cell, values) for cell, values in by_column) or any(map(_is_number, first)):
        return True
    return any(_is_sentence(cell) and _reads_like_text(values) for cell, values in by_column)


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
    if _reads_like_text(values):
        return len(cell) > _LONG or len(cell.split()) > 2 or cell.rstrip()[-1] in ".!?"
    return len(set(values)) > len(values) / 2 or _recurs(cell, values) or _is_label(cell, values)


def _reads_like_text(values: Sequence[str]) -> bool:
    return column_profile.profile_of("", values).reads_like_text


def _is_sentence(cell: str) -> bool:
    """Whether it is no column's name: even a question of a survey ends with what says so."""
    return len(cell.split()) >= _WORDS and cell.rstrip()[-1] not in "?:"


def _is_label(cell: str, values: Sequence[str]) -> bool:
    """Whether the cell is written as these labels are, and is not what a column of them is called."""
    forms = Counter(map(_form, values))
    return not columns.LABEL_NAMES.search(cell) and forms[_form(cell)] >= _ALIKE * len(values)


def _form(label: str) -> tuple[bool, ...]:
    """Whether it is a number, and in which letters its first word and the others are."""
    first, *others = label.split() or [""]
    rest = " ".join(others)
    return _is_number(label), first.islower(), first.istitle(), first.isupper(), rest.istitle(), rest.isupper()


def _is_number(cell: str) -> bool:
    return bool(_NUMBER.match(cell.strip()))
