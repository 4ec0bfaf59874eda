"""What a person should know of how the file is written, and of columns that were passed over."""

from __future__ import annotations

import re
from collections.abc import Iterator

from perennial.core.errors import listing
from perennial.init.data_file import DataFile
from perennial.init.recognise import RecognisedKind
from perennial.kinds.recognition import columns, token_rows
from perennial.kinds.recognition.sample import FileSample
from perennial.rows.cells import is_missing

_LABEL = re.compile(r"labels?$", re.I)
_FEW = 5
"""Different values of columns that may each be a label."""


def shape_warnings(data: DataFile, sample: FileSample, recognised: RecognisedKind) -> Iterator[str]:
    """A sentence or two for each thing that a person may not expect of how the file is read."""
    yield from _of_dialect(data)
    yield from _passed_over(sample, recognised)
    yield from _alike(sample, recognised)
    yield from _half_said(sample, recognised)
    yield from _words(data, sample, recognised)


def _of_dialect(data: DataFile) -> Iterator[str]:
    dialect = data.dialect
    if dialect is None:
        return
    if dialect.skip_lines:
        yield (
            f"{dialect.skip_lines:,} line{'s are' if dialect.skip_lines > 1 else ' is'} passed over above the header, "
            "as no row of the table (data.source.skip_lines)."
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


def _alike(sample: FileSample, recognised: RecognisedKind) -> Iterator[str]:
    """Columns that hold the same few values as that which was taken for the label, and are as good."""
    label = recognised.columns.get("label")
    name = label.column if label and not label.reason.startswith("you named it") else None
    if name is None or columns.LABEL_NAMES.search(name):
        return
    values = _values(sample, name)
    alike = [column.name for column in sample.columns if column.name != name and _values(sample, column.name) == values]
    if alike and len(values) <= _FEW:
        yield (
            f"{listing(map(repr, alike), 5)} hold{'s' * (len(alike) == 1)} the same values as {name!r} ("
            f"{', '.join(map(repr, sorted(values)))}), and only {name!r} is learned. If each of them is a label, write "
            "1 where it holds and 0 where not, and a row can have several of them; if another is the label, say: "
            "--label COLUMN."
        )


def _half_said(sample: FileSample, recognised: RecognisedKind) -> Iterator[str]:
    """Columns of 0 and 1 with empty cells, in rows that say something."""
    names = recognised.columns["one_hot"].columns if "one_hot" in recognised.columns else ()
    rows = [row for row in zip(*(sample.cells[name] for name in names), strict=True) if not all(map(is_missing, row))]
    empty = {name: sum(map(is_missing, values)) for name, values in zip(names, zip(*rows, strict=True), strict=False)}
    partly = [name for name, count in empty.items() if count]
    if any(len(_values(sample, name)) > 1 for name in partly):
        yield (
            f"{sum(empty.values()):,} cells of {listing(map(repr, partly), 5)} are empty beside others that are not, "
            "which is read as 0. If that means that nobody has looked, leave those rows out."
        )


def _values(sample: FileSample, name: str) -> set[str]:
    return {str(value).strip() for value in sample.cells[name] if value is not None and value == value} - {""}


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
