"""Whether a file holds two texts that are read together, and in which columns."""

import re

from perennial.core.errors import SpecError
from perennial.kinds import registry
from perennial.kinds.recognition import columns, numbers
from perennial.kinds.recognition.column_choice import ColumnChoice, columns_in_words, others
from perennial.kinds.recognition.sample import FileSample, Given, RecognisedColumns, RowShape
from perennial.rows.column_profile import Column

KNOWN = (
    ("premise", "hypothesis"),
    ("question", "answer"),
    ("query", "passage"),
    ("query", "document"),
    ("question", "passage"),
    ("question", "context"),
    ("question", "sentence"),
    ("claim", "evidence"),
    ("context", "response"),
)
"""Names that say that the second text belongs to the first. A title and a body are one text in two columns."""
TWINS = (("1", "2"), ("0", "1"), ("a", "b"), ("first", "second"))
"""Parts in which two names of a pair may differ: text_a and text_b, question1 and question2."""
_PARTS = re.compile(r"\d+|[^\W\d_]+")


def find_text_pair(sample: FileSample, given: Given, *, forced: bool = False) -> RecognisedColumns | None:
    """Two texts and their label. None when no names say that two columns are a pair, or no column is a label.

    `forced`: the likeliest two texts, whatever their names. Raises SpecError when there are not two (`forced`), and
    when what would be learned from a pair is a number.
    """
    pair = _pair(sample, given, forced)
    if pair is None:
        return None
    labels = columns.labels(sample.columns, pair)
    if not labels and not forced and not given.label:
        if number := numbers.candidates(sample, pair):
            raise _no_kind(pair, number[0].name)
        return None
    one, other = (sample.column(name) for name in pair)
    rest = columns.text_columns(sample.columns)
    choices = {
        "text": _choice(one, given.text, others(rest, *pair)),
        "text_pair": _choice(other, given.text_pair, others(rest, *pair)),
        "label": columns.label(sample.columns, pair, given.label, registry.number_hint()),
    }
    reason = f"{pair[0]!r} and {pair[1]!r} are named like two texts read together"
    return RecognisedColumns(reason=reason, columns=choices, also=(RowShape.LABEL,))


def _pair(sample: FileSample, given: Given, forced: bool) -> tuple[str, str] | None:
    if given.text and given.text_pair:
        return _there(sample, given.text, "text"), _there(sample, given.text_pair, "text_pair")
    fixed = given.text_pair or given.text
    pairs = _named_pairs(sample, given)
    if fixed is None and (pairs or not forced):
        return pairs[0] if pairs else None
    if pairs:
        return pairs[0]
    if not forced:
        return None
    rest = [column for column in columns.text_columns(sample.columns) if column.name != fixed]
    if len(rest) < (2 if fixed is None else 1):
        raise SpecError(
            f"A pair needs two columns that read like text. {columns_in_words(sample.columns)}",
            remedy="Name them: --text COLUMN --text-pair COLUMN.",
        )
    if fixed is None:
        order = [column.name for column in sample.columns]
        first, second = sorted((column.name for column in rest[:2]), key=order.index)
        return first, second
    return (rest[0].name, _there(sample, fixed, "text_pair")) if given.text_pair else (fixed, rest[0].name)


def _there(sample: FileSample, name: str, role: str) -> str:
    return columns.text(sample.columns, name, role).column or name


def _named_pairs(sample: FileSample, given: Given) -> list[tuple[str, str]]:
    """Columns whose names say that they are a pair, in the order of the names."""
    fit = [column for column in sample.columns if column.reads_like_text or columns.is_varied_word(column)]
    return [
        (one.name, other.name)
        for one in fit
        for other in fit
        if _are_pair(one.name, other.name)
        and (one.reads_like_text or other.reads_like_text)
        and given.text in (None, one.name)
        and given.text_pair in (None, other.name)
    ]


def _are_pair(one: str, other: str) -> bool:
    first, second = one.lower(), other.lower()
    if (first, second) in KNOWN or second in (f"{first}_pair", f"{first}pair"):
        return True
    parts, others_parts = _PARTS.findall(first), _PARTS.findall(second)
    if len(parts) != len(others_parts) or len(parts) < 2:
        return False
    differing = [pair for pair in zip(parts, others_parts, strict=True) if pair[0] != pair[1]]
    return len(differing) == 1 and differing[0] in TWINS


def _choice(column: Column, given: str | None, alternatives: tuple[str, ...]) -> ColumnChoice:
    reason = f"you named it; {columns.column_in_words(column)}" if given else columns.column_in_words(column)
    return ColumnChoice(column=column.name, reason=reason, alternatives=alternatives)


def _no_kind(pair: tuple[str, str], number: str) -> SpecError:
    return SpecError(
        f"Columns {pair[0]!r} and {pair[1]!r} are two texts, and {number!r} is a number: to learn a number from a pair "
        "of texts is no kind of task that Perennial knows.",
        remedy="Make few labels of the number, or learn it from one text: "
        f"--kind {registry.names_of_shape(RowShape.NUMBER)[0]} --text {pair[0]!r}.",
    )
