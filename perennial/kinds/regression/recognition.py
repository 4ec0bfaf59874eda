"""Whether a file holds a number to be learned from a text, and in which column."""

from perennial.core.errors import SpecError
from perennial.core.percent import percent
from perennial.kinds.recognition import columns, numbers
from perennial.kinds.recognition.column_choice import ColumnChoice, column_named, columns_in_words, others
from perennial.kinds.recognition.sample import FileSample, Given, RecognisedColumns, RowShape
from perennial.rows.column_profile import Column


def find_regression(sample: FileSample, given: Given, *, forced: bool = False) -> RecognisedColumns | None:
    """A text and a number; None (SpecError if `forced`) when no column is such a number, or a label is likelier."""
    text = (
        columns.text(sample.columns, given.text)
        if forced or given.text or columns.text_columns(sample.columns)
        else None
    )
    if text is None or text.column is None:
        return None
    if given.label:
        column = column_named(sample.columns, given.label, "label")
        if not forced and not numbers.is_number(column, column.fractions > 0 or numbers.named_like_number(column)):
            return None
        return _found(column, text, "you named it; ", numbers.candidates(sample, (text.column,)))
    ranked = numbers.candidates(sample, (text.column,), any_name=forced)
    if not ranked and not forced:
        return None
    if not ranked:
        raise SpecError(
            f"No column holds numbers to be learned. {columns_in_words(sample.columns)}",
            remedy="If one of them is the number after all, name it: --label COLUMN.",
        )
    if not forced and _is_outranked(sample, ranked[0], text.column):
        return None
    return _found(ranked[0], text, "", ranked)


def _is_outranked(sample: FileSample, number: Column, text: str) -> bool:
    """Whether another column is named like a label: the number is then a score of it, or of something else."""
    labels = columns.labels(sample.columns, (text, number.name))
    return bool(labels and columns.LABEL_NAMES.search(labels[0].name) and not columns.LABEL_NAMES.search(number.name))


def _found(column: Column, text: ColumnChoice, prefix: str, ranked: list[Column]) -> RecognisedColumns:
    described_numbers = f"{prefix}{column.distinct:,} different numbers in {column.rows:,} rows"
    if column.fractions:
        described_numbers += f", {percent(column.fractions)} of them with a fraction"
    label = ColumnChoice(column=column.name, reason=described_numbers, alternatives=others(ranked, column.name))
    return RecognisedColumns(
        reason=f"{column.name!r} holds {'numbers with fractions' if column.fractions else 'many whole numbers'}",
        columns={"text": text, "label": label},
        also=() if column.fractions else (RowShape.LABEL,),
    )
