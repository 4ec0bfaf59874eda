"""Settings of the registry: what may happen there without a person."""

from typing import Literal

from pydantic import Field

from perennial.settings.base import Label, Settings


class RegistrySpec(Settings):
    """What may happen in the registry."""

    mode: Literal["enforce", "observe"] = "enforce"
    """enforce: what the gates decide is done. observe: everything is computed, decided and registered, and no alias
    moves; a person can `perennial promote` what passed."""
    allow_dropped_labels: tuple[Label, ...] = ()
    """Labels of the champion that a candidate need not know any more; any other that is gone holds the candidate."""
    approval: Literal["none", "required"] = "none"
    """required: a candidate that passes its gates does not serve before a person says `perennial approve`."""
    approval_days: float = Field(default=14, gt=0, allow_inf_nan=False)
    """A candidate that was judged longer ago, in days, is judged again before it is approved, or promoted by hand; so
    is one after whose judging test rows came. Two weeks: long enough for who decides on Mondays, with a week off."""
