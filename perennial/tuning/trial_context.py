"""What every trial of a search has in common: the rows, the base model, and all settings that are not tuned."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from perennial import kinds
from perennial.core import digest
from perennial.core.errors import ValidationError
from perennial.core.home import Home
from perennial.kinds.protocols import JudgesAnswers
from perennial.pipeline_file import edit
from perennial.records.data import EncodedData, ValidatedData
from perennial.records.training import StartingPoint, TrainedModel
from perennial.settings.pipeline import PipelineSpec
from perennial.settings.training import TrainingSpec
from perennial.training import base_model, finetuning, precision, train_run
from perennial.training.callbacks import AfterEpoch
from perennial.tuning import space
from perennial.tuning.space import Settings, Space, Value

GROUP = "training"
"""Of pipeline.yaml: where what is tuned stands."""


@dataclass(frozen=True)
class TrialContext:
    """What trials are made on."""

    spec: PipelineSpec
    validated: ValidatedData
    encoded: EncodedData
    home: Home
    start: StartingPoint | None = None

    @property
    def kind(self) -> JudgesAnswers:
        """What is learned."""
        return kinds.kind_named(self.spec.kind)

    @property
    def metric(self) -> str:
        """What a trial is judged by, on validation rows."""
        return self.kind.headline_metric

    @property
    def lower_is_better(self) -> bool:
        """Which way `metric` is better."""
        return self.metric in self.kind.lower_is_better

    @property
    def rows(self) -> int:
        """The validation rows."""
        return self.validated.rows.get("validation", 0)

    @cached_property
    def space(self) -> Space:
        """What is tried."""
        from perennial.training import model

        plain = edit.with_settings(self.spec, GROUP, {"learning_rate": "auto"})
        return space.space_of(self.spec, train_run.encoder_rate(plain, model.width_of(self._base)))

    @property
    def now(self) -> dict[str, Value]:
        """The pipeline's settings as they are."""
        return space.of_pipeline(self.space, self.spec)

    @cached_property
    def key(self) -> str:
        """The same for two searches whose trials can be compared."""
        usual = {name: TrainingSpec.model_fields[name].default for name in self.space}
        return digest.of_values(others=self.key_of(usual), space={name: repr(one) for name, one in self.space.items()})

    def key_of(self, settings: Settings) -> str:
        """Under which the store keeps the model that `settings` give."""
        spec = self._with(settings)
        return finetuning.training_key(spec, self.encoded, self.validated, self._base, self._computed_in, self.start)

    def train(self, settings: Settings, heard: AfterEpoch | None = None) -> TrainedModel:
        """The model that `settings` give; raises as `finetune` does."""
        return finetuning.finetune(self._with(settings), self.encoded, self.validated, self.home, self.start, heard)

    def trained(self, settings: Settings) -> TrainedModel | None:
        """The same, if the store has it."""
        return self.home.store.get(finetuning.STEP, self.key_of(settings), TrainedModel)

    def check(self) -> None:
        """Raises ValidationError when there is nothing to judge trials by."""
        if not self.rows:
            raise ValidationError(
                f"None of the rows of {self.spec.name} is in the validation split, and it alone may choose settings.",
                remedy="Add rows, or raise data.splits.validation.",
            )

    def _with(self, settings: Settings) -> PipelineSpec:
        # What auto stands for is measured, and is the same for all trials.
        return edit.with_settings(self.spec, GROUP, {**settings, "precision": self._computed_in})

    @cached_property
    def _base(self) -> base_model.BaseModel:
        return base_model.find_base_model(self.spec)

    @cached_property
    def _computed_in(self) -> precision.Precision:
        return precision.choose_precision(self.spec.training.precision)
