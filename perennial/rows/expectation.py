"""What is expected of rows: one expectation, and what breaks it, in words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from perennial.core.errors import listing
from perennial.settings.data import ExpectationSpec

BUILT_IN = "built in"
COLUMN_ARGUMENTS = ("column", "column_A", "column_B", "column_list")
EXISTS = "expect_column_to_exist"


_FAULTS = {
    EXISTS: "column {column} is missing",
    "expect_column_values_to_not_be_null": "{column} is missing",
    "expect_column_values_to_be_in_set": "{column} is not one of: {value_set}",
}


@dataclass(frozen=True)
class Expected:
    """One expectation, where it was asked for, and what a row that breaks it is, in words."""

    spec: ExpectationSpec
    origin: str
    fault: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it looks at; empty: the table."""
        return columns_of(self.arguments)

    @property
    def arguments(self) -> dict[str, Any]:
        """Its arguments for Great Expectations, the column among them."""
        column = {} if self.spec.column is None else {"column": self.spec.column}
        return column | self.spec.arguments


def built_in(kind: str, *, fault: str = "", severity: str = "warning", **arguments: object) -> Expected:
    """An expectation of ours: `kind` is Great Expectations' name, `fault` what breaks it, in words."""
    spec = ExpectationSpec.model_validate({"type": kind, "severity": severity, **arguments})
    return Expected(spec, BUILT_IN, fault or in_words(spec))


def columns_of(arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """The columns that an expectation with these arguments looks at; empty: the table."""
    named = [arguments.get(name) for name in COLUMN_ARGUMENTS]
    lists = [name if isinstance(name, list | tuple) else [name] for name in named if name]
    return tuple(str(column) for columns in lists for column in columns)


def in_words(spec: ExpectationSpec) -> str:
    """What a row that breaks `spec` is: plain words for the common ones, else the expectation as it was written."""
    arguments = {"column": spec.column, **spec.arguments}
    if spec.type in _FAULTS and "mostly" not in arguments:
        values = {name: listing(value, 10) if isinstance(value, list) else value for name, value in arguments.items()}
        return _FAULTS[spec.type].format_map(_Blank(values))
    arguments_listed = ", ".join(f"{name}={value!r}" for name, value in arguments.items() if value is not None)
    return f"{spec.type}({arguments_listed}) is not met"


class _Blank(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "?"
