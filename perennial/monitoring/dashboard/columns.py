"""Stored texts as arrays: when, of what sort, and which values of a column each has."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from perennial.monitoring.trends.series import Key
from perennial.settings.monitor.trends import TrendsSpec

if TYPE_CHECKING:
    import pyarrow as pa

OTHER, POSITIVE, NEGATIVE = 0, 1, 2
FIRST = "first"
_LISTS = ("topic", "entities")
_OWN = ("source",)


@dataclass(frozen=True)
class TextColumns:
    """What is counted of `n` texts; each array is (n,)."""

    table: pa.Table
    """In one chunk."""
    seconds: np.ndarray
    """When each was published, since 1970."""
    sort: np.ndarray
    """OTHER, POSITIVE or NEGATIVE, by `trends.positive` and `trends.negative`."""
    watched: np.ndarray
    """Whether it has the label that alarms watch."""
    first: np.ndarray
    """Whether it is the first telling of its story."""

    def until(self, moment: datetime) -> TextColumns:
        """Those that were published by `moment` (aware)."""
        keep = self.seconds <= moment.timestamp()
        if keep.all():
            return self
        parts = (self.seconds, self.sort, self.watched, self.first)
        return TextColumns(self.table.filter(keep).combine_chunks(), *(part[keep] for part in parts))

    def has(self, key: Key) -> np.ndarray:
        """Whether each text is in the series of `key`; (n,) bool."""
        inside = np.ones(len(self.seconds), bool)
        for column, value in key:
            rows, values = column_values(self.table, column)
            mask = np.zeros(len(inside), bool)
            mask[rows[_equal(values, value)]] = True
            inside &= mask
        return inside


def answered(table: pa.Table, trends: TrendsSpec, watched: str) -> TextColumns:
    """The texts of `table` (`stored_schema`) that have a time and an answer."""
    import pyarrow.compute as pc

    usable = pc.and_(pc.is_valid(table["time"]), pc.is_valid(table["label"]))
    rows = table.filter(usable).combine_chunks()
    labels = rows["label"]
    positive, negative = _is_in(labels, trends.positive), _is_in(labels, trends.negative)
    telling = pc.fill_null(rows["telling"], FIRST)
    return TextColumns(
        table=rows,
        seconds=seconds_of(rows["time"]),
        sort=np.where(positive, POSITIVE, np.where(negative, NEGATIVE, OTHER)),
        watched=_is_in(labels, (watched,)),
        first=_equal(telling, FIRST),
    )


def seconds_of(times: pa.ChunkedArray) -> np.ndarray:
    """Times without nulls as whole seconds since 1970; (n,)."""
    import pyarrow as pa

    return np.asarray(times.cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()).to_numpy()) // 1_000_000


def column_values(table: pa.Table, column: str) -> tuple[np.ndarray, pa.Array]:
    """The values of a column that trends may be counted by, and of which row each is; a row may have several or none.

    `column`: topic, entities, source, or one of the kept. Of a table in one chunk.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if column in _LISTS:
        lists = table[column].combine_chunks()
        rows, values = pc.list_parent_indices(lists).to_numpy(zero_copy_only=False), pc.list_flatten(lists)
    else:
        values = table[column].combine_chunks() if column in _OWN else _kept(table, column)
        rows = np.arange(len(values))
    usable = pc.and_(pc.is_valid(values), pc.not_equal(pc.fill_null(values, ""), ""))
    keep = _flags(usable)
    return np.asarray(rows[keep]), values.filter(pa.array(keep))


def _kept(table: pa.Table, column: str) -> pa.Array:
    import pyarrow.compute as pc

    return pc.map_lookup(table["kept"].combine_chunks(), column, "first")


def _equal(values: pa.Array | pa.ChunkedArray, value: str) -> np.ndarray:
    import pyarrow.compute as pc

    return _flags(pc.equal(values, value))


def _is_in(values: pa.ChunkedArray, wanted: tuple[str, ...]) -> np.ndarray:
    import pyarrow as pa
    import pyarrow.compute as pc

    return _flags(pc.is_in(values, value_set=pa.array(wanted, pa.string())))


def _flags(values: pa.Array | pa.ChunkedArray) -> np.ndarray:
    return np.asarray(values.to_numpy(zero_copy_only=False), bool)
