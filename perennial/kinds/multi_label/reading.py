"""How rows with any number of labels are read and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from perennial.kinds.base import KindBase, cascade_problems, label_problems
from perennial.kinds.gate_problems import metric_problems
from perennial.kinds.multi_label.label_cells import labels_of_cell, labels_over_columns
from perennial.kinds.protocols import Problem

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from perennial.rows.batch import Batch
    from perennial.rows.expectation import Expected
    from perennial.settings.data import ColumnsSpec, DataSpec
    from perennial.settings.pipeline import PipelineSpec

NO_LIST = "unreadable_labels"
UNKNOWN = "unknown_label"


class MultiLabelReading(KindBase):
    """How rows with any number of labels are read and checked."""

    contradicts = True
    least_labels = 1

    def column_types(self) -> dict[str, pa.DataType]:
        import pyarrow as pa

        return {"text": pa.string(), "label": pa.list_(pa.string())}

    def sources(self, columns: ColumnsSpec) -> tuple[str, ...]:
        return (columns.text, *(columns.one_hot or (columns.label,)))

    def canonical(self, batch: Batch, columns: ColumnsSpec) -> dict[str, pa.Array]:
        import pyarrow as pa

        from perennial.rows import cells

        if columns.one_hot:
            labels = labels_over_columns(batch.columns, columns.one_hot)
        else:
            values = batch.columns[columns.label]
            labels = [labels_of_cell(cells.nested(value), columns.separator) for value in values]
        return {"text": cells.text_array(batch, columns.text), "label": pa.array(labels, pa.list_(pa.string()))}

    def derived(self, rows: pa.Table, labels: Sequence[str]) -> dict[str, pa.Array]:
        import pyarrow as pa

        names = set(labels)
        unknown = [next((label for label in row or () if label not in names), None) for row in _lists(rows["label"])]
        unreadable = [None if row is not None else "unreadable" for row in _lists(rows["label"])]
        return {UNKNOWN: pa.array(unknown, pa.string()), NO_LIST: pa.array(unreadable, pa.string())}

    def spec_problems(self, spec: PipelineSpec) -> list[Problem]:
        return [*label_problems(self, spec), *metric_problems(self, spec), *cascade_problems(self, spec)]

    def expectations(self, data: DataSpec) -> tuple[Expected, ...]:
        from perennial.core.errors import listing
        from perennial.rows.expectation import built_in

        none = "expect_column_values_to_be_null"
        return (
            built_in(none, column=NO_LIST, fault="label is missing, or neither a list of labels nor text"),
            built_in(none, column=UNKNOWN, fault=f"a label is not one of: {listing(data.labels, 10)}"),
        )

    def labels_in(self, targets: pa.Array) -> pa.Array | None:
        import pyarrow.compute as pc

        return pc.list_flatten(targets)

    def label_rows(self, targets: pa.Array) -> tuple[np.ndarray, pa.Array]:
        import pyarrow.compute as pc

        return pc.list_parent_indices(targets).to_numpy(), targets.flatten()

    def respelled(self, targets: pa.Array, spelling: Mapping[str, str]) -> pa.Array:
        import pyarrow as pa

        # Two spellings in a cell are one label, and the order is that of the names.
        rows = [row and sorted({spelling.get(label, label) for label in row}) for row in targets.to_pylist()]
        return pa.array(rows, targets.type)


def _lists(column: pa.ChunkedArray) -> list[list[str] | None]:
    rows: list[list[str] | None] = column.to_pylist()
    return rows
