"""How rows with one label each are read and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from perennial.kinds.base import KindBase, cascade_problems, label_problems
from perennial.kinds.gate_problems import metric_problems
from perennial.kinds.protocols import Problem

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from perennial.rows.batch import Batch
    from perennial.rows.expectation import Expected
    from perennial.settings.data import ColumnsSpec, DataSpec
    from perennial.settings.pipeline import PipelineSpec


class SingleLabelReading(KindBase):
    """How rows with one label each are read and checked."""

    contradicts = True
    least_labels = 2
    takes_any_text = True

    def column_types(self) -> dict[str, pa.DataType]:
        import pyarrow as pa

        return dict.fromkeys((*self.text_columns, self.target_column), pa.string())

    def canonical(self, batch: Batch, columns: ColumnsSpec) -> dict[str, pa.Array]:
        from perennial.rows import cells

        target = getattr(columns, self.target_column)
        # A list of one label is that label: some files have lists where no text has two.
        unwrapped = replace(batch, columns={**batch.columns, target: cells.each_alone(batch.columns[target])})
        texts = {name: cells.text_array(batch, getattr(columns, name)) for name in self.text_columns}
        return {**texts, self.target_column: cells.text_array(unwrapped, target)}

    def spec_problems(self, spec: PipelineSpec) -> list[Problem]:
        return [*label_problems(self, spec), *metric_problems(self, spec), *cascade_problems(self, spec)]

    def expectations(self, data: DataSpec) -> tuple[Expected, ...]:
        from perennial.rows.expectation import built_in

        return (
            built_in("expect_column_values_to_not_be_null", column=self.target_column),
            built_in("expect_column_values_to_be_in_set", column=self.target_column, value_set=list(data.labels)),
        )

    def labels_in(self, targets: pa.Array) -> pa.Array | None:
        return targets

    def label_rows(self, targets: pa.Array) -> tuple[np.ndarray, pa.Array]:
        import numpy as np

        return np.arange(len(targets)), targets

    def respelled(self, targets: pa.Array, spelling: Mapping[str, str]) -> pa.Array:
        from perennial.rows import label_spelling

        return label_spelling.respelled(targets, spelling)
