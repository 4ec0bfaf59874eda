"""The time that a cell tells."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from perennial.rows import written_times

if TYPE_CHECKING:
    import pyarrow as pa

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
UNITS = {"epoch_s": 1, "epoch_ms": 1_000, "epoch_us": 1_000_000, "epoch_ns": 1_000_000_000}
"""Of each format that counts from 1970 on: how many are a second."""
USUAL_SECONDS = (631_152_000, 4_102_444_800)
"""From 1990 to 2100: where times of texts lie. In another unit none of them lies there."""
EXCELS_DAYS = (25_569, 73_051)
"""From 1970 to 2100, in days as spreadsheets count them; as seconds they would all be of one night in 1970."""
# A bare year and YYYYMMDD are not seconds: read as such they would all be in 1970.
_NUMBER = re.compile(r"(?!(?:19|20)\d\d(?:\d{4})?$)-?\d+(?:\.\d+)?(?:[eE]\+?\d+)?$")
_COUNT = re.compile(r"-?\d+(?:\.\d+)?(?:[eE]\+?\d+)?$")


def moment(value: object, form: str | None = None) -> datetime:
    """The time `value` tells, with its zone (UTC if it names none): ISO 8601 text, a date with its month's English name
    as many programs write it, epoch seconds, a date or time; or what `form`, `data.columns.time_format`, says.

    Raises ValueError or OverflowError for anything else; a ValueError that has a sentence for a person is a
    `written_times.UnclearTimeError`.
    """
    if isinstance(value, str | int) and not isinstance(value, bool):
        text = str(value).strip()
        if not (_COUNT if form in UNITS else _NUMBER).match(text):
            return _zoned(_of_text(text, form))
        value = float(text) if "." in text or "e" in text.lower() else int(text)
    if isinstance(value, datetime):
        return _zoned(value)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return _since_1970(value, form)
    raise ValueError(f"a {type(value).__name__} tells no time")


def unit_of(number: float) -> str | None:
    """The format by which `number` counts from 1970 to a time from 1990 to 2100; None: none."""
    low, high = USUAL_SECONDS
    return next((form for form, unit in UNITS.items() if low * unit <= number < high * unit), None)


def counted_micros(values: Sequence[object], form: str | None) -> pa.Array | None:
    """What `moment` gives of these whole numbers, or texts of them, in microseconds since 1970 (int64), if all are
    counted in the unit that `form` says (None: seconds) and lie between 1990 and 2100; else None."""
    import pyarrow as pa
    import pyarrow.compute as pc

    unit = UNITS.get(form or "epoch_s")
    if unit is None or not {type(value) for value in values[:1]} <= {int, float, str}:
        return None
    try:
        numbers = pa.array(values).cast(pa.int64())
    except (ValueError, TypeError, pa.ArrowException):
        return None
    ends = pc.min_max(numbers).as_py()
    low, high = (second * unit for second in USUAL_SECONDS)
    if numbers.null_count or ends["min"] is None or not low <= ends["min"] <= ends["max"] < high:
        return None
    return pc.multiply(numbers, 1_000_000 // unit) if unit <= 1_000_000 else pc.divide(numbers, unit // 1_000_000)


def _since_1970(number: int | float | Decimal, form: str | None) -> datetime:
    expected = form if form in UNITS else "epoch_s"
    looks_like = unit_of(float(number))
    if looks_like not in (None, expected):
        raise written_times.UnclearTimeError(
            f"it looks like {written_times.NAMES[looks_like]} since 1970, which data.columns.time_format: {looks_like} "
            "reads"
        )
    if form is None and EXCELS_DAYS[0] <= number < EXCELS_DAYS[1]:
        raise written_times.UnclearTimeError(
            "its numbers look like days since 1900, as spreadsheets count them: write them as dates"
        )
    if isinstance(number, int) and expected != "epoch_s":
        return EPOCH + timedelta(microseconds=number * 1_000_000 // UNITS[expected])
    # The largest number Python's datetime holds is the year 9999.
    return EPOCH + timedelta(seconds=float(number) / UNITS[expected])


def _of_text(text: str, form: str | None) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return written_times.time_of_text(text, form)


def _zoned(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)
