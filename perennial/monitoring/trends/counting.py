"""From a table of texts to series: by time bucket × any columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from perennial.core.errors import PerennialError, listing
from perennial.core.record import Record
from perennial.monitoring.trends.calendar import Calendar
from perennial.monitoring.trends.series import Key, Series, bucketed

if TYPE_CHECKING:
    import pyarrow as pa

MOST_SERIES = 200


class Trends(Record):
    """The series of a table, and what of it is in none."""

    series: tuple[Series, ...]
    """The one with most texts first."""
    without_time: int = 0
    """Texts that no bucket can count."""
    left_out: int = 0
    """Series with fewer texts than those that are kept."""


def count_trends(
    texts: pa.Table,
    calendar: Calendar,
    *,
    by: Sequence[str] = (),
    time: str = "time",
    label: str = "label",
    most: int = MOST_SERIES,
) -> Trends:
    """Count `texts` by bucket and label, one series for each combination of values of the columns `by`.

    `time` is a timestamp (without a zone: UTC), `label` a string. A column of `by` may hold lists, as of entities: then
    a text counts once in the series of each value in it. Where a value is empty, a text counts in no series of it. All
    series have the same buckets: from the first text of the table to its last. Raises PerennialError if a column is not
    there, or holds no times.
    """
    _columns_are_there(texts, [time, label, *by])
    times = _times(texts, time)
    timed = ~np.isnat(times)
    if not timed.any():
        return Trends(series=(), without_time=len(times))
    labels = np.array(["" if one is None else str(one) for one in texts.column(label).to_pylist()], object)
    first, last = _aware(times[timed].min()), _aware(times[timed].max())
    rows = _rows_by_key(texts, by, timed)
    kept = Counter({key: len(one) for key, one in rows.items()}).most_common(most)
    series = [bucketed(calendar, key, times[rows[key]], labels[rows[key]].tolist(), first, last) for key, _ in kept]
    return Trends(series=tuple(series), without_time=int(np.sum(~timed)), left_out=len(rows) - len(kept))


def _columns_are_there(texts: pa.Table, wanted: Sequence[str]) -> None:
    if missing := [name for name in wanted if name not in texts.column_names]:
        raise PerennialError(
            f"Trends need the column {listing(map(repr, missing))}; the table has {listing(texts.column_names)}.",
            remedy="Name a column that is there.",
        )


def _times(texts: pa.Table, time: str) -> np.ndarray:
    import pyarrow as pa

    column = texts.column(time)
    if not pa.types.is_timestamp(column.type):
        raise PerennialError(f"The column {time!r} holds {column.type}; trends need times.", remedy="Read it as times.")
    return np.asarray(column.cast(pa.timestamp("s"), safe=False).to_numpy(), dtype="datetime64[s]")


def _aware(time: np.datetime64) -> datetime:
    return datetime.fromtimestamp(int(time.astype("datetime64[s]").astype(np.int64)), UTC)


def _rows_by_key(texts: pa.Table, by: Sequence[str], timed: np.ndarray) -> dict[Key, np.ndarray]:
    if not by:
        return {(): np.flatnonzero(timed)}
    rows: dict[Key, list[int]] = {}
    columns = [texts.column(name).to_pylist() for name in by]
    for row in np.flatnonzero(timed).tolist():
        for key in _keys(by, [column[row] for column in columns]):
            rows.setdefault(key, []).append(row)
    return {key: np.array(one) for key, one in rows.items()}


def _keys(by: Sequence[str], values: Sequence[object]) -> Iterator[Key]:
    from itertools import product

    several = [list(one) if isinstance(one, list) else [one] for one in values]
    distinct = [dict.fromkeys(str(one) for one in lot if one not in (None, "")) for lot in several]
    for combination in product(*distinct):
        yield tuple(zip(by, combination, strict=True))
