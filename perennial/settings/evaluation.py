"""Settings of judging: slices, intervals, how long a champion may take."""

from typing import Annotated

from pydantic import Field

from perennial.settings.base import Settings
from perennial.settings.behaviours import CounterfactualsSpec

TEST_BUDGET = 0.03


class SliceSpec(Settings):
    """Test rows that are judged by themselves, too."""

    name: str = Field(min_length=1)
    """What reports and gates call it."""
    where: str = Field(min_length=1)
    """An SQL expression over text, label, time, text_length (in characters) and data.columns.slices, for example
    "text LIKE '%profit%' AND text_length < 80"."""


class EvaluationSpec(Settings):
    """How the candidate is measured beside the champion."""

    slices: tuple[SliceSpec, ...] = ()
    """On top of those by data.columns.slices, text length, time and label."""
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    """Of every interval, two-sided: at 0.95, at most one in forty candidates that are worse by the whole margin is
    promoted."""
    test_budget: Annotated[float, Field(gt=0, lt=0.5)] | None = Field(
        default=TEST_BUDGET, exclude_if=lambda budget: budget == TEST_BUDGET
    )
    """With what probability any of all candidates that were compared on one set of test rows may be promoted though it
    is worse by more than the margin of a gate on all test rows, versus: champion or anchor. Each candidate spends some
    of it, new test rows bring it back. 0.03: so that a year in which rows grow fivefold stays below 0.05, even if every
    candidate is worse by the margin. null: each is compared as if it were the only one, at `confidence`."""
    resamples: int = Field(default=10_000, ge=1000)
    """Of the paired bootstrap."""
    champion_slowdown: float = Field(default=30.0, ge=1, allow_inf_nan=False)
    """How many times as long as the candidate the champion may take to answer the same rows; two minutes are always
    allowed. One that takes longer, or hangs, is ended and can't be judged: the candidate is held. A BERT of 12 layers
    in fp32 beside the default model in int8 comes to about 20: 8 times the arithmetic, 2.4 times slower arithmetic."""
    counterfactuals: CounterfactualsSpec = CounterfactualsSpec()
    """Test rows asked again with names, genders, nationalities and companies swapped."""
