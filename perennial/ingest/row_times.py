"""The times of rows: which can be used, and which are missing, unreadable or further in the future than can be."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from perennial.ingest.set_aside import FUTURE, NO_TIME, NOT_READ, is_missing
from perennial.rows.moments import moment

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class RowTimes:
    """The times of some rows."""

    times: pa.Array
    """UTC, microseconds; null: not to be used."""
    unusable: dict[str, list[int]]
    """Row numbers (from 0) by why."""


def row_times(values: Sequence[object], latest: datetime) -> RowTimes:
    """What the cells `values` tell; a time after `latest` is not to be used.

    Raises ValueError, with the row's number, if none of the times that are there can be read: then the column holds
    something else.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    times, unusable = _read(values)
    late = pc.fill_null(pc.greater(times, pa.scalar(latest, times.type)), False)
    if pc.any(late).as_py():
        unusable[FUTURE] = pc.indices_nonzero(late).to_pylist()
        times = pc.if_else(late, pa.scalar(None, times.type), times)
    return RowTimes(times, {why: rows for why, rows in unusable.items() if rows})


def _read(values: Sequence[object]) -> tuple[pa.Array, dict[str, list[int]]]:
    import pyarrow as pa
    import pyarrow.compute as pc

    stamp = pa.timestamp("us", tz="UTC")
    if set(map(type, values)) in ({str}, {str, type(None)}):
        for spelling in (pa.timestamp("us"), stamp):
            # Arrow's own parser is ten times as fast, where all rows are written plainly and all alike.
            with suppress(ValueError):
                times = pa.array(values, pa.string()).cast(spelling).cast(stamp)
                return times, {NO_TIME: pc.indices_nonzero(pc.is_null(times)).to_pylist()}
    return _one_by_one(values, stamp)


def _one_by_one(values: Sequence[object], stamp: pa.DataType) -> tuple[pa.Array, dict[str, list[int]]]:
    import pyarrow as pa

    times: list[datetime | None] = []
    unusable: dict[str, list[int]] = {NO_TIME: [], NOT_READ: []}
    for row, value in enumerate(values):
        time = None
        if is_missing(value):
            unusable[NO_TIME].append(row)
        else:
            try:
                time = moment(value)
            except (ValueError, OverflowError):
                unusable[NOT_READ].append(row)
        times.append(time)
    if unusable[NOT_READ] and not any(times):
        raise ValueError(unusable[NOT_READ][0])
    return pa.array(times, stamp), unusable
