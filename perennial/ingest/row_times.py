"""The times of rows: which can be used, and which are missing, unreadable or further in the future than can be."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from perennial.ingest.set_aside import FUTURE, NO_TIME, NOT_READ
from perennial.rows import cells, moments
from perennial.rows.written_times import UnclearTimeError

if TYPE_CHECKING:
    import pyarrow as pa


class NoTimesError(ValueError):
    """None of the times that are there can be read: the column holds something else, or is written in another form."""

    def __init__(self, row: int, why: str) -> None:
        super().__init__(row, why)
        self.row = row
        """Of the first of them, from 0."""
        self.why = why
        """What is known of why, to end a sentence with; empty: nothing."""


@dataclass(frozen=True)
class RowTimes:
    """The times of some rows."""

    times: pa.Array
    """UTC, microseconds; null: not to be used."""
    unusable: dict[str, list[int]]
    """Row numbers (from 0) by why."""


def row_times(values: Sequence[object], latest: datetime, form: str | None = None) -> RowTimes:
    """What the cells `values` tell, written as `form` (`data.columns.time_format`) says; a time after `latest` is not
    to be used. Raises NoTimesError.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    times, unusable = _read(values, form)
    late = pc.fill_null(pc.greater(times, pa.scalar(latest, times.type)), False)
    if pc.any(late).as_py():
        unusable[FUTURE] = pc.indices_nonzero(late).to_pylist()
        times = pc.if_else(late, pa.scalar(None, times.type), times)
    return RowTimes(times, {why: rows for why, rows in unusable.items() if rows})


def _read(values: Sequence[object], form: str | None) -> tuple[pa.Array, dict[str, list[int]]]:
    import pyarrow as pa
    import pyarrow.compute as pc

    stamp = pa.timestamp("us", tz="UTC")
    if set(map(type, values)) in ({str}, {str, type(None)}):
        for spelling in (pa.timestamp("us"), stamp):
            # Arrow's own parser is ten times as fast, where all rows are written plainly and all alike.
            with suppress(ValueError):
                times = pa.array(values, pa.string()).cast(spelling).cast(stamp)
                return times, {NO_TIME: pc.indices_nonzero(pc.is_null(times)).to_pylist()}
    counted = moments.counted_micros(values, form)
    if counted is not None:
        return counted.cast(stamp), {}
    return _one_by_one(values, form, stamp)


def _one_by_one(
    values: Sequence[object], form: str | None, stamp: pa.DataType
) -> tuple[pa.Array, dict[str, list[int]]]:
    import pyarrow as pa

    times: list[datetime | None] = []
    unusable: dict[str, list[int]] = {NO_TIME: [], NOT_READ: []}
    why = ""
    for row, value in enumerate(values):
        time = None
        if cells.is_missing(value):
            unusable[NO_TIME].append(row)
        else:
            try:
                time = moments.moment(value, form)
            except (ValueError, OverflowError) as error:
                unusable[NOT_READ].append(row)
                why = why or (f". This one: {error}" if isinstance(error, UnclearTimeError) else "")
        times.append(time)
    if unusable[NOT_READ] and not any(times):
        raise NoTimesError(unusable[NOT_READ][0], why)
    return pa.array(times, stamp), unusable
