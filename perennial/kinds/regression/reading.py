"""How rows with a number are read and checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from perennial.core import progress
from perennial.kinds.base import KindBase, cascade_problems, column_problems
from perennial.kinds.gate_problems import metric_problems
from perennial.kinds.protocols import Problem

if TYPE_CHECKING:
    import pyarrow as pa

    from perennial.rows.batch import Batch
    from perennial.rows.expectation import Expected
    from perennial.settings.data import ColumnsSpec, DataSpec
    from perennial.settings.pipeline import PipelineSpec


MANY = 0.2
"""Share of the cells without a number from which the way they are written is the likeliest reason."""


class NumberReading(KindBase):
    """How rows with a number are read and checked."""

    # Two people who give the same text 3 and 4 stars do not contradict each other; the mean is what is learned.
    contradicts = False

    def column_types(self) -> dict[str, pa.DataType]:
        import pyarrow as pa

        return {"text": pa.string(), "label": pa.float64()}

    def canonical(self, batch: Batch, columns: ColumnsSpec) -> dict[str, pa.Array]:
        import pyarrow as pa

        from perennial.rows import cells, written_numbers

        values = batch.columns[columns.label]
        if columns.decimal is None:
            numbers = [cells.number(value) for value in values]
        else:
            numbers = [written_numbers.number_written(value, columns.decimal, columns.unit) for value in values]
        _tell_of_others(batch, columns.label, values, numbers)
        return {"text": cells.text_array(batch, columns.text), "label": pa.array(numbers, pa.float64())}

    def spec_problems(self, spec: PipelineSpec) -> list[Problem]:
        problems = [*column_problems(self, spec), *metric_problems(self, spec), *cascade_problems(self, spec)]
        if spec.data.labels:
            problems.append((("data", "labels"), "regression has no labels, it answers a number; leave them out"))
        return problems

    def expectations(self, data: DataSpec) -> tuple[Expected, ...]:
        from perennial.rows.expectation import built_in

        return (built_in("expect_column_values_to_not_be_null", column="label", fault="label holds no number"),)


def _tell_of_others(batch: Batch, column: str, values: Sequence[object], numbers: Sequence[float | None]) -> None:
    """Say of a column of which few cells are numbers how they are written: each row is set aside later, without it."""
    if numbers.count(None) < MANY * len(values):
        return
    filled = [(value, number) for value, number in zip(values, numbers, strict=True) if value not in (None, "")]
    others = [value for value, number in filled if number is None]
    if others and len(others) >= MANY * len(filled):
        progress.note(
            f"{batch.file}: {len(others):,} of {len(filled):,} cells of {column!r} are no numbers, such as "
            f"{str(others[0])[:20]!r}. Write a decimal point and nothing else beside digits, or say in data.columns "
            "how numbers are written: decimal (a decimal comma) and unit (a currency, %)."
        )
