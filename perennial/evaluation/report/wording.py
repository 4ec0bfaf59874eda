"""Figures in words."""

import math

from perennial.core.percent import percent
from perennial.metrics import clusters
from perennial.records.evaluation import Difference
from perennial.records.interval import Interval

NOTHING = "—"
LONGEST_NAME = 28
"""Characters of a label on an axis; tables hold it whole."""
KEPT_END = 9
"""Of a name that is cut, these last characters stay: long names often differ there."""


def number(value: float | None) -> str:
    """A metric's value."""
    return f"{value:.4f}" if value is not None and math.isfinite(value) else NOTHING


def signed(value: float) -> str:
    """A difference."""
    return f"{value:+.4f}".replace("-", "−")


def share(part: float, whole: float) -> str:
    """`part` of `whole` in percent."""
    return percent(part / whole, 1) if whole else NOTHING


def between(interval: Interval | None) -> str:
    """An interval."""
    return f"{number(interval.low)} to {number(interval.high)}" if interval else NOTHING


def difference(compared: Difference | None) -> str:
    """A difference with its interval."""
    if compared is None:
        return NOTHING
    return spread(compared.value, compared.interval)


def spread(value: float, interval: Interval) -> str:
    """A signed figure with its interval."""
    return f"{signed(value)} ({signed(interval.low)} to {signed(interval.high)})"


def ratio(one: float, other: float | None) -> str:
    """How many times `other` is `one`."""
    return f"{one / other:.2f} ×" if other else NOTHING


def plain(metric: str) -> str:
    """A metric's name as people write it."""
    return metric.replace("_", " ")


def short(name: str) -> str:
    """`name` cut to what fits beside a chart."""
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - KEPT_END - 1]}…{name[-KEPT_END:]}"


def counted(rows: int, independent: int | None, clustered_by: str | None) -> str:
    """So many rows, and how many of them are independent, for a cell: 200 (30 texts)."""
    return f"{rows:,}" if independent is None else f"{rows:,} ({clusters.units(independent, clustered_by)})"


def several(count: int, one: str, more: str = "") -> str:
    """`count` with its noun: 1 row, 2 rows."""
    return f"{count:,} {one if count == 1 else more or one + 's'}"
