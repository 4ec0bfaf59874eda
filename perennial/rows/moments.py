"""The time that a cell tells."""

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# A bare year and YYYYMMDD are not seconds: read as such they would all be in 1970.
_NUMBER = re.compile(r"(?!(?:19|20)\d\d(?:\d{4})?$)-?\d+(?:\.\d+)?(?:[eE]\+?\d+)?$")


def moment(value: object) -> datetime:
    """The time `value` tells, with its zone (UTC if it names none): ISO 8601 text, epoch seconds, a date or time.

    Raises ValueError or OverflowError for anything else.
    """
    if isinstance(value, str | int) and not isinstance(value, bool):
        text = str(value).strip()
        if not _NUMBER.match(text):
            return _zoned(datetime.fromisoformat(text))
        value = float(text) if "." in text or "e" in text.lower() else int(text)
    if isinstance(value, datetime):
        return _zoned(value)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        # The largest number Python's datetime holds is the year 9999: milliseconds are refused as they should be.
        return EPOCH + timedelta(seconds=float(value))
    raise ValueError(f"a {type(value).__name__} tells no time")


def _zoned(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)
