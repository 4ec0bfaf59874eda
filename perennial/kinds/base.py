"""What kinds of task share: an abstract base of defaults, and what is wrong with a pipeline of any kind."""

from __future__ import annotations

import difflib
from abc import ABC
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from perennial.core.errors import listing
from perennial.inference import decoders
from perennial.inference.decoders.base import Input
from perennial.kinds import registry
from perennial.kinds.protocols import Kind, Problem
from perennial.metrics.prediction import Prediction

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from perennial.inference.spans import Span
    from perennial.kinds.floors import CountedRows
    from perennial.kinds.recognition.sample import FileSample, RowShape
    from perennial.rows.text_edits import Edit
    from perennial.settings.data import ColumnsSpec
    from perennial.settings.pipeline import PipelineSpec


class KindBase(Kind, ABC):
    """A kind of task of one text a row, without labels, scores or anything else that not every kind has.

    What a kind has, it says; what is left abstract here, it must say.
    """

    text_columns: tuple[str, ...] = ("text",)
    input_columns: tuple[str, ...] = ("text",)
    target_column = "label"
    least_labels = 0
    takes_any_text = False
    fault_column: str | None = None
    cascades = False
    reads_whole = False
    expected_forms: tuple[str, ...] = ()
    degree_of: Literal["label", "number"] | None = None
    label_metrics: tuple[str, ...] = ()
    lower_is_better: frozenset[str] = frozenset()
    not_resampled: frozenset[str] = frozenset()
    doubts_need_details = False
    roles: tuple[str, ...] = ("text", "label")
    shape: RowShape | None = None
    asks: Literal["label", "labels", "number", "spans"] | None = None

    def sources(self, columns: ColumnsSpec) -> tuple[str, ...]:
        return tuple(getattr(columns, name) for name in (*self.text_columns, self.target_column))

    def derived(self, rows: pa.Table, labels: Sequence[str]) -> dict[str, pa.Array]:
        return {}

    def labels_in(self, targets: pa.Array) -> pa.Array | None:
        return None

    def label_rows(self, targets: pa.Array) -> tuple[np.ndarray, pa.Array]:
        import numpy as np
        import pyarrow as pa

        return np.empty(0, np.int64), pa.array([], pa.string())

    def respelled(self, targets: pa.Array, spelling: Mapping[str, str]) -> pa.Array:
        return targets

    def labels_answered(self, prediction: Prediction) -> list[str]:
        return []

    def labels_learned(self, targets: np.ndarray, labels: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        import numpy as np

        return np.empty(0, np.int64), np.empty(0, np.int64)

    def inputs(self, rows: pa.Table) -> list[Input]:
        columns = {name: rows[name].to_pylist() for name in self.input_columns}
        return decoders.decoder_named(self.name).inputs(columns)

    def without_text(self, prediction: Prediction) -> Prediction:
        return prediction

    def sureness(self, prediction: Prediction) -> float:
        return 0.0

    def unmarked(self, texts: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[Span, ...]]:
        return texts, ()

    def degree(self, prediction: Prediction, label: str | None) -> float:
        raise TypeError(f"{self.name} answers nothing that has a degree")

    def moved(self, prediction: Prediction, edits: Sequence[Edit]) -> Prediction:
        return prediction

    def scored(self, targets: Sequence[Any], predictions: Sequence[Prediction]) -> tuple[list[float], list[bool]]:
        return [], []

    def shared(
        self, targets: Sequence[Any], predictions: Sequence[Prediction], labels: Sequence[str]
    ) -> tuple[list[Any], list[Prediction]]:
        return list(targets), list(predictions)

    def beside_text(self, words: str, texts: Sequence[str]) -> str:
        return words

    def misfit(self, words: str, text: str | None) -> str | None:
        return None

    def conflict_of_roles(self, roles_named: Sequence[str]) -> str | None:
        return None

    def oddity(self, sample: FileSample) -> str | None:
        return None

    def majority(self, counted: CountedRows) -> float | None:
        return None

    def cautions(self, counted: CountedRows) -> Iterator[str]:
        return iter(())


def label_problems(kind: Kind, spec: PipelineSpec) -> Iterator[Problem]:
    """Fewer labels than the kind can learn from, and columns for several where it reads one."""
    yield from column_problems(kind, spec)
    if len(spec.data.labels) < kind.least_labels:
        needed = {1: "a label or more", 2: "two labels or more"}[kind.least_labels]
        yield ("data", "labels"), f"{kind.name} needs {needed}; list them all"


def column_problems(kind: Kind, spec: PipelineSpec) -> Iterator[Problem]:
    """Columns that are each a label, for a kind that reads one column of what is learned."""
    columns = spec.data.columns
    if columns.one_hot and not _reads_one_hot(kind.name, columns):
        several = [name for name in registry.names() if _reads_one_hot(name, columns)]
        what = f"{kind.name} reads one column of what is learned; {listing(several)} reads these: leave them out"
        yield ("data", "columns", "one_hot"), what


def _reads_one_hot(name: str, columns: ColumnsSpec) -> bool:
    return set(columns.one_hot) <= set(registry.kind_named(name).sources(columns))


def cascade_problems(kind: Kind, spec: PipelineSpec) -> Iterator[Problem]:
    """A cascade of a kind that has none."""
    if spec.export.cascade is not None and not kind.cascades:
        others = [name for name in registry.names() if registry.kind_named(name).cascades]
        text = (
            f"{kind.name} has no cascade, only {listing(others)} {'has' if len(others) == 1 else 'have'}: leave it out"
        )
        yield ("export", "cascade"), text


def known_label(words: str, labels: Sequence[str]) -> str:
    """The one of `labels` that `words` name; a spreadsheet may have written true as TRUE and 1 as 1.0, which is told
    apart where both are labels. Raises ValueError that names the nearest."""
    from perennial.rows import label_spelling

    name = words if words in labels else label_spelling.spellings([words], labels, fold=True).get(words)
    if name is None:
        near = difflib.get_close_matches(words, labels, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"{words[:60]!r} is not one of: {listing(labels, 10)}{hint}")
    return name
