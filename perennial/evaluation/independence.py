"""Which test rows are independent of each other: what is resampled, and what `min_n` counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perennial import kinds
from perennial.metrics.clusters import GROUP, Clusters
from perennial.rows import splits
from perennial.rows.columns import TEXT_KEY
from perennial.settings.pipeline import PipelineSpec

if TYPE_CHECKING:
    import pyarrow as pa


def columns(spec: PipelineSpec) -> tuple[str, ...]:
    """The canonical columns by which rows belong together."""
    group = spec.data.columns.group
    return (TEXT_KEY, *kinds.kind_named(spec.kind).text_columns, *(() if group is None else (group,)))


def clusters_of_rows(spec: PipelineSpec, rows: pa.Table) -> Clusters:
    """Which canonical `rows`, with the columns of `columns(spec)`, belong together.

    Rows with the same text, as splits fold it, get one answer: they are one observation. Of two texts read together
    those that share the first, and those that share the second (which may cross). Where data.columns.group is named,
    rows of the same group, and copies of one text in different groups; a row without a group is by itself.
    """
    group, texts = spec.data.columns.group, kinds.kind_named(spec.kind).text_columns
    keys = rows[TEXT_KEY].to_pylist()
    if group is not None:
        named = rows[group].to_pylist()
        # A text's key is no group's name: they are told apart by what they are.
        groups = [(GROUP, name) if name else (TEXT_KEY, key) for name, key in zip(named, keys, strict=True)]
        return Clusters.by_values({GROUP: groups, texts[0]: keys})
    if len(texts) == 1:
        return Clusters.by_values({texts[0]: keys})
    return Clusters.by_values({name: splits.normalised(rows[name].combine_chunks()) for name in texts})
