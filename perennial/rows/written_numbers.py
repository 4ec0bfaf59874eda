"""Numbers as people write them: a decimal comma, thousands parted, a currency or per cent beside them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from perennial.rows import cells

POINT, COMMA = ".", ","
MOST = 0.9
"""Share of the filled cells that must be numbers for a column to be one of numbers: a run sets the others aside."""
LONGEST = 60
"""Characters of a number with its unit."""
_CODES = "USD EUR GBP JPY CHF CNY INR AUD CAD NZD SEK NOK DKK PLN CZK HUF RON RUB BRL MXN ZAR TRY KRW SGD HKD THB ILS"
_UNIT = rf"%|‰|(?:US|CA|AU|NZ|HK|R)?\$|[€£¥₹₽₩₺₪฿₫₴₦]|kr\.?|zł|Kč|Fr\.?|{'|'.join(_CODES.split())}"
_SPACES = " \u00a0\u2009\u202f'’_"
_WRITTEN = re.compile(
    rf"(?P<sign>[+\-\u2212]?)\s*(?P<before>{_UNIT})?\s*(?P<inner>[+\-\u2212]?)(?P<digits>[\d.,{_SPACES}]*\d[.,]?)\s*"
    rf"(?P<after>{_UNIT})?$"
)
_FORMS = {
    mark: re.compile(
        rf"(?:\d+|[1-9]\d{{0,2}}(?P<part>[{re.escape(other)}{_SPACES}])\d{{3}}(?:(?P=part)\d{{3}})*"
        # As in India.
        rf"|[1-9]\d?(?:{re.escape(other)}\d\d)+{re.escape(other)}\d{{3}})?(?:{re.escape(mark)}\d*)?$"
    )
    for mark, other in ((POINT, COMMA), (COMMA, POINT))
}


def number_written(value: object, decimal: str, unit: str | None) -> float | None:
    """The number that `value` holds, with this decimal mark and maybe this unit beside it; None: it holds none.

    A number of the source's own is what it is.
    """
    if not isinstance(value, str):
        return cells.number(value)
    parts = _parts(value)
    if parts is None:
        # 1e-5 has no mark.
        return cells.number(value) if decimal == POINT or POINT not in value else None
    if parts[2] not in (None, unit):
        return None
    return _value(parts[0], parts[1], decimal)


def unit_beside(value: object) -> str | None:
    """The currency or per cent beside the number that `value` holds; None: there is none."""
    parts = _parts(value) if isinstance(value, str) else None
    return parts[2] if parts else None


class NumberSurvey:
    """How the numbers of a column are written, counted over all its cells."""

    def __init__(self) -> None:
        self.filled = 0
        self.plain = 0
        """Cells that programs wrote."""
        self._fits: Counter[str] = Counter()
        """Cells by the decimal marks with which they are a number; both: with the same value."""
        self._units: Counter[str] = Counter()
        self._examples: dict[str, str] = {}

    def add(self, values: Iterable[object]) -> None:
        """Count these cells; empty ones are none."""
        for value in values:
            if cells.is_missing(value):
                continue
            self.filled += 1
            is_plain = cells.number(value) is not None
            self.plain += is_plain
            fit = self._fit(value, is_plain=is_plain)
            self._fits[fit] += 1
            self._examples.setdefault(fit, str(value).strip()[:20])

    @property
    def is_plain(self) -> bool:
        """Whether all numbers are as programs write them, and nothing has to be said of how they are read."""
        return self.plain >= MOST * self.filled and not self.numbers > self.plain

    @property
    def numbers(self) -> int:
        """Cells that are numbers, however they are written."""
        return self.filled - self._fits["none"]

    @property
    def are_numbers(self) -> bool:
        """Whether the column is one of numbers."""
        return self.filled > 0 and self.numbers >= MOST * self.filled

    @property
    def decimal(self) -> str | None:
        """The decimal mark on which all cells agree; None: plain numbers, or it can't be told."""
        if self.is_plain or self.doubt:
            return None
        return COMMA if self._fits[COMMA] else POINT

    @property
    def unit(self) -> str | None:
        """The one unit beside the numbers, if there is one."""
        return self.unit_read(self.decimal) if self.decimal else None

    def unit_read(self, decimal: str | None) -> str | None:
        """The commonest unit beside the numbers, if they are read with this decimal mark (None: the survey's own)."""
        return next((unit for unit, _ in self._units.most_common(1)), None) if decimal or self.decimal else None

    @property
    def doubt(self) -> str:
        """Why it can't be told how the numbers are to be read, as a sentence without its stop; empty: it can."""
        if self.is_plain:
            return ""
        if not self.are_numbers:
            bad = self._fits["none"]
            return f"{bad:,} of {self.filled:,} cells are no numbers, such as {self._examples['none']!r}"
        if self._fits[POINT] and self._fits[COMMA]:
            return (
                f"the numbers are written in two ways: {self._fits[POINT]:,} of {self.filled:,} such as "
                f"{self._examples[POINT]!r}, {self._fits[COMMA]:,} such as {self._examples[COMMA]!r}"
            )
        if len(self._units) > 1:
            listed = " and ".join(f"{unit} ({count:,})" for unit, count in self._units.most_common(5))
            return f"the numbers have different units: {listed}"
        if self._units["%"] and self._units["%"] < self.numbers:
            return f"{self._units['%']:,} of {self.numbers:,} numbers are in per cent (%), the others are not"
        if self._fits["either"] and not self._fits[POINT] and not self._fits[COMMA]:
            example = self._examples["either"]
            return (
                f"{self._fits['either']:,} of {self.filled:,} cells may be read in two ways, such as {example!r}: its "
                "mark may part thousands or be the decimal mark, and no other cell tells"
            )
        return ""

    def _fit(self, value: object, *, is_plain: bool) -> str:
        parts = _parts(value) if isinstance(value, str) else None
        if parts is None:
            return "none" if not is_plain else POINT if isinstance(value, str) and POINT in value else "both"
        sign, digits, unit = parts
        values = {mark: _value(sign, digits, mark) for mark in (POINT, COMMA)}
        if values[POINT] is None and values[COMMA] is None:
            return "none"
        if unit:
            self._units[unit] += 1
        if None in values.values():
            return POINT if values[COMMA] is None else COMMA
        return "both" if values[POINT] == values[COMMA] else "either"


def _parts(text: str) -> tuple[str, str, str | None] | None:
    """Sign, digits with their marks, and unit of a number; None: it is none."""
    text = text.strip()
    parts = _WRITTEN.match(text) if len(text) <= LONGEST else None
    if parts is None or (parts["before"] and parts["after"]) or (parts["sign"] and parts["inner"]):
        return None
    sign = parts["sign"] or parts["inner"]
    return ("-" if sign in "-\u2212" and sign else ""), parts["digits"].strip(), parts["before"] or parts["after"]


def _value(sign: str, digits: str, mark: str) -> float | None:
    if not _FORMS[mark].match(digits):
        return None
    whole, _, fraction = digits.partition(mark)
    return float(f"{sign}{re.sub(r'[^0-9]', '', whole) or '0'}.{fraction or '0'}")
