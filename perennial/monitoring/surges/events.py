"""Surges as events: one alarm each, with an id that stays, which is brought up to date in place until all is clear."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal

import numpy as np
from pydantic import Field

from perennial.core import digest
from perennial.core.record import Record
from perennial.monitoring.surges.replay import Grid, Watched
from perennial.monitoring.trends.series import Key


class Headline(Record):
    """A text of a surge."""

    id: str
    text: str | None = None
    """None where texts are not to be kept."""


class Mention(Record):
    """A source, an entity, a topic: how many of a surge's texts have it."""

    name: str
    texts: int


class Surge(Record):
    """One event: from the bucket in which it was noticed to the all-clear."""

    id: str
    """The same as long as it lasts: of its series and its beginning."""
    key: Key
    """The series that it was noticed in."""
    also: tuple[Key, ...] = ()
    """Other series that the same texts make surge."""
    label: str
    state: Literal["waiting", "open", "cleared", "usual now"] = "open"
    """`waiting`: too few sources have it. `usual now`: it lasted so long that it is no surge any more."""
    opened: datetime
    """The start of the bucket in which it was noticed."""
    until: datetime
    """The end of the last bucket that belongs to it."""
    cleared: datetime | None = None
    """When it was over, as then known."""
    texts: int
    """All texts of the series since it opened."""
    counted: int
    """Those with the label."""
    usual_share: float
    """Of the label, in the same buckets."""
    p_value: float
    """How likely chance makes a bucket so bad: its least likely one."""
    sources: tuple[Mention, ...] = ()
    """The most frequent first, and so on below."""
    source_count: int = 0
    entities: tuple[Mention, ...] = ()
    topics: tuple[Mention, ...] = ()
    headlines: tuple[Headline, ...] = Field(default=(), max_length=5)
    """Typical ones, no two nearly the same."""

    @property
    def share(self) -> float:
        """Of the label, 0 to 1."""
        return self.counted / max(1, self.texts)

    @property
    def factor(self) -> float:
        """How many times the usual share."""
        return self.share / max(self.usual_share, 1e-9)


def surge_id(key: Key, label: str, opened: datetime) -> str:
    """Of an event; any process makes the same."""
    return digest.of_values(key=key, label=label, opened=opened.isoformat())[:12]


def surges_of(grid: Grid, watched: Watched, label: str, before: Sequence[Surge] = ()) -> list[Surge]:
    """All events of what was watched; `before`: those that were open when it began, which are carried on.

    By the time at which they opened. What they are about is added by `perennial.monitoring.surges.evidence`.
    """
    events = [one for row in range(len(grid.keys)) for one in _of_series(grid, watched, label, row, before)]
    return sorted(events, key=lambda one: (one.opened, one.key))


def _of_series(grid: Grid, watched: Watched, label: str, row: int, before: Sequence[Surge]) -> Iterator[Surge]:
    going_on = [one for one in before if one.key == grid.keys[row] and one.cleared is None]
    event = going_on[-1] if going_on else None
    offset = len(grid.starts) - len(watched.starts)
    for column, start in enumerate(watched.starts):
        end = grid.calendar.end(start)
        if watched.opens[row, column]:
            event = _opened(grid, label, row, start, end)
        if event and (watched.opens[row, column] or watched.goes_on[row, column]):
            event = _with_bucket(event, grid, watched, row, column, offset)
        if event and (watched.clears[row, column] or watched.became_usual[row, column]):
            over: Literal["cleared", "usual now"] = "cleared" if watched.clears[row, column] else "usual now"
            yield event.model_copy(update={"state": over, "cleared": end})
            event = None
    if event:
        yield event


def _opened(grid: Grid, label: str, row: int, start: datetime, end: datetime) -> Surge:
    key = grid.keys[row]
    return Surge(
        id=surge_id(key, label, start),
        key=key,
        label=label,
        opened=start,
        until=end,
        texts=0,
        counted=0,
        usual_share=0.0,
        p_value=1.0,
    )


def _with_bucket(event: Surge, grid: Grid, watched: Watched, row: int, column: int, offset: int) -> Surge:
    texts, counted = int(grid.texts[row, offset + column]), int(grid.counted[row, offset + column])
    usual = event.usual_share * event.texts + float(watched.usual_share[row, column]) * texts
    update = {
        "until": grid.calendar.end(watched.starts[column]),
        "texts": event.texts + texts,
        "counted": event.counted + counted,
        "usual_share": usual / max(1, event.texts + texts),
        "p_value": min(event.p_value, float(watched.p_value[row, column])),
    }
    return event.model_copy(update=update)


def learning_sentence(key: Key, until: datetime) -> str:
    """Why nothing is looked for in a series yet."""
    name = ", ".join(f"{column} {value}" for column, value in key) or "all texts"
    return f"{name}: learning until {until:%Y-%m-%d %H:%M} UTC what is usual; there is no alarm before."


def expected_false_alarms(watched: Watched) -> float:
    """How many of the alarms are likely to be chance, by the sum of what every look cost."""
    return float(np.nansum(watched.spent))
