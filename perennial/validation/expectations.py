"""What is expected of each part: the built-in expectations, the kind's and the pipeline's own, in one list."""

from perennial import kinds
from perennial.core.errors import SpecError, listing
from perennial.rows.columns import ROW_ID, TIME
from perennial.rows.expectation import EXISTS, Expected, built_in, in_words
from perennial.settings.pipeline import PipelineSpec

NOT_BLANK = "[^" + "".join(filter(str.isspace, map(chr, range(0x3001)))) + "]"
r"""Python's \S, spelled so that Arrow reads it as Python does."""


def row_expectations(spec: PipelineSpec) -> tuple[Expected, ...]:
    """All that is expected of every part of this pipeline. Raises SpecError for a column that is not there."""
    kind = kinds.kind_named(spec.kind)
    needed = (ROW_ID, *_flat_columns(spec), *spec.data.columns.kept)
    own = tuple(
        Expected(asked, f"data.expectations[{index}]", in_words(asked))
        for index, asked in enumerate(spec.data.expectations)
    )
    _refuse_unknown_columns(spec, own)
    return (
        *(built_in(EXISTS, column=column, severity="critical") for column in needed),
        *(
            expected
            for column in kind.text_columns
            for expected in _text_expectations(column, spec.data.max_text_length)
        ),
        *kind.expectations(spec.data),
        *own,
    )


def checkable_columns(spec: PipelineSpec) -> tuple[str, ...]:
    """The canonical columns that an expectation can name."""
    return (ROW_ID, *_flat_columns(spec), TIME, *spec.data.columns.kept)


def _flat_columns(spec: PipelineSpec) -> tuple[str, ...]:
    """The kind's columns less those that hold lists: no expectation of Great Expectations' looks into one."""
    import pyarrow as pa

    types = kinds.kind_named(spec.kind).column_types()
    return tuple(name for name, kind in types.items() if not pa.types.is_nested(kind))


def _text_expectations(column: str, longest: int) -> tuple[Expected, ...]:
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
    columns = checkable_columns(spec)
    wrong = [
        f"{expected.origin} ({expected.spec.type}) names the column {column!r}"
        for expected in own
        for column in expected.columns
        if column not in columns
    ]
    if wrong:
        raise SpecError(
            f"{listing(wrong)}; expectations see the columns {', '.join(columns)}.",
            remedy="Use one of those names (not the source's own), or list the column in data.columns.slices.",
        )
