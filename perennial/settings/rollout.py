"""Settings of a rollout: how a challenger is tried on live traffic before it may serve."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from perennial.settings.base import Settings

Margin = Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)]


class RolloutSpec(Settings):
    """How a version that passed its gates is tried beside the champion, on what users ask, until it is shown to be
    within the margins or worse.

    What a challenge begins with is written into the ledger and holds for it to its end, whatever is set meanwhile.
    """

    mode: Literal["shadow", "canary"] = "shadow"
    """shadow: the champion answers everybody, and the challenger is asked the same in the background. canary: the
    users of `share` get the challenger's answers, and the champion is asked the same in the background."""
    share: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Of users: those on whose requests both versions are asked. The same user is always in it, or never. It is also
    what the second version costs: 0.1 is a tenth more work."""
    user_header: str = Field(default="x-user-id", pattern=r"^[A-Za-z0-9-]+$")
    """The header by whose value users are told apart; who sends none is told apart by address, and behind a proxy that
    is one address for all."""
    margin: Margin = 0.03
    """How much worse than the champion the challenger may be: in the share of rows answered rightly, by late labels."""
    error_margin: Margin = 0.01
    """The same of requests that a version could not answer."""
    slow_margin: Margin = 0.05
    """The same of requests that were slow: slower than the slowest twentieth of the champion's first ones."""
    max_disagreement: Margin = 0.2
    """Where the two are shown to differ in more than this share of rows the trial ends, and a person is asked: which of
    them is right no disagreement tells."""
    alpha: Annotated[float, Field(gt=0, le=0.5)] = 0.05
    """How often, at most, a challenger that is no worse is dropped, and how often one that is worse by a margin passes;
    however often the figures are looked at. Where servers share no home each of them may err so: divide it by their
    number."""
    max_days: float = Field(default=14, gt=0, allow_inf_nan=False)
    """After so many days without a conclusion a person is asked."""
    max_rows: int = Field(default=100_000, ge=100)
    """Rows compared at most, each with both answers in the home until the trial ends; then only labels are waited for.
    A margin of 0.03 takes some thousand."""
    on_success: Literal["ask", "promote"] = "ask"
    """What becomes of a challenger that is within all margins. ask: it awaits `perennial approve`. promote: it becomes
    champion by itself, unless its pipeline or a rollback asks for a person."""
    runs: Literal["none", "promote", "hold"] = "none"
    """Which candidates of runs become challengers by themselves. promote: those that passed their gates, in place of
    being promoted. hold: also those that were held, in the shadow and only to see; they are never promoted by it."""

    @model_validator(mode="after")
    def _told_apart(self) -> Self:
        if self.max_disagreement <= self.margin:
            raise ValueError(
                f"max_disagreement ({self.max_disagreement}) is not above margin ({self.margin}): versions that differ "
                "in fewer rows than the margin need no labels, so nothing would be left between the two"
            )
        return self
