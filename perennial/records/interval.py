"""An interval of confidence."""

from perennial.core.record import Record


class Interval(Record):
    """A confidence interval."""

    low: float
    high: float
