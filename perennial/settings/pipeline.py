"""The settings of one pipeline: all that pipeline.yaml holds.

Reading the file, its line numbers and `--set` overrides are in `perennial.pipeline_file.loader`.
"""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, PrivateAttr, model_validator

from perennial.core.errors import SpecError
from perennial.settings.base import Settings
from perennial.settings.behaviours import BehavioursSpec
from perennial.settings.data import DataSpec, FileSource
from perennial.settings.drift import TriggersSpec
from perennial.settings.evaluation import EvaluationSpec
from perennial.settings.export import ExportSpec
from perennial.settings.gates import GateSpec
from perennial.settings.model import ModelSpec
from perennial.settings.monitor import MonitorSpec
from perennial.settings.notify import NotifySpec
from perennial.settings.registry import RegistrySpec
from perennial.settings.report import ReportSpec
from perennial.settings.rollout import RolloutSpec
from perennial.settings.schedule import ScheduleSpec
from perennial.settings.serving import ServingSpec
from perennial.settings.training import TrainingSpec

_WATCHED = """add to its pipeline.yaml:

monitor:
  source: {type: file, path: "live/*.jsonl"}   # texts that nobody labelled
  columns: {text: text, time: published_at, source: publisher}
"""


class PipelineSpec(Settings):
    """One pipeline: what it learns, from what, and when the result may serve."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")
    """Lower-case letters, digits, - and _; also the registered model's name."""
    kind: str
    """The kind of task, for example text-classification."""
    data: DataSpec
    """Where labelled rows come from and what is expected of them."""
    model: ModelSpec = ModelSpec()
    """The pretrained model that is fine-tuned."""
    training: TrainingSpec = TrainingSpec()
    """How the model is fine-tuned."""
    export: ExportSpec = ExportSpec()
    """What the registered package is."""
    evaluation: EvaluationSpec = EvaluationSpec()
    """How the candidate is measured beside the champion."""
    behaviours: BehavioursSpec = BehavioursSpec()
    """What the model must do with texts that are made up for it."""
    gates: Annotated[tuple[GateSpec, ...], Field(min_length=1)]
    """At least one: a pipeline without a gate would promote anything."""
    registry: RegistrySpec = RegistrySpec()
    """What may happen in the registry."""
    report: ReportSpec = ReportSpec()
    """What the page about a run shows."""
    serving: ServingSpec = ServingSpec()
    """How `perennial serve` answers."""
    rollout: RolloutSpec = Field(default=RolloutSpec(), exclude_if=lambda rollout: rollout == RolloutSpec())
    """How a challenger is tried on live traffic before it may serve."""
    schedule: ScheduleSpec | None = None
    """When a scheduled run starts; none: only when asked to."""
    triggers: TriggersSpec | None = None
    """When drift starts a run; none: drift is not looked at."""
    monitor: MonitorSpec | None = Field(default=None, exclude_if=lambda monitor: monitor is None)
    """What `perennial monitor` reads, counts and tells of; none: there is no live stream."""
    notify: NotifySpec = NotifySpec()
    """Who is told how runs end."""
    _folder: Path = PrivateAttr(default=Path())

    @model_validator(mode="after")
    def _ages_known(self) -> Self:
        if self.training.half_life_days is not None and self.data.columns.time is None:
            raise ValueError("training.half_life_days needs data.columns.time, by which a row has an age")
        return self

    @model_validator(mode="after")
    def _one_anchor(self) -> Self:
        if len({gate.days for gate in self.gates if gate.versus == "anchor"}) > 1:
            raise ValueError("gates name different days with versus: anchor; there is one anchor, so give all the same")
        return self

    @property
    def folder(self) -> Path:
        """Where pipeline.yaml lies: relative paths start there. Not a setting, so no part of any key."""
        return self._folder

    def live_stream(self) -> MonitorSpec:
        """What is made of live texts. Raises SpecError where the pipeline has none."""
        if self.monitor is None:
            raise SpecError(
                f"{self.name} has no live stream: its pipeline.yaml says nothing under monitor.",
                remedy=f"To have its texts read, answered and watched, {_WATCHED}",
            )
        return self.monitor

    def located(self, folder: Path) -> Self:
        """The same pipeline, its relative paths starting at `folder`."""
        copy = self.model_copy()
        copy._folder = folder
        return copy

    @model_validator(mode="after")
    def _something_to_watch(self) -> Self:
        if self.schedule and self.schedule.watch and not isinstance(self.data.source, FileSource):
            raise ValueError(
                f"schedule.watch looks for files, and data.source is of type {self.data.source.type}; leave watch out"
            )
        return self
