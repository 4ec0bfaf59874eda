"""Slices: test rows that are judged by themselves, because an average hides them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from perennial import kinds
from perennial.core import progress
from perennial.evaluation import slice_expressions
from perennial.kinds.protocols import Problem
from perennial.metrics.near_copy_figures import NEAR_COPIES
from perennial.rows.columns import FILE, LINE, ROW_ID, SPLIT, TEXT_KEY, TIME
from perennial.settings.pipeline import PipelineSpec

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

LENGTH, LABEL, EXPRESSION = "length", "label", "expression"
MAX_VALUES = 30
"""Of a column: the commonest are slices of their own, the others are one."""
MAX_VALUE = 60
"""Characters of a value in a slice's name; values that differ only after them share a slice."""
NONE_GIVEN = "none given"
OTHERS = "all other values"
LENGTHS = ("shortest quarter", "second shortest quarter", "second longest quarter", "longest quarter")
TIMES = ("oldest quarter", "second oldest quarter", "second newest quarter", "newest quarter")


def memberships(spec: PipelineSpec, test: pa.Table) -> dict[str, np.ndarray]:
    """Which of the `test` rows are in each slice (bool), by the slice's name.

    By each column of data.columns.slices, text length, time and label a row is in exactly one slice (by label: in one
    for each label that it holds; of rows that hold none there is no recall). Names are the same in every run; a slice
    of `evaluation.slices` is there even if no row is in it. Raises SpecError for an expression that fails on some row.
    """
    columns = spec.data.columns.slices
    lengths = _lengths(spec, test)
    inside: dict[str, np.ndarray] = {}
    for column in columns:
        inside |= _by_value(column, test[column])
    inside |= _by_quarter(LENGTH, LENGTHS, lengths)
    inside |= _by_time(test[TIME])
    inside |= _by_label(spec, test)
    return inside | slice_expressions.expression_memberships(spec, test, lengths)


def slice_dimension(spec: PipelineSpec, name: str) -> str:
    """What the rows of the slice called `name` were told apart by: a column, length, time, label, near copies or
    expression."""
    if name in (one.name for one in spec.evaluation.slices):
        return EXPRESSION
    if name in _quarters(LENGTH, LENGTHS):
        return LENGTH
    columns = sorted(spec.data.columns.slices, key=len, reverse=True)
    return next(
        (one for one in (*columns, TIME, LABEL, NEAR_COPIES) if name.startswith((f"{one}=", f"{one}: "))), EXPRESSION
    )


def bounds(spec: PipelineSpec, test: pa.Table) -> dict[str, str]:
    """What the quarters of length and time hold, in words, by slice; no text."""
    lengths = {
        name: f"{low:,} to {high:,} characters"
        for name, (low, high) in _ranges(_by_quarter(LENGTH, LENGTHS, _lengths(spec, test)), _lengths(spec, test))
    }
    moments = test[TIME].cast("int64").fill_null(0).to_numpy().astype("M8[us]").astype("M8[s]")
    quarters = {name: inside for name, inside in _by_time(test[TIME]).items() if name in _quarters(TIME, TIMES)}
    return lengths | {name: f"{low}Z to {high}Z" for name, (low, high) in _ranges(quarters, moments)}


def problems(spec: PipelineSpec) -> Iterator[Problem]:
    """Slices that can't be: a column or a name that is taken, an expression that can't be evaluated."""
    yield from _taken_columns(spec)
    names: set[str] = set()
    own = tuple(
        f"{name}{mark}"
        for name in (*spec.data.columns.slices, LENGTH, TIME, LABEL, NEAR_COPIES)
        for mark in ("=", ": ")
    )
    for index, one in enumerate(spec.evaluation.slices):
        where = ("evaluation", "slices", index, "name")
        if one.name in names:
            yield where, f"{one.name!r} is there more than once; name each slice once"
        elif one.name.startswith(own):
            yield where, f"{one.name!r} begins as the slices do that are always made; give it another name"
        names.add(one.name)
    yield from slice_expressions.expression_problems(spec)


def _taken_columns(spec: PipelineSpec) -> Iterator[Problem]:
    kind, columns = kinds.kind_named(spec.kind), spec.data.columns
    own = {
        ROW_ID,
        TEXT_KEY,
        SPLIT,
        TIME,
        FILE,
        LINE,
        LABEL,
        *kind.text_columns,
        *kind.input_columns,
        kind.target_column,
    }
    named = [(("slices", index), column) for index, column in enumerate(columns.slices)]
    for where, column in (*named, (("group",), columns.group or "")):
        if column in own:
            yield (
                ("data", "columns", *where),
                f"{column!r} is what Perennial calls a column of its own; give that of the source another name",
            )


def _by_value(column: str, cells: pa.ChunkedArray) -> dict[str, np.ndarray]:
    import numpy as np
    import pyarrow as pa

    coded = cells.combine_chunks().dictionary_encode()
    shown = pa.array([_shown(value) for value in coded.dictionary.to_pylist()], pa.string())
    # Values may be shown alike, so they are counted as they are shown.
    values = pa.DictionaryArray.from_arrays(coded.indices, shown).cast(pa.string()).dictionary_encode()
    names: list[str] = values.dictionary.to_pylist()
    given = values.indices.fill_null(len(names)).to_numpy(zero_copy_only=False)
    rows = np.bincount(given, minlength=len(names) + 1)
    ranked = sorted(range(len(names)), key=lambda index: (-rows[index], names[index]))
    inside = {f"{column}={names[index]}": given == index for index in ranked[:MAX_VALUES]}
    if others := ranked[MAX_VALUES:]:
        inside[f"{column}: {OTHERS}"] = np.isin(given, others)
        progress.note(
            f"Column {column!r} has {len(names):,} values in the test rows: the commonest {MAX_VALUES} are slices of "
            f"their own, the other {len(others):,} are one."
        )
    if rows[len(names)]:
        inside[f"{column}: {NONE_GIVEN}"] = given == len(names)
    return inside


def _shown(value: str) -> str | None:
    """A value as a slice's name has it: on one line and short; None: it is blank."""
    line = " ".join(value.split())
    return (line if len(line) <= MAX_VALUE else f"{line[: MAX_VALUE - 1]}…") or None


def _by_time(times: pa.ChunkedArray) -> dict[str, np.ndarray]:
    import numpy as np

    there = times.is_valid().to_numpy()
    if not there.any():
        return {}
    moments = times.cast("int64").fill_null(0).to_numpy()
    quarters = _by_quarter(TIME, TIMES, moments[there])
    spread = {name: np.zeros(len(there), bool) for name in quarters}
    for name, inside in quarters.items():
        spread[name][there] = inside
    return spread if there.all() else spread | {f"{TIME}: {NONE_GIVEN}": ~there}


def _by_quarter(what: str, names: Sequence[str], values: np.ndarray) -> dict[str, np.ndarray]:
    """The rows with the lowest values to those with the highest, in four parts as equal as may be.

    Rows with the same value are together, in the quarter where the middle one of them is, so a quarter may have no row
    and is left out. Where all values are the same there is nothing to tell apart.
    """
    import numpy as np

    distinct, value_numbers, rows = np.unique(values, return_inverse=True, return_counts=True)
    if len(distinct) < 2:
        return {}
    middle = np.cumsum(rows) - rows / 2
    quarter = np.minimum(len(names) * middle / len(values), len(names) - 1).astype(int)[value_numbers]
    return {name: inside for index, name in enumerate(_quarters(what, names)) if (inside := quarter == index).any()}


def _quarters(what: str, names: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"{what}: {name}" for name in names)


def _ranges(quarters: Mapping[str, np.ndarray], values: np.ndarray) -> Iterator[tuple[str, tuple[Any, Any]]]:
    for name, inside in quarters.items():
        yield name, (values[inside].min(), values[inside].max())


def _by_label(spec: PipelineSpec, test: pa.Table) -> dict[str, np.ndarray]:
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = kinds.kind_named(spec.kind)
    targets = test[kind.target_column].combine_chunks()
    if kind.labels_in(targets.slice(0, 0)) is None:
        return {}
    rows, names = kind.label_rows(targets)
    numbers = pc.index_in(names, value_set=pa.array(spec.data.labels, pa.string())).fill_null(-1).to_numpy()
    members = {f"{LABEL}={label}": np.zeros(test.num_rows, bool) for label in spec.data.labels}
    for index, inside in enumerate(members.values()):
        inside[rows[numbers == index]] = True
    return members


def _lengths(spec: PipelineSpec, test: pa.Table) -> np.ndarray:
    """Characters of each row's texts."""
    import numpy as np
    import pyarrow.compute as pc

    columns = kinds.kind_named(spec.kind).text_columns
    lengths: np.ndarray = np.zeros(test.num_rows, np.int64)
    for name in columns:
        lengths += pc.fill_null(pc.utf8_length(test[name]), 0).to_numpy()
    return lengths
