"""A choice of a column for a role, with its reason, and what errors say of the columns there are."""

import difflib
import itertools
from collections.abc import Sequence

from perennial.core.errors import SpecError, listing
from perennial.core.record import Record
from perennial.rows.column_profile import Column


class ColumnChoice(Record):
    """The column that was chosen for a role, and why."""

    column: str | None
    """None: the role is left empty."""
    reason: str
    alternatives: tuple[str, ...] = ()
    """Columns that would do as well, the likeliest first."""
    columns: tuple[str, ...] = ()
    """Where several columns have the role together."""

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that have the role."""
        return self.columns or ((self.column,) if self.column else ())


def column_named(columns: Sequence[Column], name: str, role: str) -> Column:
    """The column `name`, which a user gave for `role`. Raises SpecError, with the nearest name, if there is none."""
    by_name = {column.name: column for column in columns}
    if name in by_name:
        return by_name[name]
    near = difflib.get_close_matches(name, list(by_name), 1, cutoff=0.5)
    hint = f"Did you mean {near[0]!r}? " if near else ""
    raise SpecError(f"There is no column {name!r} for the {role}.", remedy=f"{hint}{columns_in_words(columns)}")


def others(ranked: Sequence[Column], *chosen: str) -> tuple[str, ...]:
    """Names of the first five of `ranked` that are not chosen."""
    return tuple(column.name for column in ranked if column.name not in chosen)[:5]


def columns_in_words(columns: Sequence[Column]) -> str:
    """A sentence that names the columns."""
    # Without a header, the first row stands in its place: no more of it than a name needs.
    described_columns = [f"{column.name[:30]} ({column.distinct:,} different values)" for column in columns]
    return f"The columns are: {listing(described_columns, 20)}."


def distinct_roles(choices: dict[str, ColumnChoice]) -> None:
    """Raises SpecError when two roles have the same column."""
    for (role, choice), (other, also) in itertools.combinations(choices.items(), 2):
        if common := set(choice.names) & set(also.names):
            raise SpecError(
                f"Column {min(common)!r} can't be both the {role} and the {other}.",
                remedy=f"Name another with {option(role)} or {option(other)}.",
            )


def option(role: str) -> str:
    """The command line's option for `role`: --text-pair for text_pair."""
    return f"--{role.replace('_', '-')}"
