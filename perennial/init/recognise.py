"""Which kind of task a file is for, and which columns it reads: from the data, or as a user says."""

import difflib

from perennial import kinds
from perennial.core.errors import SpecError
from perennial.core.record import Record
from perennial.kinds.recognition.column_choice import ColumnChoice, distinct_roles, option
from perennial.kinds.recognition.sample import FileSample, Given, RecognisedColumns


class RecognisedKind(Record):
    """A kind of task, why it is taken for that, and the columns it reads."""

    kind: str
    reason: str
    columns: dict[str, ColumnChoice]
    """By role, as data.columns names them."""
    alternatives: tuple[str, ...] = ()
    """Kinds that would do as well."""
    separator: str | None = None
    """As `RecognisedColumns.separator`."""


def recognise(sample: FileSample, given: Given, kind: str | None) -> RecognisedKind:
    """The kind of task (`kind`, if it is given) and its columns, each with the reason.

    Raises SpecError when columns or options don't fit the kind, and when no kind fits the columns.
    """
    distinct_roles({role: ColumnChoice(column=name, reason="") for role, name in given.named.items()})
    asked, why = _asked(given, kind)
    name, recognised = _find(sample, given, asked)
    alternatives = [other for shape in recognised.also for other in kinds.names_of_shape(shape)]
    distinct_roles(recognised.columns)
    return RecognisedKind(
        kind=name,
        reason=why or recognised.reason,
        columns=recognised.columns,
        separator=recognised.separator,
        alternatives=() if why else tuple(alternatives),
    )


def _asked(given: Given, kind: str | None) -> tuple[str | None, str]:
    """The kind that is asked for, by name or by a role that only it has, and how."""
    if kind is not None and kind not in kinds.names():
        near = difflib.get_close_matches(kind, kinds.names(), 1)
        hint = f"Did you mean {near[0]!r}? " if near else ""
        raise SpecError(f"There is no kind {kind!r}.", remedy=f"{hint}There are: {', '.join(kinds.names())}.")
    roles = {name: kinds.kind_named(name).roles for name in kinds.names()}
    possible = [name for name in ([kind] if kind else roles) if set(given.named) <= set(roles[name])]
    options = " and ".join(option(role) for role in given.named)
    if not possible:
        what = f"--kind {kind}" if kind else "any kind"
        raise SpecError(
            f"{options} {'do' if len(given.named) > 1 else 'does'} not go with {what}.",
            remedy="; ".join(f"{name}: {', '.join(map(option, read))}" for name, read in roles.items()) + ".",
        )
    conflicts = [kinds.kind_named(name).conflict_of_roles(list(given.named)) for name in possible]
    if (problem := conflicts[0]) and all(conflicts):
        raise SpecError(problem, remedy="Leave some of them out.")
    if kind:
        return kind, "you named it"
    return (possible[0], f"you named {options}") if len(possible) == 1 else (None, "")


def _find(sample: FileSample, given: Given, asked: str | None) -> tuple[str, RecognisedColumns]:
    if asked:
        return asked, _forced(sample, given, asked)
    *telling, last = sorted(kinds.names(), key=lambda name: kinds.kind_named(name).recognised_after)
    for name in telling:
        if recognised := kinds.kind_named(name).recognise(sample, given, forced=False):
            return name, recognised
    try:
        return last, _forced(sample, given, last)
    except SpecError as error:
        oddities = [] if given.named else [kinds.kind_named(name).oddity(sample) for name in (*telling, last)]
        if not any(oddities):
            raise
        odd = next(filter(None, oddities))
        raise SpecError(odd, remedy=f"Write the column so, or name others. {error.problem}") from error


def _forced(sample: FileSample, given: Given, name: str) -> RecognisedColumns:
    recognised = kinds.kind_named(name).recognise(sample, given, forced=True)
    if recognised is None:
        raise SpecError(f"The columns don't fit --kind {name}.", remedy="Name them, or leave --kind out.")
    return recognised
