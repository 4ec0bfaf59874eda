"""What a column looks like: words, numbers, times or nested values, judged by a sample of its cells."""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from perennial.rows import cells, written_numbers
from perennial.rows.moments import moment
from perennial.rows.time_survey import TimeSurvey
from perennial.rows.written_numbers import NumberSurvey
from perennial.rows.written_times import UnclearTimeError

_NUMBER = re.compile(r"\s*[+-]?(\d[\d_]*\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$")
_WORDS = re.compile(r"\S\s+\S")
WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\u0e00-\u0e7f]")
"""Scripts that write words without spaces between them (and Hangul, whose tokens are as short)."""
MOST_NUMBERS = 0.9
FIRST_CELLS = 50
_TEXT_NAMES = re.compile(
    r"text|sentence|content|review|message|comment|tweet|headline|title|body|question|document", re.I
)


@dataclass(frozen=True)
class Column:
    """Figures of the sampled cells of one column. Shares are of the filled cells, 0 to 1."""

    name: str
    rows: int
    filled: int
    distinct: int
    mean_length: float
    """Characters."""
    worded: float
    """Share with more than one word, or in a script that has no spaces."""
    numbers: float
    fractions: float
    """Share of numbers that are not whole."""
    times: float
    """Share that tells a time as `data.columns.time` reads it and is not merely a number."""
    moments: float
    """Share that tells a time, numbers (seconds since 1970) included."""
    nested: float
    """Share of lists and objects."""
    json: float
    """Share of text that is a list or an object in JSON, as CSV must write one, or a list as Python prints it."""
    strings: float
    singles: float = 0.0
    """Share of lists, also as JSON text, of one text or whole number."""
    time_form: str | None = None
    """What data.columns.time_format must say for `times` and `moments` to be read so, as far as the sample tells."""
    time_doubt: str = ""
    """Why it can't be told how its times are to be read, as half a sentence; empty: it can."""
    written: bool = False
    """Whether its numbers are such as people write, with a decimal comma or thousands parted."""

    @property
    def reads_like_text(self) -> bool:
        """Whether most cells are words rather than numbers, times or codes."""
        return self.worded >= 0.5 and self.numbers < 0.5 and self.times < 0.5 and not self.holds_lists

    @property
    def holds_lists(self) -> bool:
        """Whether cells are lists or objects, of which a text can't be made."""
        # A text may happen to be JSON, such as "[1]"; a list never happens to be a text.
        return self.nested > 0 or self.json >= 0.5

    @property
    def named_like_text(self) -> bool:
        """Whether the name is one that texts go by."""
        return bool(_TEXT_NAMES.search(self.name))


def profiles_of(columns: Mapping[str, Sequence[object]]) -> list[Column]:
    """The figures of each column, in their order."""
    return [profile_of(name, values) for name, values in columns.items()]


def profile_of(name: str, values: Sequence[object]) -> Column:
    """The figures of the column `name` with these cells; None, blank texts and NaN are not filled."""
    filled = [value for value in values if _is_filled(value)]
    texts = [str(value) for value in filled]
    count = max(len(filled), 1)
    parsed, written = _parsed(filled)
    numbers = [number is not None for number in parsed]
    survey = _surveyed(filled)
    moments = [_is_moment(value, survey.likely_form) for value in filled]
    return Column(
        name=name,
        rows=len(values),
        filled=len(filled),
        distinct=len(set(texts)),
        mean_length=sum(map(len, texts)) / count,
        worded=sum(bool(_WORDS.search(text.strip()) or WIDE.search(text)) for text in texts) / count,
        numbers=sum(numbers) / count,
        fractions=sum(number is not None and not number.is_integer() for number in parsed) / count,
        times=sum(moment and not number for moment, number in zip(moments, numbers, strict=True)) / count,
        moments=sum(moments) / count,
        nested=sum(isinstance(value, list | dict | tuple) for value in filled) / count,
        json=sum(isinstance(value, str) and _is_list(value) for value in filled) / count,
        strings=sum(isinstance(value, str) for value in filled) / count,
        singles=sum(cells.alone(value) is not value for value in filled) / count,
        time_form=survey.form,
        time_doubt=survey.doubt or _unclear(filled[:1]),
        written=written,
    )


def text_columns(columns: Mapping[str, Sequence[object]]) -> list[str]:
    """Names of the columns that read like text, the likeliest first."""
    readable = [column for column in profiles_of(columns) if column.reads_like_text]
    return [column.name for column in sorted(readable, key=lambda column: -column.mean_length)]


def _is_filled(value: object) -> bool:
    return value is not None and value == value and not (isinstance(value, str) and not value.strip())


def _is_list(text: str) -> bool:
    return cells.nested(text) is not text or is_printed_list(text)


def is_printed_list(text: str) -> bool:
    """Whether `text` has the brackets of a list, as Python prints one: ['a', 'b'] is no JSON."""
    return text.lstrip()[:1] == "[" and text.rstrip()[-1:] == "]"


def _is_number(value: object) -> bool:
    if isinstance(value, str):
        return bool(_NUMBER.match(value))
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _parsed(filled: Sequence[object]) -> tuple[list[float | None], bool]:
    """The number in each cell, None where there is none; and whether they are such as people write."""
    numbers = [float(str(value).replace("_", "")) if _is_number(value) else None for value in filled]
    if len(filled) - numbers.count(None) >= MOST_NUMBERS * len(filled):
        return numbers, False
    # The first cells tell of most columns that they hold no numbers.
    for some in (filled[:FIRST_CELLS], filled):
        survey = NumberSurvey()
        survey.add(some)
        if not survey.are_numbers:
            return numbers, False
    decimal = survey.decimal or written_numbers.COMMA
    return [_written(value, decimal) for value in filled], True


def _written(value: object, decimal: str) -> float | None:
    return written_numbers.number_written(value, decimal, written_numbers.unit_beside(value))


def _surveyed(filled: Sequence[object]) -> TimeSurvey:
    """Of times that do not tell their form: the first cells tell of most columns that they hold none."""
    survey = TimeSurvey()
    survey.add(filled[:FIRST_CELLS])
    if survey.likely_form:
        survey.add(filled[FIRST_CELLS:])
    return survey


def _unclear(values: Sequence[object]) -> str:
    for value in values:
        try:
            moment(value)
        except UnclearTimeError as error:
            return "" if isinstance(value, int | float) else str(error)
        except (ValueError, OverflowError):
            pass
    return ""


def _is_moment(value: object, form: str | None) -> bool:
    if isinstance(value, str | int | float | Decimal | date):
        with suppress(ValueError, OverflowError):
            moment(value, form)
            return True
    return False
