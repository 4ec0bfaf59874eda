"""What a training starts from, and the model it makes."""

from typing import Any

from pydantic import Field

from perennial.core.record import Record

FEW_STEPS = 40
"""Of the optimizer: with fewer, what is new to the base model is hardly learned. 80 rows of ten labels came to 0.60
with 3 steps, and to 1.00 with 80."""


class Start(Record):
    """What a training that was to start from the champion started from."""

    version: str | None = None
    """The champion's; None: from the base model after all."""
    digest: str | None = None
    """sha256 of that version's model.safetensors."""
    path: str | None = None
    """Where those weights lie in the store."""
    problem: str | None = None
    """Why it started from the base model; None: it did not."""


class StartingPoint(Record):
    """The champion as a training goes on from it."""

    start: Start
    labels: tuple[str, ...] = ()
    """Those it knows, in its own order."""
    parts: tuple[str, ...] = ()
    """sha256 of the snapshot's parts that it learned from."""
    decoding: dict[str, Any] = Field(default={})
    """What its outputs are read by."""


class SampleSize(Record):
    """How many rows were learned from where it was not all of them."""

    rows: int
    of: int
    """All train rows."""
    new: int | None
    """Of `rows`, those that the model it started from did not learn from; None: it started from the base model."""


class Halved(Record):
    """Batches halved because memory ran out, and accumulated twice as often: the optimizer sees as much in a step."""

    step: int
    """Of the optimizer, from 0, in which it ran out."""
    tokens_per_batch: int
    rows_per_batch: int
    accumulation: int
    """From that step on."""


class StepFloor(Record):
    """What was changed so that a training takes the steps that it must take."""

    min_steps: int
    """As `training.min_steps` asks."""
    instead_of: int
    """Steps that it would have been without."""
    rows_per_batch: int
    """At most; as it was set, or less."""
    epochs: float
    """As they were set, or more."""

    @property
    def sentence(self) -> str:
        """The same in words."""
        return (
            f"The settings come to {self.instead_of:,} step{'s' * (self.instead_of != 1)} on these rows, and "
            f"training.min_steps asks for {self.min_steps:,}: batches have {self.rows_per_batch:,} rows at most, and "
            f"epochs are {self.epochs:g}."
        )


class Distillation(Record):
    """From what a model of fewer layers learned."""

    layers: int
    """Its own."""
    teacher_layers: int
    metric: str
    """The kind's main metric."""
    teacher: "TrainedModel"
    """The run's fine-tuned model."""


class TrainedModel(Record):
    """A fine-tuned or distilled model in a folder: model.safetensors, config.json, tokenizer.json, training.json."""

    digest: str
    """sha256 of model.safetensors."""
    path: str
    base: str
    base_revision: str
    """sha256 of the base model's weights."""
    pooling: str
    precision: str
    """fp32 or bf16: what training computed in."""
    epochs: float
    best_epoch: float
    train_rows: int
    validation: dict[str, float]
    """Metrics of the best checkpoint on the validation split, by the torch model."""
    decoding: dict[str, Any] = Field(default={})
    """What its outputs are read by beyond the labels, as the kind chose it on the validation split."""
    seconds: float
    steps: int | None = Field(default=None, exclude_if=lambda steps: steps is None)
    """Of the optimizer, that were taken; None: trained by an older Perennial."""
    step_floor: StepFloor | None = Field(default=None, exclude_if=lambda floor: floor is None)
    """None: the settings came to enough steps, or training.min_steps is not set."""
    halved: tuple[Halved, ...] = ()
    """Each time that memory ran out in training."""
    start: Start | None = None
    """None: training.start_from was base."""
    sample: SampleSize | None = None
    """None: all train rows were learned from."""
    distillation: Distillation | None = None
    """None: it is the fine-tuned model itself."""

    @property
    def fine_tuned(self) -> "TrainedModel":
        """The model that a later training goes on from: itself, or its teacher."""
        return self.distillation.teacher if self.distillation else self

    @property
    def remarks(self) -> tuple[str, ...]:
        """What was not as usual, each in a sentence."""
        sentences = []
        if self.start and self.start.version:
            sentences.append(f"Training went on from the weights of version {self.start.version}.")
        elif self.start:
            sentences.append(f"Training started from the base model, not from the champion: {self.start.problem}.")
        if self.sample:
            new = "" if self.sample.new is None else f", {self.sample.new:,} of them new"
            sentences.append(f"It learned from {self.sample.rows:,} of {self.sample.of:,} rows{new}.")
        if self.step_floor:
            sentences.append(self.step_floor.sentence)
        if self.steps is not None and self.steps < FEW_STEPS:
            sentences.append(_few_steps(self.steps))
        if self.distillation:
            sentences.append(_distilled(self, self.distillation))
        if self.halved:
            last = self.halved[-1]
            sentences.append(
                f"Memory ran out, so batches became smaller, in the end {last.tokens_per_batch:,} tokens, and were "
                f"accumulated {last.accumulation} times."
            )
        return tuple(sentences)


def _few_steps(steps: int) -> str:
    return (
        f"Training took only {steps:,} step{'s' * (steps != 1)} of the optimizer, which is too few to learn much: set "
        "training.min_steps (100 is a good start), or add rows."
    )


def _distilled(model: TrainedModel, how: Distillation) -> str:
    own, teacher = (each.validation.get(how.metric, float("nan")) for each in (model, how.teacher))
    return (
        f"It has {how.layers} of {how.teacher_layers} layers, distilled: its validation {how.metric} is {own:.3f}, its "
        f"teacher's {teacher:.3f}."
    )
