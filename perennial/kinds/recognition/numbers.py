"""Which columns hold a number that is to be learned."""

import re

from perennial.kinds.recognition import columns
from perennial.kinds.recognition.sample import FileSample
from perennial.rows.column_profile import Column

NAMES = re.compile(
    r"(^|[_\W]|(?-i:(?<=[a-z])(?=[A-Z])))"
    r"(score|value|rating|intensity|valence|arousal|dominance|polarity|strength|degree|grade|stars|price"
    r"|similarity|relevance|readability|complexity|difficulty|toxicity|quality|helpfulness)s?$",
    re.I,
)
FEW = 20
"""Different whole numbers that may well be classes, such as one to five stars."""
MOST = 0.9
"""Share of the cells that must be numbers: a run sets the others aside."""


def candidates(sample: FileSample, taken: tuple[str, ...], *, any_name: bool = False) -> list[Column]:
    """Columns of numbers named like what is to be learned (`any_name`: or otherwise), the likeliest first."""
    fit = [
        column
        for column in sample.columns
        if column.name not in taken
        and not columns.is_id(column)
        and not columns.named_like_time(column)
        and (is_number(column, named_like_number(column)) or (any_name and _varies(column)))
    ]
    return sorted(fit, key=lambda column: (not named_like_number(column), column.fractions == 0, -column.distinct))


def named_like_number(column: Column) -> bool:
    """Whether the column is named like a number that is worth learning."""
    return bool(NAMES.search(column.name) or (column.fractions and columns.LABEL_NAMES.search(column.name)))


def is_number(column: Column, likely: bool) -> bool:
    """Whether the column holds numbers of which each is a matter of degree; `likely`: its name or a user says so."""
    many = column.fractions > 0 or column.distinct > FEW
    return likely and many and _varies(column)


def _varies(column: Column) -> bool:
    return column.numbers >= MOST and column.distinct > 1
