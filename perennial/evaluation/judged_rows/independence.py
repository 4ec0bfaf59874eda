"""Which test rows are independent of each other: what is resampled, and what `min_n` counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from perennial import kinds
from perennial.metrics.clusters import GROUP, Clusters
from perennial.rows import splits
from perennial.rows.columns import TEXT_KEY
from perennial.rows.folding import folded, normalised
from perennial.settings.data import BY_TEXT, SplitsSpec
from perennial.settings.pipeline import PipelineSpec

if TYPE_CHECKING:
    import pyarrow as pa


def columns(spec: PipelineSpec) -> tuple[str, ...]:
    """The canonical columns by which rows belong together."""
    group = spec.data.columns.group
    return (TEXT_KEY, *kinds.kind_named(spec.kind).text_columns, *(() if group is None else (group,)))


def clusters_of_rows(spec: PipelineSpec, rows: pa.Table) -> Clusters:
    """Which canonical `rows`, with the columns of `columns(spec)`, belong together.

    Rows with the same text, as splits read it, get one answer: they are one observation. Of two texts read together
    those that share the first, and those that share the second (which may cross). Where data.columns.group is named,
    rows of the same group, and copies of one text in different groups; a row without a group is by itself.
    """
    group, texts = spec.data.columns.group, kinds.kind_named(spec.kind).text_columns
    as_read = normalised if spec.data.splits.by == BY_TEXT else folded
    keys = _text_keys(rows, texts, spec)
    if group is not None:
        named = rows[group].to_pylist()
        # A text's key is no group's name: they are told apart by what they are.
        groups = [(GROUP, name) if name else (TEXT_KEY, key) for name, key in zip(named, keys, strict=True)]
        return Clusters.by_values({GROUP: groups, texts[0]: keys})
    if len(texts) == 1:
        return Clusters.by_values({texts[0]: keys})
    return Clusters.by_values({name: as_read(rows[name].combine_chunks()) for name in texts})


def unit_columns(spec: PipelineSpec) -> list[str]:
    """The canonical columns that `units_of_rows` reads."""
    return [TEXT_KEY] if spec.data.splits.by == BY_TEXT else list(dict.fromkeys(columns(spec)))


def units_of_rows(spec: PipelineSpec, rows: pa.Table) -> list[str]:
    """What decides the split of each of these `rows`, hashed: rows with the same one are one unit, which came to the
    test rows together. `rows`: with the columns of `unit_columns`."""
    if spec.data.splits.by == BY_TEXT:
        return list(rows[TEXT_KEY].to_pylist())
    texts, group = kinds.kind_named(spec.kind).text_columns, spec.data.columns.group
    groups = None if group is None else rows[group].combine_chunks()
    return splits.split_keys([rows[name].combine_chunks() for name in texts], groups, spec.data.splits)


def _text_keys(rows: pa.Table, texts: Sequence[str], spec: PipelineSpec) -> list[str]:
    if spec.data.splits.by == BY_TEXT:
        return list(rows[TEXT_KEY].to_pylist())
    by_text = SplitsSpec(by="folded_text")
    return splits.split_keys([rows[name].combine_chunks() for name in texts], None, by_text)
