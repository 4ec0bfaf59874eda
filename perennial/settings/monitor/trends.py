"""Settings of what is counted by time."""

from datetime import date
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from perennial.settings.base import Settings, as_list


class TrendsSpec(Settings):
    """Counts and sentiment by time, topic, entity and any other column."""

    bucket: Literal["auto", 15, 30, 60, 120, 180, 240, 360, 720, 1440] = "auto"
    """How wide a bucket of time is, in minutes; auto: as wide as it takes to hold ten texts of the alarms' label."""
    timezone: str = "UTC"
    """By whose clock days begin and hours have their season: a name of IANA's, as Europe/London."""
    holidays: tuple[date, ...] = ()
    """Days that are like Sundays."""
    by: Annotated[tuple[str, ...], BeforeValidator(as_list)] = ("topic", "entities")
    """Columns whose values have series of their own beside that of all texts: topic, entities, source, any of
    `columns.kept`. What the stream has not is left out."""
    positive: Annotated[tuple[str, ...], BeforeValidator(as_list)] = ("positive",)
    """Labels that count +1 in the index."""
    negative: Annotated[tuple[str, ...], BeforeValidator(as_list)] = ("negative",)
    """Labels that count -1; all others 0."""
    most_series: int = Field(default=200, ge=1)
    """Series that are counted, those with most texts first; how many are left out is said."""
