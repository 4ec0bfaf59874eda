"""Which column is what: text, label, time, id and slices, each with the reason."""

import difflib
import re
from collections.abc import Sequence

from perennial.artifacts import Record
from perennial.data.profile import Column
from perennial.errors import SpecError, listing

LABEL_NAMES = re.compile(
    r"(^|[_\W])(labels?|sentiment|categor(y|ies)|class|target|topic|intent|emotion|tag|stars|rating|y)$", re.I
)
TIME_NAMES = re.compile(r"(date|time|timestamp|_at|_on|created|published|updated|epoch)$|^(date|time|ts)", re.I)
ID_NAMES = re.compile(r"(^|[_\W])(id|uuid|guid|key|index)$|Id$|^ID", re.I)
MAX_GUESSED_LABELS = 200
MAX_SLICES = 3
SLICE_VALUES = range(2, 31)


class Choice(Record):
    """The column that was chosen for a role, and why."""

    column: str | None
    """None: the role is left empty."""
    reason: str
    alternatives: tuple[str, ...] = ()
    """Columns that would do as well, the likeliest first."""


def text(columns: Sequence[Column], given: str | None) -> Choice:
    """The column of texts. Raises SpecError when none reads like text."""
    readable = [column for column in columns if column.reads_like_text]
    if not readable:
        # Texts of one word each have no spaces to be known by; then only a name, or being the only choice, tells.
        readable = [column for column in columns if _varied_word(column) and column.named_like_text]
    ranked = sorted(readable, key=lambda column: (column.name.lower() != "text", -_text_score(column)))
    if given is not None:
        column = _named(columns, given, "text")
        return Choice(column=given, reason=f"you named it; {_described(column)}", alternatives=_others(ranked, given))
    if not ranked:
        raise SpecError(
            f"No column reads like text (words, with spaces between them). {_listed(columns)}",
            remedy="If one of them is the text after all, name it: --text COLUMN. Lists (of tokens, say) are not text.",
        )
    best = ranked[0]
    return Choice(column=best.name, reason=_described(best), alternatives=_others(ranked, best.name))


def label(columns: Sequence[Column], text_column: str, given: str | None) -> Choice:
    """The column of labels. Raises SpecError when none looks like one."""
    ranked = sorted(
        (column for column in columns if column.name != text_column and _may_label(column)), key=_label_rank
    )
    if given is not None:
        column = _named(columns, given, "label")
        if given == text_column:
            raise SpecError(
                f"Column {given!r} can't be both the text and the label.", remedy="Name another with --text or --label."
            )
        reason = f"you named it; {column.distinct:,} different values in {column.rows:,} rows"
        return Choice(column=given, reason=reason, alternatives=_others(ranked, given))
    if not ranked:
        raise SpecError(
            f"No column looks like a label (few values, each of them many times). {_listed(columns)}",
            remedy="If one of them is the label after all, name it: --label COLUMN. Texts without labels can't be "
            "learned from.",
        )
    best = ranked[0]
    named = ", and is named like a label" if LABEL_NAMES.search(best.name) else ""
    reason = f"{best.distinct:,} different values in {best.rows:,} rows{named}"
    return Choice(column=best.name, reason=reason, alternatives=_others(ranked, best.name))


def time(columns: Sequence[Column], taken: Sequence[str], given: str | None) -> Choice:
    """The column that says when a row came to be; `given` "": none."""
    ranked = sorted((column for column in columns if column.name not in taken and _tells_time(column)), key=_time_rank)
    if given is not None:
        return _as_given(columns, given, "time", ranked)
    if not ranked:
        return Choice(column=None, reason="no column holds a date or time in every row")
    best = ranked[0]
    return Choice(
        column=best.name, reason="a date or time in every sampled row", alternatives=_others(ranked, best.name)
    )


def row_id(columns: Sequence[Column], taken: Sequence[str], given: str | None) -> Choice:
    """The column of row ids; `given` "": none."""
    ranked = [column for column in columns if column.name not in taken and _is_id(column)]
    if given is not None:
        return _as_given(columns, given, "id", ranked)
    if not ranked:
        return Choice(column=None, reason="no column is named like an id and different in every row")
    best = ranked[0]
    reason = "named like an id, and different in every sampled row"
    return Choice(column=best.name, reason=reason, alternatives=_others(ranked, best.name))


def slices(columns: Sequence[Column], taken: Sequence[str], given: Sequence[str] | None) -> tuple[Choice, ...]:
    """Columns by which results are worth breaking down, three at most; `given`: exactly these, [""]: none."""
    if given:
        return tuple(
            Choice(column=_named(columns, name, "slice").name, reason="you named it") for name in given if name
        )
    fit = [column for column in columns if column.name not in taken and _may_slice(column)]
    fit.sort(key=lambda column: column.distinct)
    return tuple(Choice(column=column.name, reason=f"{column.distinct} values") for column in fit[:MAX_SLICES])


def _as_given(columns: Sequence[Column], given: str, role: str, ranked: Sequence[Column]) -> Choice:
    if not given:
        return Choice(column=None, reason="you want none", alternatives=_others(ranked, ""))
    _named(columns, given, role)
    return Choice(column=given, reason="you named it", alternatives=_others(ranked, given))


def _named(columns: Sequence[Column], name: str, role: str) -> Column:
    found = {column.name: column for column in columns}
    if name in found:
        return found[name]
    near = difflib.get_close_matches(name, list(found), 1, cutoff=0.5)
    hint = f"Did you mean {near[0]!r}? " if near else ""
    raise SpecError(f"There is no column {name!r} for the {role}.", remedy=f"{hint}{_listed(columns)}")


def _text_score(column: Column) -> float:
    bonus = 2 if column.named_like_text else 1
    return column.mean_length * bonus * column.distinct / max(column.filled, 1)


def _varied_word(column: Column) -> bool:
    return column.strings > 0.9 and column.numbers < 0.5 and column.times < 0.5 and not column.nested


def _may_label(column: Column) -> bool:
    named = bool(LABEL_NAMES.search(column.name))
    # A constant column can only be a label of which the sample has not seen the others: then its name must say so.
    enough = column.distinct >= (1 if named else 2)
    few = column.distinct <= min(MAX_GUESSED_LABELS, max(20, column.filled * 0.1), column.filled * 0.5)
    plain = not column.nested and column.fractions == 0 and column.times < 0.5 and column.mean_length <= 60
    return bool(enough and few and plain and not _is_id(column) and not _named_like_time(column))


def _label_rank(column: Column) -> tuple[bool, bool, int]:
    named = bool(LABEL_NAMES.search(column.name))
    return not named, column.numbers > 0.5, column.distinct


def _tells_time(column: Column) -> bool:
    if column.filled < column.rows or not column.rows:
        return False
    return column.times == 1 or (column.moments == 1 and _named_like_time(column))


def _time_rank(column: Column) -> tuple[bool, int]:
    return not _named_like_time(column), -column.distinct


def _named_like_time(column: Column) -> bool:
    return bool(TIME_NAMES.search(column.name)) and column.moments == 1


def _is_id(column: Column) -> bool:
    unique = column.distinct == column.filled == column.rows and column.rows > 1
    return unique and bool(ID_NAMES.search(column.name)) and not column.nested and not column.reads_like_text


def _may_slice(column: Column) -> bool:
    few = column.distinct in SLICE_VALUES and column.distinct <= column.filled * 0.5
    text = column.strings > 0.9 and column.numbers < 0.5 and column.times < 0.5
    return few and text and column.mean_length <= 40


def _described(column: Column) -> str:
    return (
        f"{column.mean_length:,.0f} characters on average, {column.distinct:,} different texts in {column.rows:,} rows"
    )


def _others(ranked: Sequence[Column], chosen: str) -> tuple[str, ...]:
    return tuple(column.name for column in ranked if column.name != chosen)[:5]


def _listed(columns: Sequence[Column]) -> str:
    # Without a header, the first row stands in its place: no more of it than a name needs.
    named = [f"{column.name[:30]} ({column.distinct:,} different values)" for column in columns]
    return f"The columns are: {listing(named, 20)}."
