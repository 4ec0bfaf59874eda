"""Settings of the package: its precision, a smaller student, a cascade."""

from typing import Literal

from pydantic import Field

from perennial.settings.base import Settings, Share


class StudentSpec(Settings):
    """A smaller model that learns from the fine-tuned one, its teacher, and is exported in its place."""

    layers: int = Field(ge=1)
    """Of the encoder; fewer than model.base has. It begins as so many of its teacher's, evenly spaced."""
    epochs: float = Field(default=6, gt=0, le=1000)
    """Passes over the teacher's training rows at most; training.early_stopping may end them sooner. Everything else
    about the training is as `training` says, but that no layer is frozen and no weight held."""
    temperature: float = Field(default=2.0, gt=0, le=100)
    """By which the outputs of both are divided where they are compared: above 1, also what the teacher thinks of
    unlikely labels counts. regression has none."""
    soft_share: Share = 0.7
    """Share of the loss that is the distance from the teacher's outputs; the rest is from the rows' own targets."""


class CascadeSpec(Settings):
    """A linear model in the package that answers the rows it is sure of, in microseconds; the transformer answers the
    others."""

    max_loss: Share = 0.002
    """Validation accuracy that may be lost against the transformer alone. How sure the linear model must be to answer
    is chosen so that it answers as many validation rows as that allows."""


class ExportSpec(Settings):
    """What the registered package is."""

    precision: Literal["fp32", "int8", "fp16"] = "int8"
    """int8: dynamic, per channel; a quarter of the size. fp16: for GPUs."""
    max_drop: Share = 0.01
    """Validation accuracy (or the kind's main metric) int8 or fp16 may lose against fp32; past it fp32 is packed."""
    student: StudentSpec | None = None
    """A model of fewer layers, to be exported instead; none: the fine-tuned model itself is."""
    cascade: CascadeSpec | None = None
    """text-classification: a linear model before the transformer; none: the transformer answers every row."""
