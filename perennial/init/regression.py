"""Whether a file holds a number to be learned from a text, and in which column."""

import re

from perennial.core.errors import SpecError
from perennial.ingest.column_profile import Column
from perennial.init import columns
from perennial.init.column_choice import ColumnChoice, listed, named, others
from perennial.init.sample import FileSample, Given, RecognisedKind

KIND = "regression"
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


def find_regression(sample: FileSample, given: Given, *, forced: bool = False) -> RecognisedKind | None:
    """A text and a number; None (SpecError if `forced`) when no column is such a number, or a label is likelier."""
    text = columns.text(sample.columns, given.text) if forced or given.text or columns.texts(sample.columns) else None
    if text is None or text.column is None:
        return None
    if given.label:
        column = named(sample.columns, given.label, "label")
        if not forced and not _is_number(column, column.fractions > 0 or _named(column)):
            return None
        return _found(column, text, "you named it; ", candidates(sample, (text.column,)))
    ranked = candidates(sample, (text.column,), any_name=forced)
    if not ranked and not forced:
        return None
    if not ranked:
        raise SpecError(
            f"No column holds numbers to be learned. {listed(sample.columns)}",
            remedy="If one of them is the number after all, name it: --label COLUMN.",
        )
    if not forced and _is_outranked(sample, ranked[0], text.column):
        return None
    return _found(ranked[0], text, "", ranked)


def candidates(sample: FileSample, taken: tuple[str, ...], *, any_name: bool = False) -> list[Column]:
    """Columns of numbers named like what is to be learned (`any_name`: or otherwise), the likeliest first."""
    fit = [
        column
        for column in sample.columns
        if column.name not in taken
        and not columns.is_id(column)
        and not columns.named_like_time(column)
        and (_is_number(column, _named(column)) or (any_name and column.numbers >= MOST and column.distinct > 1))
    ]
    return sorted(fit, key=lambda column: (not _named(column), column.fractions == 0, -column.distinct))


def _named(column: Column) -> bool:
    return bool(NAMES.search(column.name) or (column.fractions and columns.LABEL_NAMES.search(column.name)))


def _is_number(column: Column, likely: bool) -> bool:
    many = column.fractions > 0 or column.distinct > FEW
    return likely and many and column.numbers >= MOST and column.distinct > 1


def _is_outranked(sample: FileSample, number: Column, text: str) -> bool:
    """Whether another column is named like a label: the number is then a score of it, or of something else."""
    labels = columns.labels(sample.columns, (text, number.name))
    return bool(labels and columns.LABEL_NAMES.search(labels[0].name) and not columns.LABEL_NAMES.search(number.name))


def _found(column: Column, text: ColumnChoice, prefix: str, ranked: list[Column]) -> RecognisedKind:
    described_numbers = f"{prefix}{column.distinct:,} different numbers in {column.rows:,} rows"
    if column.fractions:
        described_numbers += f", {column.fractions:.0%} of them with a fraction"
    label = ColumnChoice(column=column.name, reason=described_numbers, alternatives=others(ranked, column.name))
    return RecognisedKind(
        kind=KIND,
        reason=f"{column.name!r} holds {'numbers with fractions' if column.fractions else 'many whole numbers'}",
        columns={"text": text, "label": label},
        alternatives=() if column.fractions else ("text-classification",),
    )
