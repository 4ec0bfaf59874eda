"""Settings of the schedule: when a run starts by itself, and what else starts one."""

import re
import zoneinfo

from pydantic import Field, field_validator

from perennial.spec_base import Settings

_SHORTHANDS = ("@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually")
_FIELDS = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of month", 1, 31, ()),
    ("month", 1, 12, ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")),
    ("day of week", 0, 7, ("sun", "mon", "tue", "wed", "thu", "fri", "sat")),
)


class ScheduleSpec(Settings):
    """When `perennial schedule` starts a run. A run that finds nothing new ends as skipped, in seconds."""

    cron: str
    """Five fields: minute, hour, day of month, month, day of week. Needed beside other triggers, too: what they miss
    while a machine is down, the next tick finds."""
    timezone: str = "UTC"
    """Of cron, by its IANA name such as Europe/Berlin; where clocks change, the hour of the day stays."""
    jitter_seconds: int = Field(default=0, ge=0, le=6 * 3600)
    """A run starts up to this long after its tick, always the same for one tick of one pipeline, so that many pipelines
    of one cron don't ask one registry or database all at once."""
    min_new_rows: int = Field(default=1, ge=0)
    """A run that a schedule or new data started is skipped with fewer new rows."""
    watch: bool = False
    """true: a new or changed file of data.source (type file) starts a run, too."""
    watch_seconds: float = Field(default=10, ge=0.2, le=3600)
    """How often the folder is looked into."""
    settle_seconds: float = Field(default=30, ge=0.2, le=3600)
    """New data starts a run when this long no more came: a file that is still written to is not read half, and many
    files, or many events, are one run."""

    @field_validator("cron")
    @classmethod
    def _known_cron(cls, cron: str) -> str:
        if cron.startswith("@") and cron in _SHORTHANDS:
            return cron
        texts = cron.split()
        if len(texts) != len(_FIELDS):
            raise ValueError(
                f"cron has {len(texts)} fields; it needs five: minute, hour, day of month, month, day of week, "
                'for example "0 3 * * *" for three at night'
            )
        for text, (name, low, high, names) in zip(texts, _FIELDS, strict=True):
            if not all(_is_known(item, low, high, names) for item in text.lower().split(",")):
                raise ValueError(f"cron's {name} is {text!r}; it takes {low} to {high}, *, ranges, lists and steps")
        return cron

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, name: str) -> str:
        try:
            zoneinfo.ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{name!r} is no time zone; they are named like UTC, Europe/Berlin, Asia/Tokyo") from None
        return name


def _is_known(item: str, low: int, high: int, names: tuple[str, ...]) -> bool:
    """Whether `item` is *, a number or name, or a range of two, each with a step or without."""
    found = re.fullmatch(r"(?:\*|(\w+)(?:-(\w+))?)(?:/(\d+))?", item, re.ASCII)
    if found is None:
        return False
    first, last, step = found.groups()
    ends = [_number(end, low, names) for end in (first, last) if end is not None]
    in_order = len(ends) < 2 or None in ends or ends[0] <= ends[1]  # type: ignore[operator]  # neither is None
    return in_order and all(end is not None and low <= end <= high for end in ends) and step != "0"


def _number(text: str, low: int, names: tuple[str, ...]) -> int | None:
    if text.isdigit():
        return int(text)
    return names.index(text) + low if text in names else None
