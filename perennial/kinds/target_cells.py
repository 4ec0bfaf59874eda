"""Where a row says which labels or spans it has, of a kind in which it may have none."""

from __future__ import annotations

from dataclasses import dataclass

from perennial.kinds.protocols import ReadsRows
from perennial.settings.data import ColumnsSpec


@dataclass(frozen=True)
class TargetCells:
    """The cells of a row that say it."""

    columns: tuple[str, ...]
    """The source's; none for a kind of which each row has a label, and where tags say it of each token."""
    none: object
    """What each of their cells holds where there is no label or span."""


def target_cells(kind: ReadsRows, columns: ColumnsSpec) -> TargetCells:
    """Those of this kind."""
    import pyarrow as pa

    if not pa.types.is_list(kind.column_types()[kind.target_column]):
        return TargetCells((), None)
    if columns.one_hot:
        return TargetCells(columns.one_hot, 0)
    named = str(getattr(columns, kind.target_column, None))
    return TargetCells((named,) if named in kind.sources(columns) else (), [])
