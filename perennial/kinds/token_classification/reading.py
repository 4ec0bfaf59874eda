"""How rows with spans are read and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from perennial.core import progress
from perennial.kinds.base import KindBase, cascade_problems, label_problems
from perennial.kinds.gate_problems import metric_problems
from perennial.kinds.protocols import Problem
from perennial.kinds.token_classification.span_rows import (
    FAULT,
    FAULTS,
    row_from_spans,
    row_from_tokens,
    split_cell,
)

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from perennial.rows.batch import Batch
    from perennial.rows.expectation import Expected
    from perennial.settings.data import ColumnsSpec, DataSpec
    from perennial.settings.pipeline import PipelineSpec

UNKNOWN = "unknown_label"


class SpanReading(KindBase):
    """How rows with spans are read and checked."""

    contradicts = True
    input_columns = ("tokens", "text")
    target_column = "spans"
    least_labels = 1
    fault_column = FAULT

    def column_types(self) -> dict[str, pa.DataType]:
        import pyarrow as pa

        span = pa.struct([("start", pa.int32()), ("end", pa.int32()), ("label", pa.string())])
        return {"text": pa.string(), "tokens": pa.list_(pa.string()), "spans": pa.list_(span), FAULT: pa.string()}

    def sources(self, columns: ColumnsSpec) -> tuple[str, ...]:
        return (columns.tokens, columns.tags) if columns.tokens else (columns.text, columns.spans)

    def canonical(self, batch: Batch, columns: ColumnsSpec) -> dict[str, pa.Array]:
        import pyarrow as pa

        from perennial.rows import cells

        texts: Sequence[str | None]
        if columns.tokens:
            pairs = zip(batch.columns[columns.tokens], batch.columns[columns.tags], strict=True)
            schemes: set[str] = set()
            rows = [
                row_from_tokens(split_cell(cells.nested(tokens)), split_cell(cells.nested(tags)), schemes)
                for tokens, tags in pairs
            ]
            for scheme in sorted(schemes):
                progress.note(f"Tags in {scheme} were read as spans; Perennial itself writes BIO2.")
        else:
            texts = cells.texts(batch, columns.text)
            given = (cells.nested(value) for value in batch.columns[columns.spans])
            rows = [row_from_spans(text, value) for text, value in zip(texts, given, strict=True)]
        by_column = zip(*rows, strict=True) if rows else ((), (), (), ())
        types = self.column_types()
        return {name: pa.array(values, types[name]) for name, values in zip(types, map(list, by_column), strict=True)}

    def derived(self, rows: pa.Table, labels: Sequence[str]) -> dict[str, pa.Array]:
        import pyarrow as pa

        names = set(labels)
        unknown = [
            next((span["label"] for span in row or () if span["label"] not in names), None)
            for row in rows["spans"].to_pylist()
        ]
        return {UNKNOWN: pa.array(unknown, pa.string())}

    def spec_problems(self, spec: PipelineSpec) -> list[Problem]:
        problems = [*label_problems(self, spec), *metric_problems(self, spec), *cascade_problems(self, spec)]
        if spec.model.pooling != "auto":
            what = f"{spec.model.pooling!r} makes one vector of a text; {self.name} answers each word: leave it out"
            problems.append((("model", "pooling"), what))
        return problems

    def expectations(self, data: DataSpec) -> tuple[Expected, ...]:
        from perennial.core.errors import listing
        from perennial.rows.expectation import built_in

        unlike = "expect_column_values_to_not_be_in_set"
        return (
            *(built_in(unlike, column=FAULT, value_set=[fault], fault=fault) for fault in FAULTS),
            built_in(
                "expect_column_values_to_be_null",
                column=UNKNOWN,
                fault=f"a span's label is not one of: {listing(data.labels, 10)}",
            ),
        )

    def labels_in(self, targets: pa.Array) -> pa.Array | None:
        import pyarrow as pa

        rows = targets.to_pylist()
        return pa.array([label for row in rows for label in {span["label"] for span in row or ()}], pa.string())

    def label_rows(self, targets: pa.Array) -> tuple[np.ndarray, pa.Array]:
        import pyarrow.compute as pc

        return pc.list_parent_indices(targets).to_numpy(), targets.flatten().field("label")

    def respelled(self, targets: pa.Array, spelling: Mapping[str, str]) -> pa.Array:
        import pyarrow as pa

        rows = [row and [_respelled(span, spelling) for span in row] for row in targets.to_pylist()]
        return pa.array(rows, targets.type)


def _respelled(span: Mapping[str, Any], spelling: Mapping[str, str]) -> dict[str, Any]:
    return {**span, "label": spelling.get(span["label"], span["label"])}
