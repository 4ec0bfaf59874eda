"""Columns of 0 and 1 that are each a label."""

from collections.abc import Sequence

from perennial.kinds.recognition import columns
from perennial.kinds.recognition.sample import FileSample
from perennial.rows.column_profile import Column

_VALUES = frozenset({"0", "1", "0.0", "1.0", "true", "false", "t", "f", "yes", "no", "y", "n"})
_MARKS = (frozenset({"x"}), frozenset({"1", "1.0"}), frozenset({"true", "t"}), frozenset({"yes", "y"}))
"""What stands alone in columns that are empty where the label does not hold; or the label's own name does."""
MOST_SAY = 0.5
"""Share of the cells that must say yes or no for the others, empty ones, to be taken for no."""
_QUESTIONS = ("is_", "has_")
_OF_THE_ROW = ("deleted", "train", "test", "split", "valid", "verified", "index", *_QUESTIONS)
"""How columns of 0 and 1 begin that say something else of a row; labels may all begin with is_ or has_."""
LEAST = 2
"""Columns by which labels are told; one alone is a label with two values."""


def flag_columns(sample: FileSample, text: str) -> list[str]:
    """The columns of 0 and 1 that are each a label, in their order; none if fewer than two, or if another column is
    named like a label."""
    others = [column for column in sample.columns if column.name != text]
    if any(columns.LABEL_NAMES.search(column.name) and column.filled for column in others):
        return []
    flags = [column.name for column in others if _is_flag(sample, column)]
    if not all(name.lower().startswith(_QUESTIONS) for name in flags):
        flags = [name for name in flags if not name.lower().startswith(_OF_THE_ROW)]
    return flags if len(flags) >= LEAST and _any_holds(sample, flags) else []


def _is_flag(sample: FileSample, column: Column) -> bool:
    values = _values(sample.cells[column.name])
    if column.filled == column.rows:
        return values <= _VALUES
    if any(values <= marks for marks in (*_MARKS, {column.name.strip().lower()})):
        return bool(values)
    return values <= _VALUES and column.filled >= MOST_SAY * column.rows


def _any_holds(sample: FileSample, flags: Sequence[str]) -> bool:
    """Whether some labels hold in some rows and not in others: columns of nothing but 0 tell nothing."""
    varied = [name for name in flags if len(_values(sample.cells[name], empty=True)) > 1]
    return len(varied) >= LEAST


def _values(cells: Sequence[object], *, empty: bool = False) -> set[str]:
    """The different values, as text in lower case; `empty`: that of empty cells, too."""
    values = {"" if cell is None or cell != cell else str(cell).strip().lower() for cell in cells}
    return values if empty else values - {""}
