"""What every group of settings is made of."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer


class Settings(BaseModel):
    """A group of settings: immutable; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def as_list(value: object) -> object:
    """A text by itself stands for a list of one."""
    return [value] if isinstance(value, str) else value


def _as_text(value: object) -> object:
    # Labels are text everywhere; YAML reads 0 and true as something else.
    if isinstance(value, bool):
        raise ValueError(f"{value} is YAML's truth value; put the label in quotes")
    return str(value) if isinstance(value, int | float) else value


_UNITS = ("second", "minute", "hour", "day", "week")
_SPAN = re.compile(rf"\s*(\d+(?:\.\d+)?)\s*({'|'.join(_UNITS)})s?\s*")


def _as_span(value: object) -> object:
    if isinstance(value, timedelta):
        return value
    match = _SPAN.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"expected a number and one of {', '.join(_UNITS)}, such as 1 day or 90 minutes")
    return timedelta(**{f"{match[2]}s": float(match[1])})


def span_in_words(span: timedelta) -> str:
    """A span as settings have it, in the largest unit that goes into it."""
    for unit in reversed(_UNITS):
        number, rest = divmod(span, timedelta(**{f"{unit}s": 1}))
        if number and not rest:
            return f"{number} {unit}{'s' * (number != 1)}"
    return f"{span.total_seconds():g} seconds"


Span = Annotated[
    timedelta,
    BeforeValidator(_as_span),
    Field(ge=timedelta(0), le=timedelta(days=3650)),
    PlainSerializer(span_in_words, str),
]
"""How long, as a number and a unit: 1 day, 90 minutes."""
Label = Annotated[str, Field(min_length=1), BeforeValidator(_as_text)]
Share = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
"""Of something that other settings refer to."""
