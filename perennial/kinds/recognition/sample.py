"""What recognising a kind of task starts from and ends with: a sample of a file, columns a user named, the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import cached_property

from perennial.core.record import Record
from perennial.kinds.recognition import list_columns
from perennial.kinds.recognition.column_choice import ColumnChoice
from perennial.kinds.recognition.list_columns import Lists
from perennial.rows import column_profile
from perennial.rows.column_profile import Column


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


class RowShape(StrEnum):
    """What a row looks like in a file where one kind of task is easily taken for another."""

    LABEL = "one label for a text"
    PAIR = "one label for two texts"
    NUMBER = "a number for a text"


class RecognisedColumns(Record):
    """The columns that a kind of task reads, and why a file is taken to be for it."""

    reason: str
    columns: dict[str, ColumnChoice]
    """By role, as data.columns names them; what is learned comes last."""
    also: tuple[RowShape, ...] = ()
    """What the rows may be taken for as well."""
    separator: str | None = None
    """What stands between the labels of a cell, where that must be said."""
