"""Which column is what: text, label, time, id and slices, each with the reason."""

import re
from collections.abc import Sequence

from perennial.core.errors import SpecError
from perennial.kinds.recognition.column_choice import ColumnChoice, column_named, columns_in_words, others
from perennial.rows.column_profile import Column

LABEL_NAMES = re.compile(
    r"(^|[_\W])(labels?|sentiment|categor(y|ies)|class|target|topic|intent|emotion|tag|stars|rating|y)$", re.I
)
TIME_NAMES = re.compile(r"(date|time|timestamp|_at|_on|created|published|updated|epoch)$|^(date|time|ts)", re.I)
ID_NAMES = re.compile(r"(^|[_\W])(id|uuid|guid|key|index)$|Id$|^ID", re.I)
MAX_GUESSED_LABELS = 200
MAX_SLICES = 3
SLICE_VALUES = range(2, 31)


def text(columns: Sequence[Column], given: str | None, role: str = "text") -> ColumnChoice:
    """The column of texts. Raises SpecError when none reads like text."""
    ranked = text_columns(columns)
    if given is not None:
        column = column_named(columns, given, role)
        return ColumnChoice(
            column=given, reason=f"you named it; {column_in_words(column)}", alternatives=others(ranked, given)
        )
    if not ranked:
        raise SpecError(
            f"No column reads like text (words, with spaces between them). {columns_in_words(columns)}",
            remedy="If one of them is the text after all, name it: --text COLUMN. Lists of tokens need a column with a "
            "tag for each token: --tokens COLUMN --tags COLUMN.",
        )
    best = ranked[0]
    return ColumnChoice(column=best.name, reason=column_in_words(best), alternatives=others(ranked, best.name))


def text_columns(columns: Sequence[Column]) -> list[Column]:
    """The columns that read like text, the likeliest first."""
    readable = [column for column in columns if column.reads_like_text]
    if not readable:
        # Texts of one word each have no spaces to be known by; then only a name, or being the only choice, tells.
        readable = [column for column in columns if is_varied_word(column) and column.named_like_text]
    return sorted(readable, key=lambda column: (column.name.lower() != "text", -_text_score(column)))


def column_in_words(column: Column) -> str:
    """A column of texts in words."""
    return (
        f"{column.mean_length:,.0f} characters on average, {column.distinct:,} different texts in {column.rows:,} rows"
    )


def label(columns: Sequence[Column], taken: Sequence[str], given: str | None, hint: str = "") -> ColumnChoice:
    """The column of labels, one for each row. Raises SpecError, with a `hint`, when none looks like one."""
    ranked = labels(columns, taken)
    if given is not None:
        column = column_named(columns, given, "label")
        reason = f"you named it; {column.distinct:,} different values in {column.rows:,} rows"
        return ColumnChoice(column=given, reason=reason, alternatives=others(ranked, given))
    if not ranked:
        raise SpecError(
            f"No column looks like a label (few values, each of them many times). {columns_in_words(columns)}",
            remedy=f"If one of them is the label after all, name it: --label COLUMN. {hint}Texts without labels can't "
            "be learned from.",
        )
    best = ranked[0]
    like = ", and is named like a label" if LABEL_NAMES.search(best.name) else ""
    reason = f"{best.distinct:,} different values in {best.rows:,} rows{like}"
    return ColumnChoice(column=best.name, reason=reason, alternatives=others(ranked, best.name))


def labels(columns: Sequence[Column], taken: Sequence[str]) -> list[Column]:
    """The columns that look like one label for each row, the likeliest first."""
    return sorted((column for column in columns if column.name not in taken and _may_label(column)), key=_label_rank)


def time(columns: Sequence[Column], taken: Sequence[str], given: str | None) -> ColumnChoice:
    """The column that says when a row came to be; `given` "": none."""
    ranked = sorted((column for column in columns if column.name not in taken and _tells_time(column)), key=_time_rank)
    if given is not None:
        return _as_given(columns, given, "time", ranked)
    if not ranked:
        return ColumnChoice(column=None, reason=_no_time(columns, taken))
    best = ranked[0]
    return ColumnChoice(
        column=best.name, reason="a date or time in every sampled row", alternatives=others(ranked, best.name)
    )


def row_id(columns: Sequence[Column], taken: Sequence[str], given: str | None) -> ColumnChoice:
    """The column of row ids; `given` "": none."""
    ranked = [column for column in columns if column.name not in taken and is_id(column)]
    if given is not None:
        return _as_given(columns, given, "id", ranked)
    if not ranked:
        return ColumnChoice(column=None, reason="no column is named like an id and different in every row")
    best = ranked[0]
    reason = "named like an id, and different in every sampled row"
    return ColumnChoice(column=best.name, reason=reason, alternatives=others(ranked, best.name))


def slices(columns: Sequence[Column], taken: Sequence[str], given: Sequence[str] | None) -> tuple[ColumnChoice, ...]:
    """Columns by which results are worth breaking down, three at most; `given`: exactly these, [""]: none."""
    if given:
        return tuple(
            ColumnChoice(column=column_named(columns, name, "slice").name, reason="you named it")
            for name in given
            if name
        )
    fit = [column for column in columns if column.name not in taken and _may_slice(column)]
    fit.sort(key=lambda column: column.distinct)
    return tuple(ColumnChoice(column=column.name, reason=f"{column.distinct} values") for column in fit[:MAX_SLICES])


def _as_given(columns: Sequence[Column], given: str, role: str, ranked: Sequence[Column]) -> ColumnChoice:
    if not given:
        return ColumnChoice(column=None, reason="you want none", alternatives=others(ranked, ""))
    column_named(columns, given, role)
    return ColumnChoice(column=given, reason="you named it", alternatives=others(ranked, given))


def _text_score(column: Column) -> float:
    bonus = 2 if column.named_like_text else 1
    return column.mean_length * bonus * column.distinct / max(column.filled, 1)


def is_varied_word(column: Column) -> bool:
    """Whether the cells are plain text, of one word maybe."""
    return column.strings > 0.9 and column.numbers < 0.5 and column.times < 0.5 and not column.holds_lists


def _may_label(column: Column) -> bool:
    like = bool(LABEL_NAMES.search(column.name))
    # A constant column can only be a label of which the sample has not seen the others: then its name must say so.
    enough = column.distinct >= (1 if like else 2)
    few = column.distinct <= min(MAX_GUESSED_LABELS, max(20, column.filled * 0.1), column.filled * 0.5)
    # A text may happen to be JSON; what a class is called does not. A list of one label is read as that label.
    readable = column.singles == 1 or (not column.nested and not column.json)
    plain = readable and column.fractions == 0 and column.times < 0.5 and column.mean_length <= 60
    return bool(enough and few and plain and not is_id(column) and not named_like_time(column))


def _label_rank(column: Column) -> tuple[bool, bool, int]:
    like = bool(LABEL_NAMES.search(column.name))
    return not like, column.numbers > 0.5, column.distinct


def _tells_time(column: Column) -> bool:
    if column.filled < column.rows or not column.rows:
        return False
    return column.times == 1 or (column.moments == 1 and named_like_time(column))


def _no_time(columns: Sequence[Column], taken: Sequence[str]) -> str:
    likely = [column for column in columns if column.name not in taken and column.time_doubt]
    if likely:
        return f"{likely[0].name!r} looks like a time, but {likely[0].time_doubt}"
    halves = [column for column in columns if column.name not in taken and column.filled < column.rows]
    for column in halves:
        if column.filled and column.times == 1:
            empty = column.rows - column.filled
            return f"{column.name!r} holds times, but not in every row: {empty:,} of {column.rows:,} cells are empty"
    named = [column for column in columns if column.name not in taken and _may_be_time(column)]
    if named:
        return f"{named[0].name!r} is named like a time, but not all of it can be read as one (docs/data.md)"
    return "no column holds a date or time in every row"


def _may_be_time(column: Column) -> bool:
    """Whether a column that tells no time is named like one and filled, with short cells of more than a few values."""
    filled = column.filled == column.rows and column.distinct > 1
    return bool(TIME_NAMES.search(column.name)) and filled and column.mean_length <= 40 and not column.holds_lists


def _time_rank(column: Column) -> tuple[bool, int]:
    return not named_like_time(column), -column.distinct


def named_like_time(column: Column) -> bool:
    """Whether the column is named like a time and every cell can be read as one."""
    return bool(TIME_NAMES.search(column.name)) and column.moments == 1


def is_id(column: Column) -> bool:
    """Whether the column tells rows apart: by its name, and by holding nothing twice."""
    unique = column.distinct == column.filled == column.rows and column.rows > 1
    return unique and bool(ID_NAMES.search(column.name)) and not column.holds_lists and not column.reads_like_text


def _may_slice(column: Column) -> bool:
    few = column.distinct in SLICE_VALUES and column.distinct <= column.filled * 0.5
    text = column.strings > 0.9 and column.numbers < 0.5 and column.times < 0.5
    return few and text and column.mean_length <= 40 and not column.holds_lists
