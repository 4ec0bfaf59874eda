"""What a check came to."""

from enum import StrEnum
from typing import Self

from perennial.core.record import Record


class Health(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


class HealthFinding(Record):
    """One thing that was looked at."""

    name: str
    status: Health
    seen: str
    remedy: str = ""
    """What to do; empty: nothing."""

    @classmethod
    def ok(cls, name: str, observed: str) -> Self:
        """It is as it should be."""
        return cls(name=name, status=Health.OK, seen=observed)

    @classmethod
    def warning(cls, name: str, observed: str, remedy: str) -> Self:
        """It works, though not as well as it could."""
        return cls(name=name, status=Health.WARNING, seen=observed, remedy=remedy)

    @classmethod
    def problem(cls, name: str, observed: str, remedy: str) -> Self:
        """Something will fail."""
        return cls(name=name, status=Health.PROBLEM, seen=observed, remedy=remedy)
