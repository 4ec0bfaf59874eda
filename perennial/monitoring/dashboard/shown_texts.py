"""The third look: a few texts of each bucket, more of those that stand out and of alarms, and the newest stories."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from perennial.monitoring.alarms.alarm import Alarm
from perennial.monitoring.dashboard.columns import NEGATIVE, OTHER, POSITIVE, TextColumns
from perennial.monitoring.dashboard.counting import SeriesCounts
from perennial.monitoring.dashboard.figures import ShownText
from perennial.monitoring.dashboard.ranges import TimeRange
from perennial.monitoring.dashboard.selection import cut
from perennial.monitoring.trends.calendar import in_utc
from perennial.monitoring.trends.intervals import index_interval
from perennial.monitoring.trends.series import Key

if TYPE_CHECKING:
    import pyarrow as pa

LONGEST_TEXT = 240
"""Characters of a text that a page holds."""
TEXTS_OF_A_RANGE = 1_200
"""Shared out to its buckets: of each sort one at least."""
MOST_OF_A_SORT = 8
SPIKES, TEXTS_OF_A_SPIKE = 6, 6
"""Buckets of each series and range that stand out most, and texts of each."""
ENOUGH_TEXTS = 3
"""A bucket of fewer does not stand out."""
TEXTS_OF_AN_ALARM = 12
MOST_ALARMS = 20
NEWEST_STORIES = 100
MOST_SOURCES = 100
"""Sources of a story that are told apart."""

Cell = tuple[object, ...]
Row = dict[str, Any]


@dataclass(frozen=True)
class SeriesBucket:
    """A bucket of a series that stands out."""

    range_number: int
    series: int
    bucket: int
    direction: int
    """NEGATIVE or POSITIVE: to which side."""


def standing_out(counted: SeriesCounts) -> list[SeriesBucket]:
    """Of each series and range the buckets whose index is farthest from that of the whole, for their numbers."""
    found_buckets = []
    for number, counts in enumerate(counted.counts):
        for row, buckets in enumerate(counts):
            texts, positive, negative = buckets[:, 0], buckets[:, 2], buckets[:, 3]
            index, low, high = index_interval(positive, negative, texts)
            usual = (positive.sum() - negative.sum()) / max(1, texts.sum())
            distance = np.where(texts >= ENOUGH_TEXTS, (index - usual) / np.maximum(high - low, 1e-9), 0)
            for bucket in np.argsort(-np.abs(distance), kind="stable")[:SPIKES].tolist():
                if distance[bucket]:
                    side = NEGATIVE if distance[bucket] < 0 else POSITIVE
                    found_buckets.append(SeriesBucket(number, row, bucket, side))
    return found_buckets


@dataclass
class TextPool:
    """Texts to be listed when a bucket is chosen; as many for any number of texts."""

    ranges: Sequence[TimeRange]
    keys: Sequence[Key]
    spikes: Sequence[SeriesBucket]
    alarms: Sequence[Alarm]
    """Those whose texts are kept, MOST_ALARMS at most."""
    cells: dict[Cell, list[tuple[float, Row]]] = field(default_factory=dict)
    """What each text is kept for: those with the highest priority."""

    def add(self, texts: TextColumns) -> None:
        """Look at some more texts."""
        score = np.nan_to_num(np.asarray(texts.table["score"].to_numpy(), float), nan=0.0)
        base = 2.0 * texts.first + np.clip(score, 0, 1)
        buckets = [one.buckets(texts.seconds) for one in self.ranges]
        for number, bucket_of in enumerate(buckets):
            share = TEXTS_OF_A_RANGE // (3 * len(self.ranges[number].starts))
            most = min(max(share, 1), MOST_OF_A_SORT)
            for sort in (OTHER, POSITIVE, NEGATIVE):
                mask = (bucket_of >= 0) & (texts.sort == sort)
                self._offer(texts, mask, bucket_of, base, (number, sort), most)
        self._offer_spikes(texts, buckets, base)
        for alarm in self.alarms[:MOST_ALARMS]:
            span = in_utc([alarm.surge.opened, alarm.surge.until]).astype(np.int64)
            mask = (texts.seconds >= span[0]) & (texts.seconds < span[1]) & texts.watched
            if mask.any():
                mask &= texts.has(alarm.surge.key)
                self._offer(texts, mask, np.zeros(len(mask), int), base, (alarm.surge.id,), TEXTS_OF_AN_ALARM)

    def _offer_spikes(self, texts: TextColumns, buckets: Sequence[np.ndarray], base: np.ndarray) -> None:
        by_series: dict[int, list[SeriesBucket]] = {}
        for spike in self.spikes:
            if (buckets[spike.range_number] == spike.bucket).any():
                by_series.setdefault(spike.series, []).append(spike)
        for series, spikes in by_series.items():
            inside = texts.has(self.keys[series])
            for spike in spikes:
                mask = inside & (buckets[spike.range_number] == spike.bucket)
                priority = base + 4.0 * (texts.sort == spike.direction)
                of_a_spike = ("spike", spike.range_number, series)
                self._offer(texts, mask, buckets[spike.range_number], priority, of_a_spike, TEXTS_OF_A_SPIKE)

    def _offer(
        self, texts: TextColumns, mask: np.ndarray, cell_of: np.ndarray, priority: np.ndarray, what: Cell, most: int
    ) -> None:
        """Keep those of `mask` with the highest `priority`, `most` for each value of `cell_of`."""
        rows = np.flatnonzero(mask)
        if not len(rows):
            return
        order = rows[np.lexsort((-priority[rows], cell_of[rows]))]
        begins = np.r_[0, np.flatnonzero(np.diff(cell_of[order])) + 1]
        rank = np.arange(len(order)) - np.repeat(begins, np.diff(np.r_[begins, len(order)]))
        best = order[rank < most]
        for row, content in zip(best.tolist(), rows_of(texts.table, best), strict=True):
            cell = self.cells.setdefault((*what, int(cell_of[row])), [])
            cell.append((float(priority[row]), content))
        for bucket in np.unique(cell_of[best]).tolist():
            cell = self.cells[(*what, int(bucket))]
            cell.sort(key=lambda one: -one[0])
            del cell[most:]

    def texts(self) -> tuple[ShownText, ...]:
        """All that are kept, each once, the newest first."""
        kept = {row["id"]: row for cell in self.cells.values() for _, row in cell}
        places = {key: number for number, key in enumerate(self.keys)}
        shown = [shown_text(row, self.ranges[0], places) for row in kept.values()]
        return tuple(sorted(shown, key=lambda one: (one.time, one.id), reverse=True))


@dataclass
class NewestStories:
    """The stories that were first told last, each with how many texts tell it."""

    stories: dict[str, Row] = field(default_factory=dict)
    """The row of the first telling, with `told` and `sources_seen`."""

    def add(self, texts: TextColumns) -> None:
        """Look at some more texts, in the order in which they were read: a story's first comes before the others."""
        rows = np.flatnonzero(texts.first & (texts.seconds > self._oldest()))
        newest = rows[np.argsort(texts.seconds[rows], kind="stable")][-NEWEST_STORIES:]
        for row in rows_of(texts.table, newest):
            self.stories[story_of(row)] = row | {"told": 0, "sources_seen": set()}
        kept = sorted(self.stories.items(), key=lambda one: one[1]["time"], reverse=True)[:NEWEST_STORIES]
        self.stories = dict(kept)
        self._count_tellings(texts.table)

    def _oldest(self) -> float:
        if len(self.stories) < NEWEST_STORIES:
            return float("-inf")
        return float(min(row["time"].timestamp() for row in self.stories.values()))

    def _count_tellings(self, table: pa.Table) -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        names = pc.coalesce(table["story"], table["id"])
        ours = pc.is_in(names, value_set=pa.array(list(self.stories), pa.string()))
        chosen = pa.table({"story": names, "source": table["source"]}).filter(ours)
        for name, source in zip(chosen["story"].to_pylist(), chosen["source"].to_pylist(), strict=True):
            story = self.stories[name]
            story["told"] += 1
            if len(story["sources_seen"]) < MOST_SOURCES:
                story["sources_seen"].add(source or "")

    def shown(self, time_range: TimeRange, keys: Sequence[Key]) -> tuple[ShownText, ...]:
        """The stories, the newest first."""
        places = {key: number for number, key in enumerate(keys)}
        return tuple(
            shown_text(row, time_range, places).model_copy(
                update={"told": max(1, row["told"]), "sources": max(1, len(row["sources_seen"]))}
            )
            for row in sorted(self.stories.values(), key=lambda one: one["time"], reverse=True)
        )


def rows_of(table: pa.Table, rows: np.ndarray) -> list[Row]:
    """These rows, with what a page may show of them."""
    names = ("id", "text", "time", "source", "story", "telling", "model", "label", "score", "topic", "entities", "kept")
    taken: list[Row] = table.select(names).take(rows).to_pylist()
    for row in taken:
        # A text may have megabytes, and thousands of rows are held at a time.
        row["text"] = cut(" ".join(row["text"][: 4 * LONGEST_TEXT].split()), LONGEST_TEXT) if row["text"] else None
    return taken


def story_of(row: Row) -> str:
    """The story that a row tells; its own where copies are not told."""
    return str(row["story"] or row["id"])


def shown_text(row: Row, time_range: TimeRange, places: Mapping[Key, int]) -> ShownText:
    """A row as the page has it. `places`: of series."""
    return ShownText(
        id=row["id"],
        text=row["text"],
        time=time_range.calendar.local(row["time"].astimezone(UTC) if row["time"].tzinfo else _aware(row["time"])),
        source=cut(row["source"] or "", 80),
        label=cut(row["label"], 80),
        score=None if row["score"] is None or np.isnan(row["score"]) else round(row["score"], 4),
        model=row["model"] or "",
        telling=row["telling"] or "first",
        series=tuple(sorted({places[key] for key in _keys_of(row) if key in places})),
    )


def _aware(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC)


def _keys_of(row: Row) -> Iterator[Key]:
    for column in ("topic", "entities"):
        for value in row[column] or ():
            yield ((column, value),)
    yield (("source", row["source"]),)
    for column, value in row["kept"] or ():
        yield ((column, value),)
