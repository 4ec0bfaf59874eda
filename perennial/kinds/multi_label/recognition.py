"""Whether a file holds any number of labels for a text, and in which column."""

import re
from collections import Counter
from collections.abc import Sequence

from perennial.core.errors import SpecError, listing
from perennial.kinds.multi_label.label_cells import SEPARATORS, labels_of_cell, labels_over_columns
from perennial.kinds.recognition import columns, label_columns
from perennial.kinds.recognition.column_choice import ColumnChoice, column_named, columns_in_words, others
from perennial.kinds.recognition.sample import FileSample, Given, RecognisedColumns, RowShape
from perennial.rows import cells
from perennial.rows.column_profile import Column

NAMES = re.compile(
    r"(^|[_\W])(labels?|tags|class(es)?|targets?|topics?|categor(y|ies)|emotions?|genres?|intents?|aspects?|themes?"
    r"|sentiments?)$",
    re.I,
)
RARE_SEPARATORS = ("\n", "\t", "#", "/", "+", "&", "\u3001", "\uff0c", "\uff1b", "\u00b7", "\u2022")
"""Between labels in some files; data.columns.separator says so."""
LONGEST_NAME = 3
"""Words of a label, where nothing but the cells says that they hold labels."""
OFTEN = 5
LONGEST_LABEL = 60
LONGEST_CELL = 300
FEW = 20
FEW_SHARE = 0.2
"""Different labels there may be: so many, or this share of the rows."""
DECIMAL = re.compile(r"\s*[+-]?0[.,]\d|\s*[+-]|.*[.,]0\d")
"""Of numbers with a decimal comma, which lists of label numbers (1,3) look like otherwise."""
Held = Sequence[Sequence[str] | None]


def find_multi_label(sample: FileSample, given: Given, *, forced: bool = False) -> RecognisedColumns | None:
    """A text and its labels; None (SpecError if `forced`) when no column holds several, or one label is likelier."""
    text = (
        columns.text(sample.columns, given.text)
        if forced or given.text or columns.text_columns(sample.columns)
        else None
    )
    if text is None or text.column is None:
        return None
    if given.label:
        column = column_named(sample.columns, given.label, "label")
        if not forced and not _holds_several(sample, column, likely=True):
            return None
        return _found(sample, column, text, "you named it; ", [])
    ranked = _candidates(sample, text.column)
    flags = label_columns.flag_columns(sample, text.column)
    if flags and not ranked:
        return _over_columns(sample, text, flags)
    single = columns.labels(sample.columns, (text.column, *(column.name for column in ranked[:1])))
    if forced and not ranked:
        ranked = columns.labels(sample.columns, (text.column,))
    if forced and not ranked:
        raise SpecError(
            f"No column holds labels. {columns_in_words(sample.columns)}",
            remedy='Give lists of labels, such as ["a", "b"], or cells such as a|b; name their column: --label COLUMN.',
        )
    if not ranked or (not forced and single and _rank(single[0]) < _rank(ranked[0])):
        return None
    if not forced and _is_one_each(sample, ranked[0]):
        return None
    return _found(sample, ranked[0], text, "", [*ranked, *single])


def _over_columns(sample: FileSample, text: ColumnChoice, flags: Sequence[str]) -> RecognisedColumns:
    held = labels_over_columns(sample.cells, flags)
    most = max(len(row or ()) for row in held)
    several = "no row has more than one" if most < 2 else f"a row has up to {most}"
    choice = ColumnChoice(column=None, columns=tuple(flags), reason=f"0 and 1 in each of them; {several}")
    return RecognisedColumns(
        reason=f"{len(flags)} columns of 0 and 1, each of them a label", columns={"text": text, "one_hot": choice}
    )


def _is_one_each(sample: FileSample, column: Column) -> bool:
    """Whether each cell is a list of one label: then a text has one label, and no more."""
    held = _labels(sample, column.name)
    return sample.lists[column.name].holds_names and all(row is not None and len(row) == 1 for row in held)


def is_one_hot(sample: FileSample, name: str) -> bool:
    """Whether the column holds lists of 0 and 1, one for each label."""
    held = sample.lists[name]
    if not held.holds_numbers:
        return False
    return {label for row in _labels(sample, name) for label in row or ()} <= {"0", "1"}


def oddity(sample: FileSample) -> str | None:
    """Lists of 0 and 1 in the place of the labels' names, in words."""
    one_hot = next((name for name in sample.lists if is_one_hot(sample, name)), None)
    if one_hot is None:
        return None
    return f"Column {one_hot!r} holds lists of 0 and 1; expected are lists of the labels' names, such as ['a']."


def _candidates(sample: FileSample, text: str) -> list[Column]:
    fit = [column for column in sample.columns if column.name != text and _holds_several(sample, column, likely=False)]
    return sorted(fit, key=lambda column: (_rank(column), column.distinct))


def _holds_several(sample: FileSample, column: Column, *, likely: bool) -> bool:
    """Whether cells hold several labels; `likely`: a user says that the column holds labels."""
    if sample.lists[column.name].holds_names:
        if is_one_hot(sample, column.name):
            return False
        # Lists of numbers are as often counts or places; then only a name, or a user, tells.
        telling = not sample.lists[column.name].holds_numbers or _rank(column) < 2
        return likely or (telling and _are_few(column, _labels(sample, column.name)))
    if column.json and _labels(sample, column.name).count(None) <= (1 - MOSTLY) * column.rows:
        # Objects with a list; or one label by its name and several as JSON.
        return likely or _are_few(column, _labels(sample, column.name))
    if column.holds_lists or column.strings < MOSTLY or column.mean_length > LONGEST_CELL:
        return False
    return _separator(sample, column, likely=likely) is not None


def _separator(sample: FileSample, column: Column, *, likely: bool) -> str | None:
    """What stands between the labels of the column's cells; None: they hold one each."""
    texts = {value for value in sample.cells[column.name] if isinstance(value, str)}
    sure = likely or _rank(column) < 2
    for mark in (*SEPARATORS, *RARE_SEPARATORS):
        if not any(mark in text for text in texts):
            continue
        if column.written and any(map(DECIMAL.match, texts)):
            return None
        labels = _labels(sample, column.name, mark if mark in RARE_SEPARATORS else None)
        # What stands in other texts, too, must divide them as only labels are divided.
        if (sure or mark in ("|", ";") or _vary(labels)) and _are_few(column, labels) and _recombine(labels):
            return mark
        if mark in SEPARATORS:
            return None
    return None


def _vary(held: Held) -> bool:
    """Whether few short labels are alone in some cells and with others in many."""
    counts = Counter(label for row in held for label in row or ())
    filled = [row for row in held if row]
    alone = sum(len(row) == 1 for row in filled)
    brief = bool(counts) and len(counts) <= FEW and max(len(label.split()) for label in counts) <= LONGEST_NAME
    often = counts.total() >= OFTEN * len(counts)
    # Each label is also alone, or with different others: of "Berlin, Germany" the first part is always with the second.
    partners = {label: {other for row in filled if label in row for other in row} for label in counts}
    free = sum(len(others) > 2 or [label] in filled for label, others in partners.items())
    return brief and often and OFTEN <= alone <= len(filled) - OFTEN and free >= MOSTLY * len(counts)


MOSTLY = 0.9


def _labels(sample: FileSample, name: str, separator: str | None = None) -> list[list[str] | None]:
    """Each cell's labels, as a run would read them."""
    return [labels_of_cell(cells.nested(value), separator) for value in sample.cells[name]]


def _are_few(column: Column, held: Held) -> bool:
    counts = Counter(label for row in held for label in row or ())
    few = len(counts) <= max(FEW, FEW_SHARE * column.filled)
    return few and counts.total() >= 2 * len(counts) and max(map(len, counts), default=0) <= LONGEST_LABEL


def _recombine(held: Held) -> bool:
    """Whether most parts are in different cells: those of a path, such as sport/tennis, are always in the same."""
    cells = {tuple(row) for row in held if row}
    counts = Counter(label for cell in cells for label in cell)
    return any(len(cell) > 1 for cell in cells) and sum(n > 1 for n in counts.values()) > len(counts) / 2


def _rank(column: Column) -> int:
    return 0 if NAMES.search(column.name) else 1 if columns.LABEL_NAMES.search(column.name) else 2


def _found(
    sample: FileSample, column: Column, text: ColumnChoice, prefix: str, ranked: list[Column]
) -> RecognisedColumns:
    lists = sample.lists[column.name].holds_names
    mark = None if lists else _separator(sample, column, likely=True)
    separator = mark if mark in RARE_SEPARATORS else None
    counts = Counter(label for row in _labels(sample, column.name, separator) for label in row or ())
    described_labels = f"{prefix}{len(counts):,} different labels, such as {listing(map(repr, sorted(counts)), 3)}"
    label = ColumnChoice(column=column.name, reason=described_labels, alternatives=others(ranked, column.name))
    single = bool(columns.labels(sample.columns, (text.column or "",)))
    return RecognisedColumns(
        reason=f"{column.name!r} holds lists of labels that recur"
        if lists
        else f"cells of {column.name!r} hold several labels each",
        columns={"text": text, "label": label},
        also=(RowShape.LABEL,) if single else (),
        separator=separator,
    )
