"""What a person should know of how the file is written, and of columns that were passed over."""

from __future__ import annotations

import re
from collections.abc import Iterator

from perennial.init.data_file import DataFile
from perennial.init.recognise import RecognisedKind
from perennial.kinds.recognition import token_rows
from perennial.kinds.recognition.sample import FileSample

_LABEL = re.compile(r"labels?$", re.I)


def shape_warnings(data: DataFile, sample: FileSample, recognised: RecognisedKind) -> Iterator[str]:
    """A sentence or two for each thing that a person may not expect of how the file is read."""
    yield from _of_dialect(data)
    yield from _passed_over(sample, recognised)
    yield from _words(data, sample, recognised)


def _of_dialect(data: DataFile) -> Iterator[str]:
    dialect = data.dialect
    if dialect is None:
        return
    if dialect.skip_lines:
        yield (
            f"{dialect.skip_lines:,} lines above the header are passed over, as they are no row of it "
            "(data.source.skip_lines)."
        )
    if not dialect.header:
        yield (
            "The first line looks like a row, not like a header, so it is read as one, and the columns are called "
            "column_1, column_2, … (data.source.header: false). If it is a header, take that setting out; else a first "
            "line with names makes the file easier to read."
        )
    if dialect.escape:
        yield "Quotes in cells have a backslash before them, and are read so (data.source.escape)."
    if dialect.blank_rows:
        yield (
            "Each row is one token with its tag; a line without a cell ends a sentence, which makes one row "
            "(data.source.blank_lines: end_sentences)."
        )
    if not dialect.quoted:
        yield "Quotes are characters like any other, as no cell is put in quotes (data.source.quoting: none)."


def _passed_over(sample: FileSample, recognised: RecognisedKind) -> Iterator[str]:
    """A column called label that is not what is learned."""
    target = list(recognised.columns.values())[-1]
    for column in sample.columns:
        if _LABEL.fullmatch(column.name) and column.name not in _chosen(recognised):
            if not column.filled:
                why = "is empty"
            elif column.holds_lists:
                why = "holds lists or objects that could not be read as labels"
            else:
                why = f"has {column.distinct:,} different values in {column.rows:,} rows"
            yield (
                f"Column {column.name!r} was not taken for the label, as it {why}; "
                f"{', '.join(map(repr, target.names))} was. If that is wrong, mend it, or say: --label {column.name}"
            )


def _words(data: DataFile, sample: FileSample, recognised: RecognisedKind) -> Iterator[str]:
    """Texts of one word each, where another column numbers sentences."""
    text = recognised.columns.get("text")
    target = list(recognised.columns.values())[-1]
    if data.annotated or not text or not text.column or not target.column:
        return
    rows = token_rows.TokenRows(text.column, target.column)
    sentence = token_rows.sentence_column(sample, rows) if token_rows.is_word_a_row(sample, text.column) else None
    if sentence:
        yield (
            f"Each text in {text.column!r} is one word, and {sentence!r} looks like the number of a sentence: if rows "
            "are the tokens of sentences, write their tags in a known scheme (B-PER, I-PER, O), and they are put "
            "together."
        )


def _chosen(recognised: RecognisedKind) -> set[str]:
    return {name for choice in recognised.columns.values() for name in choice.names}
