"""What a cron expression says: the values of its five fields, and whether a day ever comes that suits them.

As Prefect reads them, whose scheduler plans the runs. It takes more than that (a sixth field for seconds, steps that
leave one value, days that no month has) and then does something else than what was meant, or fails for ever.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

SHORTHANDS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
LONGEST_ITEM = 20
"""Characters; two names of months and a step have fewer."""
LONGEST_MONTHS = dict(zip(range(1, 13), (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31), strict=True))
"""Days of each month, in a leap year."""
_ITEM = re.compile(r"(?:\*|(\w+)(?:-(\w+))?)(?:/(\d+))?", re.ASCII)


@dataclass(frozen=True)
class Field:
    """One of the five."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    alias: int | None = None
    """A number beyond `high` that means `low`."""

    def values(self, text: str) -> frozenset[int]:
        """What `text` stands for. Raises ValueError where that is nothing, or not what it looks like."""
        numbers = {value for item in text.lower().split(",") for value in self._item(item, text)}
        return frozenset(self.low if value == self.alias else value for value in numbers)

    def _item(self, item: str, text: str) -> range:
        parts = _ITEM.fullmatch(item)
        if parts is None or len(item) > LONGEST_ITEM:
            raise self._not_known(text)
        first, last = self.low, self.high
        if parts[1] is not None:
            first = self._number(parts[1], text)
            # A number with a step goes on to the field's end.
            last = self._number(parts[2], text) if parts[2] else self.high if parts[3] else first
        if parts[2] and first >= last:
            # A range from a value to itself means all of them to Prefect.
            raise ValueError(
                f"cron's {self.name} is {text!r}; a range goes up, from a value to a larger one. Write one that goes "
                "round as two, such as 22-23,0-2"
            )
        return range(first, last + 1) if parts[3] is None else self._stepped(first, last, int(parts[3]), text)

    def _stepped(self, first: int, last: int, step: int, text: str) -> range:
        if not step:
            raise ValueError(f"cron's {self.name} is {text!r}; a step is at least 1")
        if step > last - first:
            raise ValueError(
                f"cron's {self.name} is {text!r}; a step of {step} goes beyond {first} to {last}, so that only {first} "
                f"were left. Write {first} if that is meant"
            )
        return range(first, last + 1, step)

    def _number(self, text: str, whole: str) -> int:
        number = int(text) if text.isdigit() else self.names.index(text) + self.low if text in self.names else -1
        if not self.low <= number <= self.high and number != self.alias:
            raise self._not_known(whole)
        return number

    def _not_known(self, text: str) -> ValueError:
        high = self.high if self.alias is None else self.alias
        return ValueError(f"cron's {self.name} is {text!r}; it takes {self.low} to {high}, *, ranges, lists and steps")


MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
FIELDS = (
    Field("minute", 0, 59),
    Field("hour", 0, 23),
    Field("day of month", 1, 31),
    Field("month", 1, 12, MONTHS),
    Field("day of week", 0, 6, DAYS, alias=7),
)


def check_cron(cron: str) -> None:
    """Raises ValueError that says why `cron` is none, or would never come."""
    _, _, days, months, weekdays = _values(cron)
    if any(day <= LONGEST_MONTHS[month] for month in months for day in days):
        return
    # Prefect looks for the day of the month by itself, and gives up, even where a day of the week is named, too.
    instead = "" if len(weekdays) == len(DAYS) else "; for the days of the week alone, write * for the day of month"
    day, month = min(days), MONTHS[min(months) - 1].capitalize()
    others = " nor any other of these" if len(days) * len(months) > 1 else ""
    raise ValueError(f"cron {cron!r} never comes: there is no {day} {month}{others}{instead}")


def comes_within(cron: str, days: int, today: date) -> bool:
    """Whether a tick of `cron`, which `check_cron` took, comes from `today` on in so many days."""
    return any(_days(cron, days, today))


def _days(cron: str, days: int, today: date) -> Iterator[bool]:
    """Whether each of the days from `today` on is one of `cron`."""
    _, _, month_days, months, weekdays = _values(cron)
    texts = SHORTHANDS.get(cron, cron).split()
    # Where both are named, either will do.
    either = not any("*" in texts[field].split(",") for field in (2, 4))
    for day in (today + timedelta(days=number) for number in range(days)):
        suits = (day.day in month_days, day.isoweekday() % 7 in weekdays)
        yield day.month in months and (any(suits) if either else all(suits))


def _values(cron: str) -> list[frozenset[int]]:
    texts = SHORTHANDS.get(cron, cron).split()
    if len(texts) != len(FIELDS):
        seconds = "" if len(texts) != len(FIELDS) + 1 else "; there is none for seconds"
        raise ValueError(
            f"cron has {len(texts)} fields; it needs five: minute, hour, day of month, month, day of week{seconds}, "
            f'for example "0 3 * * *" for three at night; or one of {", ".join(SHORTHANDS)}'
        )
    return [field.values(text) for field, text in zip(FIELDS, texts, strict=True)]
