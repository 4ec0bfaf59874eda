"""How numbers and times are written in a whole file, so that pipeline.yaml says it and a later file is read alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from perennial.core.errors import SourceError, SpecError
from perennial.init.data_file import DataFile
from perennial.kinds.protocols import Kind
from perennial.kinds.recognition.column_choice import ColumnChoice
from perennial.kinds.recognition.sample import FileSample
from perennial.rows.time_survey import TimeSurvey
from perennial.rows.written_numbers import COMMA, POINT, NumberSurvey
from perennial.settings.data import ColumnsSpec, TimeFormat


@dataclass(frozen=True)
class WrittenForms:
    """What data.columns is to say of how values are written; None: nothing has to be said."""

    time: ColumnChoice
    """The column of times, or none with the reason why it can't be read."""
    time_format: str | None = None
    decimal: str | None = None
    unit: str | None = None
    no_numbers: str = ""
    """How many of the cells that should be numbers are none, with an example, in words; empty: few."""

    def settings_for(self, time: ColumnChoice) -> dict[str, str]:
        """As data.columns has it, where `time` is the column of times."""
        given = {"time_format": self.time_format if time.column else None, "decimal": self.decimal, "unit": self.unit}
        return {name: value for name, value in given.items() if value is not None}


def written_forms(
    data: DataFile,
    kind: Kind,
    sample: FileSample,
    columns: ColumnsSpec,
    time: ColumnChoice,
    *,
    time_given: bool,
    time_format: str | None,
    decimal: str | None,
) -> WrittenForms:
    """How the whole file's numbers and times are written, if its kind and `columns` have any; a form that is given is
    taken.

    Raises SourceError where numbers can't be read in one way, and for such times if a user named the column.
    """
    _check_given(kind, time, time_format, decimal)
    number = columns.label if _learns_numbers(kind) else None
    numbers, times = NumberSurvey(), TimeSurvey()
    column = sample.column(time.column) if time.column else None
    timed = time.column if column and time_format is None and (column.time_form or column.time_doubt) else None
    wanted = tuple(name for name in dict.fromkeys((number, timed)) if name)
    for batch in data.rows_of(kind, columns, wanted) if wanted else ():
        if number:
            numbers.add(batch.columns[number])
        if timed:
            times.add(batch.columns[timed])
    if number and decimal is None:
        _check_numbers(data, number, numbers)
    return WrittenForms(
        time=_checked_time(data, time, times, given=time_given),
        time_format=time_format if time.column and time_format else None if times.doubt else times.form,
        decimal=decimal if number and decimal else numbers.decimal,
        unit=numbers.unit_read(decimal) if number else None,
        no_numbers="" if numbers.are_numbers or not numbers.doubt else f"In column {number!r}, {numbers.doubt}.",
    )


def _check_given(kind: Kind, time: ColumnChoice, time_format: str | None, decimal: str | None) -> None:
    if time_format is not None and time_format not in get_args(TimeFormat):
        raise SpecError(
            f"{time_format!r} is no form of times.", remedy=f"There are: {', '.join(get_args(TimeFormat))}."
        )
    if time_format is not None and time.column is None:
        raise SpecError("--time-format says how times are written, and there is no time.", remedy="Add --time COLUMN.")
    if decimal not in (None, POINT, COMMA):
        raise SpecError(f"{decimal!r} is no decimal mark.", remedy=f"Give --decimal '{POINT}' or --decimal '{COMMA}'.")
    if decimal is not None and not _learns_numbers(kind):
        raise SpecError(
            f"--decimal is for numbers that are learned, and {kind.name} learns none.", remedy="Leave it out."
        )


def _learns_numbers(kind: Kind) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_floating(kind.column_types()[kind.target_column]))


def _check_numbers(data: DataFile, column: str, numbers: NumberSurvey) -> None:
    # That few of them are numbers is for the count of rows to say.
    if numbers.doubt and numbers.are_numbers:
        raise SourceError(
            f"Column {column!r} of {data.path} can't be read as numbers: {numbers.doubt}.",
            remedy="Write them alike, with a decimal point and nothing between thousands; or, if they are alike, say "
            f"what their decimal mark is: --decimal '{POINT}' (1,234 is 1234) or --decimal '{COMMA}' (1,234 is 1.234).",
        )


def _checked_time(data: DataFile, choice: ColumnChoice, times: TimeSurvey, *, given: bool) -> ColumnChoice:
    if not times.doubt:
        form = f" (time_format: {times.form})" if times.form else ""
        return choice.model_copy(update={"reason": f"{choice.reason}{form}"})
    problem = f"{choice.column!r} looks like a time, but {times.doubt}"
    if given:
        raise SourceError(f"In {data.path}, {problem}.", remedy="Or leave the time out: --time ''.")
    return ColumnChoice(column=None, reason=problem, alternatives=choice.alternatives)
