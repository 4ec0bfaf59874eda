"""Settings of drift triggers: when rows have changed so much that a model is trained anew without being asked."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from perennial.settings.base import Settings
from perennial.settings.data import Source

Limit = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(gt=0, lt=1)]


class DriftLimits(Settings):
    """What each figure of a window may be. All are sizes of an effect, so more rows don't make them larger. None: that
    figure starts nothing and is not measured."""

    labels: Limit | None = 0.2
    """Population stability index of the labels (regression: of the numbers, in tenths of the old rows)."""
    answers: Limit | None = 0.2
    """Population stability index of the labels that the champion answers."""
    scores: Limit | None = 0.2
    """Population stability index of the champion's scores (regression: of its numbers), against rows it did not learn
    from."""
    length: Limit | None = 0.2
    """Population stability index of the texts' length in characters."""
    tokens: Fraction | None = 0.15
    """Jensen-Shannon distance (0 to 1) of the champion's 1,000 most frequent tokens and the rest."""
    domain: Annotated[float, Field(gt=0.5, lt=1)] | None = 0.75
    """Area under the ROC curve of a classifier that tells new texts from old ones; 0.5: it can't."""


class WindowsSpec(Settings):
    """How rows that came since the champion was trained are looked at, and when they start a run."""

    window_rows: int = Field(default=500, ge=100)
    """Rows of a window. Windows don't overlap; one that is not full yet is not looked at."""
    needed: int = Field(default=2, ge=1)
    """Windows in which the same figure must be over its limit, the latest among them."""
    of_last: int = Field(default=3, ge=1, le=50)
    """Out of so many, the latest."""
    cooldown_hours: float = Field(default=24, ge=0)
    """After a run that drift started, unless that run failed, drift starts none for so long. The same shift waits
    longer, where that run's candidate did not become champion: until twice as many windows have come."""
    reference_rows: int = Field(default=5000, ge=500, le=100_000)
    """Rows of the fixed sample, at most, of all that the champion was trained and judged on. Windows are compared with
    it and with the newest of those rows: twice `needed` windows of them, `of_last` at most. What is near either is no
    news to the champion."""
    limits: DriftLimits = DriftLimits()
    """What each figure of a window may be."""

    @model_validator(mode="after")
    def _can_be_met(self) -> Self:
        if self.needed > self.of_last:
            raise ValueError(f"needed: {self.needed} of of_last: {self.of_last} windows can never be")
        return self


class TriggersSpec(WindowsSpec):
    """When drift starts a run: new rows, or live texts, that are far from what the champion was trained on."""

    source: Source | None = None
    """Where live texts are that nobody labels, in the columns that data.columns.text and text_pair name; None: the
    pipeline's own new rows are looked at."""
    time: str | None = None
    """The column of `source` that says when a text came."""
    keep_days: float = Field(default=90, ge=1)
    """How long texts of `source` are kept after they were read, in days; then only a hash of each is, by which it is
    not read again. A season, so that windows of slow traffic fill; they are people's, and nobody trains on them."""
