"""Times as programs and people write them, beside ISO 8601: names of months and zones, days before months."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache

NAMES = {
    "epoch_s": "seconds",
    "epoch_ms": "milliseconds",
    "epoch_us": "microseconds",
    "epoch_ns": "nanoseconds",
    "day_first": "the day before the month",
    "month_first": "the month before the day",
}
"""Each format of data.columns.time_format, in words."""
DAY_FIRST, MONTH_FIRST = "day_first", "month_first"
LONGEST = 80
"""Characters of a time."""
_MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july"),
    *("august", "september", "october", "november", "december"),
)
_CLOCK = r"(?P<hour>\d{1,2})[:.](?P<minute>\d\d)(?:[:.](?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9}))?)?"
_HALF = r"(?:\s*(?P<half>[AaPp])\.?[Mm]\b\.?)?"
_ZONE = r"(?:\s*(?P<zone>(?:UTC|GMT)?[+-]\d{1,2}(?::?\d\d)?|[A-Za-z]+(?:[_/-][A-Za-z]+)*(?:[+-]\d{1,2})?))?"
_COMMENT = r"(?:\s*[\[(][^\])]*[\])])?"
_TIME = rf"(?:,?[\sT]\s*(?:at\s+)?{_CLOCK}{_HALF}{_ZONE}{_COMMENT}|\s+{_ZONE.replace('zone>', 'bare_zone>')})?"
_DAY_NAME = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+)?"
_FORMS = [
    re.compile(pattern, re.I)
    for pattern in (
        # Twitter, and C: Wed Oct 10 20:19:24 +0000 2018
        rf"{_DAY_NAME}(?P<name>[a-z]{{3,9}})\.?\s+(?P<day>\d{{1,2}})\s+{_CLOCK}{_HALF}{_ZONE}\s+(?P<year>\d{{4}})$",
        # E-mail, HTTP, logs: Wed, 10 Oct 2018 20:19:24 GMT; 10-Oct-2018
        rf"{_DAY_NAME}(?P<day>\d{{1,2}})(?:st|nd|rd|th)?[\s./-]+(?P<name>[a-z]{{3,9}})\.?,?[\s./-]+(?P<year>\d{{4}}){_TIME}$",
        # Oracle: 10-OCT-18, 10-OCT-18 08.19.24.000000 PM; web servers: 10/Oct/2018:20:19:24 +0000
        rf"(?P<day>\d{{1,2}})-(?P<name>[a-z]{{3}})-(?P<year>\d\d){_TIME}$",
        rf"(?P<day>\d{{1,2}})/(?P<name>[a-z]{{3}})/(?P<year>\d{{4}}):{_CLOCK}{_ZONE}$",
        # October 10, 2018 8:19 PM; what a browser prints: Wed Oct 10 2018 20:19:24 GMT+0200 (…)
        rf"{_DAY_NAME}(?P<name>[a-z]{{3,9}})\.?\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<year>\d{{4}}){_TIME}$",
        # 2018/10/10 20:19, 2018-10-10 20:19:24 +0200, 2018-10-10T20:19:24+02:00[Europe/Berlin]
        rf"(?P<year>\d{{4}})(?P<mark>[./-])(?P<month>\d{{1,2}})(?P=mark)(?P<day>\d{{1,2}}){_TIME}$",
    )
]
_NUMBERS = re.compile(
    rf"(?P<one>\d{{1,2}})(?P<mark>[./-])(?P<two>\d{{1,2}})(?P=mark)(?P<year>\d{{4}}|\d\d){_TIME}$", re.I
)
_HOURS = {
    **dict.fromkeys(("z", "utc", "gmt", "ut", "wet"), 0.0),
    "west": 1,
    "cet": 1,
    "mez": 1,
    "cest": 2,
    "mesz": 2,
    "eet": 2,
    "eest": 3,
    "msk": 3,
    "est": -5,
    "edt": -4,
    "cdt": -5,
    "mst": -7,
    "mdt": -6,
    "pst": -8,
    "pdt": -7,
    "akst": -9,
    "hst": -10,
    "hkt": 8,
    "jst": 9,
    "kst": 9,
    "aest": 10,
    "aedt": 11,
    "nzst": 12,
    "nzdt": 13,
}
_AMBIGUOUS = {"cst", "ist", "bst", "ast", "sst", "gst", "adt", "act", "amt", "ect"}


class UnclearTimeError(ValueError):
    """A time that can't be read as it is, with the reason for a person: half a sentence."""


def time_of_text(text: str, form: str | None) -> datetime:
    """The time that `text` tells, without a zone if it names none; `form`: day_first or month_first, if it is known.

    Raises ValueError for what tells none.
    """
    if len(text) > LONGEST:
        raise ValueError("too long for a time")
    for pattern in _FORMS:
        if parts := pattern.match(text):
            return _time(parts.groupdict())
    numbers = day_and_month(text)
    if numbers is None:
        raise ValueError("no known form of a time")
    if form not in (DAY_FIRST, MONTH_FIRST):
        raise UnclearTimeError(
            "whether the day or the month comes first is said by data.columns.time_format: day_first or month_first"
        )
    one, two, rest = numbers
    day, month = (one, two) if form == DAY_FIRST else (two, one)
    if month > 12 >= day:
        raise UnclearTimeError(f"data.columns.time_format is {form}, and there is no month {month}")
    return _time({**rest, "day": str(day), "month": str(month)})


def day_and_month(text: str) -> tuple[int, int, dict[str, str | None]] | None:
    """The first two numbers of a date such as 31/12/2024, and the rest of it; None: `text` is none."""
    parts = _NUMBERS.match(text.strip()) if len(text) <= LONGEST else None
    return (int(parts["one"]), int(parts["two"]), parts.groupdict()) if parts else None


def _time(parts: dict[str, str | None]) -> datetime:
    second, fraction = int(parts.get("second") or 0), ((parts.get("fraction") or "") + "000000")[:6]
    hour = int(parts.get("hour") or 0)
    if half := parts.get("half"):
        if not 1 <= hour <= 12:
            raise ValueError("no hour of half a day")
        hour = hour % 12 + (12 if half in "pP" else 0)
    year = int(parts["year"] or 0)
    if year < 100:
        # As POSIX has it.
        year += 1900 if year >= 69 else 2000
    month = _month(parts["name"]) if parts.get("name") else int(parts["month"] or 0)
    time = datetime(year, month, int(parts["day"] or 0), hour, int(parts.get("minute") or 0), second, int(fraction))
    zone = parts.get("zone") or parts.get("bare_zone")
    return time.replace(tzinfo=_zone(zone)) if zone else time


def _month(name: str | None) -> int:
    word = (name or "").lower()
    return next(number for number, whole in enumerate((*_MONTHS, word), 1) if whole.startswith(word))


@lru_cache(maxsize=1_000)
def _zone(name: str) -> tzinfo:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    offset = re.fullmatch(r"(?:utc|gmt)?([+-])(\d{1,2}):?(\d\d)?", name, re.I)
    if offset:
        minutes = int(offset[2]) * 60 + int(offset[3] or 0)
        return timezone(timedelta(minutes=-minutes if offset[1] == "-" else minutes))
    word = name.lower()
    if word in _HOURS:
        return UTC if not _HOURS[word] else timezone(timedelta(hours=_HOURS[word]))
    if word in _AMBIGUOUS:
        raise UnclearTimeError(f"{name!r} names more than one zone: write the offset instead, such as +05:30")
    try:
        if "/" in name:
            return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        pass
    raise UnclearTimeError(f"the zone {name!r} is not known: write the offset instead, such as +01:00")
