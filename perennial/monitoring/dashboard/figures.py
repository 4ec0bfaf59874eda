"""The record of all that a dashboard shows: what the page draws, and `perennial dashboard --json` prints."""

from datetime import datetime
from typing import Literal

from perennial.core.record import Record
from perennial.monitoring.alarms.alarm import Alarm
from perennial.monitoring.health.health_figures import HealthFigures
from perennial.monitoring.trends.series import Key

About = Literal["stream", "series", "alarms", "texts", "health", "versions"]
"""The part of the page in which a remark stands."""


class DashboardRemark(Record):
    """What is missing or left out, and why, in a sentence."""

    about: About
    text: str


class DashboardTile(Record):
    """One figure of the page's head, in words."""

    name: str
    value: str
    note: str = ""


class IndexFigure(Record):
    """How much there is in a stretch of time, and how it sounds."""

    texts: int
    """Those that were answered."""
    stories: int
    """First tellings."""
    positive: int
    negative: int
    watched: int
    """Texts with the label that alarms watch."""
    index: float | None
    """(positive - negative) / texts, -1 to 1; None: no text."""
    low: float
    """Of the index' interval at 95%."""
    high: float


class DrawnSeries(Record):
    """The texts that have one value of a column, or all texts."""

    key: Key
    name: str
    """The value, cut; or: all texts."""


class SeriesBuckets(Record):
    """One series in the buckets of a range; tuples as long as the range has buckets."""

    total: IndexFigure
    texts: tuple[int, ...]
    stories: tuple[int, ...]
    positive: tuple[int, ...]
    negative: tuple[int, ...]
    watched: tuple[int, ...]
    index: tuple[float | None, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


class DrawnRange(Record):
    """A stretch of time up to the newest text, in buckets."""

    name: str
    minutes: int
    """How wide a bucket is."""
    starts: tuple[datetime, ...]
    """Of the buckets, by the pipeline's clock."""
    end: datetime
    """Of the last bucket."""
    series: tuple[SeriesBuckets, ...]
    """In the order of `DashboardFigures.series`."""


class ShownText(Record):
    """A text of the stream as the page shows it."""

    id: str
    text: str | None
    """Cut where it is long; None: it is not stored."""
    time: datetime
    source: str
    label: str
    score: float | None
    """How sure the model was, 0 to 1."""
    model: str
    telling: str
    series: tuple[int, ...]
    """The series that it is in, by their places in `DashboardFigures.series`; not 0, in which all are."""
    told: int = 1
    """Of newest stories: how many texts tell it."""
    sources: int = 1
    """Of newest stories: by how many sources."""


class DrawnAlarm(Record):
    """An alarm, where it is drawn, and what became of it."""

    alarm: Alarm
    name: str
    """Of its series, for people."""
    series: int | None
    """Its series' place in `DashboardFigures.series`; None: it is of several columns, and not drawn."""
    became: str
    """What became of it, in sentences."""


class VersionMark(Record):
    """A moment from which another version answers, or is champion."""

    version: str
    since: datetime
    what: Literal["answers", "champion"]
    by: str = ""
    """What made it champion, and who."""


class DashboardFigures(Record):
    """All that the page draws."""

    pipeline: str
    made: datetime
    zone: str
    watched: str
    """The label that alarms watch."""
    tiles: tuple[DashboardTile, ...]
    series: tuple[DrawnSeries, ...]
    """All texts first, then by column, those with most texts first."""
    ranges: tuple[DrawnRange, ...]
    """All time that is drawn first, then ever shorter ones in ever narrower buckets; none if there are no texts."""
    texts: tuple[ShownText, ...]
    """Of buckets, to be listed when one is chosen; the newest first."""
    newest: tuple[ShownText, ...]
    """The newest stories, each once by its first telling."""
    alarms: tuple[DrawnAlarm, ...]
    """The newest first."""
    versions: tuple[VersionMark, ...]
    health: tuple[HealthFigures, ...]
    """The oldest first."""
    remarks: tuple[DashboardRemark, ...]
