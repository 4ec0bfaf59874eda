"""Settings of the model's health on live texts."""

from typing import Self

from pydantic import Field, model_validator

from perennial.settings.base import Settings, Share
from perennial.settings.drift import DriftLimits


class HealthSpec(Settings):
    """What is looked at in each window of live texts, and when the model is trained anew."""

    window_texts: int = Field(default=500, ge=50)
    """Texts of a window; one that is not full yet is not looked at."""
    unsure_below: Share = 0.6
    """An answer with a lower score is an unsure one."""
    unsure_at_most: Share | None = None
    """The share of unsure answers that a window may have. None: 0.1 more than among the rows that the champion did not
    learn from, so that a model of hard texts does not always seem unwell."""
    accuracy_at_least: Share | None = None
    """The lowest accuracy that is well, whether it was measured on labels or estimated without. None: `accuracy_drop`
    alone says."""
    accuracy_drop: Share = 0.05
    """How far accuracy may be below the champion's own on its test rows. A window is over it only where chance does not
    explain that it is below that: where the whole interval is."""
    drift: DriftLimits | None = DriftLimits()
    """What each figure of drift may be, in a window beside rows that the champion was trained and judged on. The
    labels' is not measured, as live texts have none. None: drift is not looked at here."""
    needed: int = Field(default=2, ge=1)
    """Windows in which the same limit must be passed, the latest among them, to call for a run."""
    of_last: int = Field(default=3, ge=1, le=50)
    """Out of so many, the latest that the same version answered."""
    cooldown_hours: float = Field(default=24, ge=0)
    """After a call for a run there is none for so long; twice as long after each further one that the same version
    caused, as what was tried did not help."""

    @model_validator(mode="after")
    def _can_be_met(self) -> Self:
        if self.needed > self.of_last:
            raise ValueError(f"needed: {self.needed} of of_last: {self.of_last} windows can never be")
        return self
