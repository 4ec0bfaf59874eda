"""What recognising a kind of task starts from and ends with: the columns seen, those a user gave, the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property

from perennial.core.record import Record
from perennial.ingest import column_profile
from perennial.ingest.column_profile import Column
from perennial.init import list_columns
from perennial.init.column_choice import ColumnChoice
from perennial.init.list_columns import Lists


@dataclass(frozen=True)
class FileSample:
    """A sample of the file: the cells of each column, and figures of them."""

    cells: Mapping[str, Sequence[object]]

    @cached_property
    def columns(self) -> list[Column]:
        """What each column looks like."""
        return column_profile.profiles_of(self.cells)

    @cached_property
    def lists(self) -> dict[str, Lists]:
        """What the lists in each column hold."""
        return list_columns.lists_of_columns(self.cells)

    def column(self, name: str) -> Column:
        """The column `name`."""
        return next(column for column in self.columns if column.name == name)


@dataclass(frozen=True)
class Given:
    """Columns by their role, as a user named them; None: to be guessed."""

    text: str | None = None
    text_pair: str | None = None
    label: str | None = None
    tokens: str | None = None
    tags: str | None = None
    spans: str | None = None

    @property
    def named(self) -> dict[str, str]:
        """The roles that have a column."""
        roles = {field.name: getattr(self, field.name) for field in fields(self)}
        return {role: name for role, name in roles.items() if name is not None}


class RecognisedKind(Record):
    """A kind of task, why it is taken for that, and the columns it reads."""

    kind: str
    reason: str
    columns: dict[str, ColumnChoice]
    """By role, as data.columns names them."""
    alternatives: tuple[str, ...] = ()
    """Kinds that would do as well."""
