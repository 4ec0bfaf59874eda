"""Which settings of training are tuned, and the values that are tried."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from perennial.settings.pipeline import PipelineSpec

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

Value = float | int | str
Settings = Mapping[str, Value]
"""Settings of training by name; a text where the pipeline says `auto`."""
Point = Mapping[str, float | int]
"""The same as the search draws them: a number for each."""


@dataclass(frozen=True)
class Rate:
    """A number between two others; ratios count, not differences."""

    low: float
    high: float
    auto: float
    """What `auto` stands for."""

    def distribution(self) -> BaseDistribution:
        """As Optuna knows it."""
        from optuna.distributions import FloatDistribution

        return FloatDistribution(self.low, self.high, log=True)

    def value(self, drawn: float) -> Value:
        """The setting, to two digits: the next one says nothing."""
        return float(f"{drawn:.1e}")

    def nearest(self, value: Value) -> float:
        """What is drawn when this setting, or the nearest that can be, is meant."""
        number = self.auto if isinstance(value, str) else value
        return min(max(number, self.low), self.high)


@dataclass(frozen=True)
class Steps:
    """One of a few values, in their order."""

    values: tuple[float | int, ...]

    def distribution(self) -> BaseDistribution:
        """As Optuna knows it: the index of a value."""
        from optuna.distributions import IntDistribution

        return IntDistribution(0, len(self.values) - 1)

    def value(self, drawn: float) -> Value:
        """The setting."""
        return self.values[int(drawn)]

    def nearest(self, value: Value) -> int:
        """What is drawn when this setting, or the nearest there is, is meant."""
        return min(range(len(self.values)), key=lambda index: abs(self.values[index] - float(value)))


Space = Mapping[str, Rate | Steps]

LEARNING_RATE_SPAN = 4.0
"""How many times more, or less, than `auto` the learning rate may be."""


def space_of(spec: PipelineSpec, auto: float) -> Space:
    """What is tried for `spec`; `auto`: the learning rate that `auto` stands for."""
    space: dict[str, Rate | Steps] = {
        "epochs": Steps((1, 2, 3, 4, 5, 6)),
        "learning_rate": Rate(auto / LEARNING_RATE_SPAN, auto * LEARNING_RATE_SPAN, auto),
        "layer_decay": Steps((0.7, 0.8, 0.85, 0.9, 0.95, 1.0)),
        "head_learning_rate": Rate(2.5e-4, 1e-2, 1e-3),
        "tokens_per_batch": Steps((256, 512, 1024, 2048)),
        "averaging": Steps((0.0, 0.9, 0.99)),
    }
    # A number that is learned has no label to smooth.
    return space | ({"label_smoothing": Steps((0.0, 0.05, 0.1, 0.2))} if spec.data.labels else {})


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """`space` as Optuna knows it."""
    return {name: one.distribution() for name, one in space.items()}


def settings(space: Space, drawn: Point) -> dict[str, Value]:
    """The settings that a drawn point means."""
    return {name: one.value(drawn[name]) for name, one in space.items()}


def point_of(space: Space, wanted: Settings) -> dict[str, float | int]:
    """The point nearest to `wanted`, which may lie outside of what is tried."""
    return {name: one.nearest(wanted[name]) for name, one in space.items()}


def of_pipeline(space: Space, spec: PipelineSpec) -> dict[str, Value]:
    """The settings of `spec` as they are."""
    return {name: getattr(spec.training, name) for name in space}


def fitting(space: Space, wanted: Settings, otherwise: Settings) -> dict[str, Value]:
    """Those of the settings `wanted` by an earlier search that are still tuned; `otherwise` for the rest."""
    return {name: wanted.get(name, otherwise[name]) for name in space}
