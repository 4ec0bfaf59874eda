"""What can't be learned from, and what looked like a time or an id in the sample and is none in the whole file."""

from pathlib import Path

from perennial.core.errors import SourceError, listing
from perennial.core.percent import percent
from perennial.init.file_census import MAX_LABELS, Census
from perennial.kinds.protocols import Kind
from perennial.kinds.recognition.column_choice import ColumnChoice, option
from perennial.settings.data import DataSpec


def check_whole_file(
    data: Path, kind: Kind, role: str, choice: ColumnChoice, census: Census, no_numbers: str = ""
) -> None:
    """Raises SourceError when there are too few rows or nothing to tell apart by the column `choice` of `role`.

    `no_numbers`: what is known of cells that should be numbers, in words.
    """
    role = "label" if choice.columns else role
    choice = choice if choice.column else choice.model_copy(update={"column": ", ".join(choice.columns)})
    labels, remedy = census.rows_per_label, f"{option(role)} COLUMN{_alternatives(choice)}"
    if len(labels) > MAX_LABELS:
        raise SourceError(
            f"Column {choice.column!r} of {data} has more than {MAX_LABELS:,} different values: too many for labels.",
            remedy=f"Name the label column with {remedy}.",
        )
    least = DataSpec.model_fields["min_rows"].default
    if census.usable < least:
        faults = [f"{count:,} rows: {fault}" for fault, count in census.faults.most_common()]
        faults += [f"{census.blank_texts:,} rows: no text"] if census.blank_texts else []
        faults += [f"{census.blank_labels:,} rows: {kind.wording.missing}"] if census.blank_labels else []
        blank = census.blank_texts + census.blank_labels
        other_columns = f" Or name other columns: {listing(f'{option(name)} COLUMN' for name in kind.roles)}." * bool(
            blank
        )
        faults_listed = (f" Faults: {listing(faults)}." if faults else "") + (f" {no_numbers}" if no_numbers else "")
        raise SourceError(
            f"{data} has {census.usable:,} rows with {kind.wording.wanted}; at least {least:,} are needed "
            f"(data.min_rows) to learn from and to judge by.{faults_listed}",
            remedy=f"Mend them, or name another column with {remedy}."
            if no_numbers
            else "Mend them." + other_columns
            if faults
            else "Label more texts; some hundreds make a useful model.",
        )
    if census.numbers:
        _check_numbers(data, choice, census.numbers, remedy)
    elif not labels:
        raise SourceError(
            f"Column {choice.column!r} of {data} names no label in any row: there is nothing to learn.",
            remedy=f"Name another column with {remedy}, or add rows with labels.",
        )
    elif len(labels) < kind.least_labels:
        raise SourceError(
            f"Column {choice.column!r} of {data} holds one value only, {next(iter(labels))[:40]!r}: there is nothing "
            "to tell apart.",
            remedy=f"Name another column with {remedy}, or add rows with other labels.",
        )


def _check_numbers(data: Path, choice: ColumnChoice, numbers: list[float], remedy: str) -> None:
    if min(numbers) == max(numbers):
        raise SourceError(
            f"Column {choice.column!r} of {data} holds one number only, {numbers[0]:g}: there is nothing to learn.",
            remedy=f"Name another column with {remedy}.",
        )


def checked_time(choice: ColumnChoice, census: Census, *, given: bool) -> ColumnChoice:
    """`choice`, or none of it with the reason. Raises SourceError when it was `given`."""
    if not choice.column or not census.bad_times:
        return choice
    where = f"in {choice.column!r} that can be read{census.bad_time}"
    problem = f"{census.bad_times:,} of {census.rows:,} rows have no time {where}"
    if given:
        raise SourceError(
            f"{problem}; expected ISO 8601, such as 2026-01-31T09:30:00Z, or seconds since 1970, in every row.",
            remedy="Mend those rows, say how all are written (--time-format), or leave the time out: --time ''.",
        )
    return ColumnChoice(column=None, reason=f"{problem}, so it is left out", alternatives=choice.alternatives)


def checked_row_id(choice: ColumnChoice, census: Census, *, given: bool) -> ColumnChoice:
    """`choice`, or none of it with the reason. Raises SourceError when it was `given`."""
    if not choice.column or not (census.missing_ids or census.repeated_ids):
        return choice
    missing = f"{census.missing_ids:,} rows have none" if census.missing_ids else ""
    repeated = f"{percent(census.repeated_ids, 1)} of the rows repeat another's" if census.repeated_ids else ""
    problem = f"{choice.column!r} is no id of each row: {' and '.join(filter(None, (missing, repeated)))}"
    if given:
        raise SourceError(
            f"{problem}.", remedy="Mend it, or leave the id out (--id ''): then rows are told apart by their content."
        )
    return ColumnChoice(column=None, reason=f"{problem}, so it is left out", alternatives=choice.alternatives)


def _alternatives(choice: ColumnChoice) -> str:
    return f" (it might be {listing(map(repr, choice.alternatives))})" if choice.alternatives else ""
