"""What the gates decide, and every check that it rests on."""

from enum import StrEnum

from pydantic import Field

from perennial.core.record import Record
from perennial.records.interval import Interval


class Verdict(StrEnum):
    """What a check or a decision came to."""

    PASS = "pass"  # noqa: S105 - a verdict
    FAIL = "fail"
    UNDECIDED = "undecided"
    SKIPPED = "not judged"


class Outcome(StrEnum):
    """What is to happen with the candidate."""

    PROMOTE = "PROMOTE"
    HOLD = "HOLD"
    REJECT = "REJECT"


class Check(Record):
    """One gate applied to one figure."""

    gate: str
    """The gate in words, for example `recall of 'positive' at least 0.70`."""
    metric: str
    label: str | None
    subject: str | None = None
    """The slice, behavioural test or group it is about; None: all test rows."""
    value: float | None
    """The candidate's."""
    limit: float | None
    """What `value` is held against; versus the champion: the champion's figure, made worse by the margin."""
    difference: float | None = None
    """Candidate minus champion; None: not compared with it row by row."""
    interval: Interval | None = None
    """Of `difference`, or where there is none of `value`; None: not known."""
    margin: float | None = None
    """How much worse than the champion or the best baseline it may be; None: not compared with them."""
    level: float | None = Field(default=None, exclude_if=lambda level: level is None)
    """One-sided, of the look at the test rows by which it had to be shown; None: by the confidence of `interval`."""
    n: int
    """Rows, cases or whatever was counted."""
    clusters: int | None = Field(default=None, exclude_if=lambda clusters: clusters is None)
    """How many of them are independent; None: each is."""
    clustered_by: str | None = Field(default=None, exclude_if=lambda clustered_by: clustered_by is None)
    """What makes rows belong together: `group`, or the canonical column of a text; None: nothing."""
    verdict: Verdict
    reason: str


class Decision(Record):
    """PROMOTE when every check that could be judged passed, REJECT when one failed, HOLD when one is undecided."""

    digest: str
    outcome: Outcome
    reasons: tuple[str, ...]
    checks: tuple[Check, ...]
    champion_version: str | None
    """The champion the candidate was judged against; None: there was none yet."""
