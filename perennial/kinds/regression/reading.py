"""How rows with a number are read and checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perennial.kinds.base import KindBase, cascade_problems, column_problems
from perennial.kinds.gate_problems import metric_problems
from perennial.kinds.protocols import Problem

if TYPE_CHECKING:
    import pyarrow as pa

    from perennial.rows.batch import Batch
    from perennial.rows.expectation import Expected
    from perennial.settings.data import ColumnsSpec, DataSpec
    from perennial.settings.pipeline import PipelineSpec


class NumberReading(KindBase):
    """How rows with a number are read and checked."""

    # Two people who give the same text 3 and 4 stars do not contradict each other; the mean is what is learned.
    contradicts = False

    def column_types(self) -> dict[str, pa.DataType]:
        import pyarrow as pa

        return {"text": pa.string(), "label": pa.float64()}

    def canonical(self, batch: Batch, columns: ColumnsSpec) -> dict[str, pa.Array]:
        import pyarrow as pa

        from perennial.rows import cells

        numbers = [cells.number(value) for value in batch.columns[columns.label]]
        return {"text": cells.text_array(batch, columns.text), "label": pa.array(numbers, pa.float64())}

    def spec_problems(self, spec: PipelineSpec) -> list[Problem]:
        problems = [*column_problems(self, spec), *metric_problems(self, spec), *cascade_problems(self, spec)]
        if spec.data.labels:
            problems.append((("data", "labels"), "regression has no labels, it answers a number; leave them out"))
        return problems

    def expectations(self, data: DataSpec) -> tuple[Expected, ...]:
        from perennial.rows.expectation import built_in

        return (built_in("expect_column_values_to_not_be_null", column="label", fault="label holds no number"),)
