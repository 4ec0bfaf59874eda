"""Settings of fine-tuning."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from perennial.settings.base import Settings


class TrainingSpec(Settings):
    """How the model is fine-tuned."""

    epochs: float = Field(default=3, gt=0, le=1000)
    """Passes over the training rows at most; early stopping may end them sooner."""
    learning_rate: Annotated[float, Field(gt=0, lt=1)] | Literal["auto"] = "auto"
    """Peak, of the encoder's top layer. auto: 2e-4 at a hidden width of 384, falling with its square (5e-5 at 768)."""
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Each layer's peak learning rate is this times that of the layer above; the embeddings are lowest. 1: the same for
    all. 0.85 was better with 6,000 rows to train on, and worse with 2,000, which give too few steps to learn so slowly;
    `perennial init` writes what suits the rows."""
    head_learning_rate: float = Field(default=1e-3, gt=0, lt=1)
    """Peak, of the new head, which starts from nothing."""
    tokens_per_batch: int = Field(default=1024, ge=8)
    """Tokens, padding included, in one forward pass; texts of like lengths share a batch."""
    rows_per_batch: int = Field(default=64, ge=1)
    """At most; keeps batches of very short texts small enough to learn from."""
    accumulation: int = Field(default=1, ge=1)
    """Batches per optimizer step."""
    min_steps: int | None = Field(default=None, ge=1, le=100_000, exclude_if=lambda steps: steps is None)
    """Steps of the optimizer at least: where rows_per_batch, tokens_per_batch and epochs come to fewer, batches become
    smaller, down to 16 rows, and then there are more epochs; no early stopping before. 80 rows of 7 tokens came to 3
    steps and an accuracy of 0.60, and with 80 steps to 1.00. None: as few as the rows make. `perennial init` writes
    100, which changes nothing where rows are many."""
    averaging: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share that the running average of the weights keeps at each step; the average is what is judged and kept. 0: the
    weights of the last step. 0.99 was better with 6,000 rows to train on; it wants some hundred steps."""
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Share of all steps in which the learning rate rises; then it falls linearly to 0."""
    weight_decay: float = Field(default=0.01, ge=0)
    """AdamW's, of all weights but biases and normalisation."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Before the head."""
    encoder_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Inside the encoder, after each sublayer. Over the few epochs of a fine-tuning it changed no accuracy that was
    measured."""
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Share of each target spread evenly over all labels: scores come out calibrated, and labels have errors."""
    class_weights: Literal["none", "balanced"] = "none"
    """balanced: a label's weight in the loss is inverse to its frequency. regression has none."""
    max_gradient_norm: float = Field(default=1.0, gt=0)
    """Longer gradients are cut to this length."""
    early_stopping: int = Field(default=2, ge=1)
    """Epochs without a better validation score after which training ends; the best checkpoint is kept anyway."""
    freeze_embeddings: bool = False
    """Keep the pretrained token embeddings, about half of a small model's weights."""
    freeze_layers: int = Field(default=0, ge=0)
    """The lowest N layers keep their pretrained weights."""
    gradient_checkpointing: bool = False
    """Keep what each layer gives only at its edges, and compute the rest again for the gradient: for long texts or
    large models that would not fit into memory. A step takes about a third longer."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """auto: bf16 autocast where the GPU has it, or the CPU multiplies matrices faster in it, which is measured; else
    fp32. Some CPUs have the instructions and are twice as fast without."""
    seed: int = Field(default=42, ge=0)
    """Of the head's first weights, dropout and the order of batches."""
    checkpoint_seconds: float = Field(default=30, gt=0)
    """At least this long between the checkpoints from which a killed training resumes."""
    start_from: Literal["base", "champion"] = "base"
    """base: every training starts from model.base. champion: from the weights of the model serving now, whose labels
    may be others; from the base where there is no champion yet or its weights can't be had, which is recorded."""
    max_rows: int | None = Field(default=None, ge=1)
    """At most so many rows are learned from, so that the cost of a run does not grow with the history: the same row is
    drawn in every run in which there is room for it, and every label keeps its share. None: all rows."""
    half_life_days: float | None = Field(default=None, gt=0)
    """With max_rows: a row this much older than the newest is half as likely to be drawn, one twice as old a quarter.
    Needs data.columns.time. None: all alike."""
    replay: float | None = Field(default=None, ge=0, lt=1)
    """With start_from: champion: share of the rows that the champion learned from among those learned from now; the
    others are new. 0: new rows only, which forgets. None: new and old rows are drawn alike."""
    hold: Literal["none", "l2-sp"] = "none"
    """l2-sp: in place of weight decay, a penalty on the squared distance from the starting weights (of the base, or of
    the champion)."""
    hold_strength: float = Field(default=0.01, gt=0)
    """With hold: how strong the penalty is: half of this times the squared distance."""

    @model_validator(mode="after")
    def _drawn_from(self) -> Self:
        if self.replay is not None and self.start_from != "champion":
            raise ValueError("replay goes with start_from: champion; a training from the base has no old rows")
        if self.half_life_days is not None and self.max_rows is None and self.replay is None:
            raise ValueError("half_life_days goes with max_rows or replay; else all rows are learned from alike")
        return self
