"""What is expected of each part: the built-in expectations, the kind's and the pipeline's own, in one list."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from perennial import kinds
from perennial.data.columns import ROW_ID, TIME
from perennial.errors import SpecError, listing
from perennial.spec import ExpectationSpec, PipelineSpec

BUILT_IN = "built in"
COLUMN_ARGUMENTS = ("column", "column_A", "column_B", "column_list")
EXISTS = "expect_column_to_exist"

NOT_BLANK = "[^" + "".join(filter(str.isspace, map(chr, range(0x3001)))) + "]"
r"""Python's \S, spelled so that Arrow reads it as Python does."""

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


def of_rows(spec: PipelineSpec) -> tuple[Expected, ...]:
    """All that is expected of every part of this pipeline. Raises SpecError for a column that is not there."""
    kind = kinds.get(spec.kind)
    needed = (ROW_ID, *_flat_columns(spec), *spec.data.columns.slices)
    own = tuple(
        Expected(asked, f"data.expectations[{place}]", in_words(asked))
        for place, asked in enumerate(spec.data.expectations)
    )
    _refuse_unknown_columns(spec, own)
    return (
        *(built_in(EXISTS, column=column, severity="critical") for column in needed),
        *(expected for column in kind.text_columns for expected in _of_text(column, spec.data.max_text_length)),
        *kind.expectations(spec.data),
        *own,
    )


def checkable_columns(spec: PipelineSpec) -> tuple[str, ...]:
    """The canonical columns that an expectation can name."""
    return (ROW_ID, *_flat_columns(spec), TIME, *spec.data.columns.slices)


def _flat_columns(spec: PipelineSpec) -> tuple[str, ...]:
    """The kind's columns less those that hold lists: no expectation of Great Expectations' looks into one."""
    import pyarrow as pa

    types = kinds.get(spec.kind).column_types()
    return tuple(name for name, kind in types.items() if not pa.types.is_nested(kind))


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
    told = ", ".join(f"{name}={value!r}" for name, value in arguments.items() if value is not None)
    return f"{spec.type}({told}) is not met"


class _Blank(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "?"


def _of_text(column: str, longest: int) -> tuple[Expected, ...]:
    return (
        built_in("expect_column_values_to_not_be_null", column=column),
        built_in("expect_column_values_to_match_regex", column=column, regex=NOT_BLANK, fault=f"{column} is blank"),
        built_in(
            "expect_column_values_to_not_match_regex",
            column=column,
            regex=r"\x00",
            fault=f"{column} holds a NUL character",
        ),
        built_in(
            "expect_column_value_lengths_to_be_between",
            column=column,
            max_value=longest,
            fault=f"{column} is longer than {longest:,} characters (data.max_text_length)",
        ),
    )


def _refuse_unknown_columns(spec: PipelineSpec, own: tuple[Expected, ...]) -> None:
    known = checkable_columns(spec)
    wrong = [
        f"{expected.origin} ({expected.spec.type}) names the column {column!r}"
        for expected in own
        for column in expected.columns
        if column not in known
    ]
    if wrong:
        raise SpecError(
            f"{listing(wrong)}; expectations see the columns {', '.join(known)}.",
            remedy="Use one of those names (not the source's own), or list the column in data.columns.slices.",
        )
