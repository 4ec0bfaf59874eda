"""A whole run: why it was started, all that it found, and how it ended."""

from enum import StrEnum
from typing import Literal

from pydantic import Field

from perennial.core.record import Record
from perennial.records.data import Snapshot, ValidatedData
from perennial.records.decision import Decision
from perennial.records.evaluation import Evaluation
from perennial.records.package import OnnxPackage
from perennial.records.training import TrainedModel


class Trigger(Record):
    """Why a run was started."""

    kind: Literal["hand", "schedule", "data", "drift"] = "hand"
    detail: str = ""
    """In words, for example the file that came, or what drifted."""


class Overrides(Record):
    """What `--set` changed of what a person wrote down in pipeline.yaml about who may serve."""

    settings: tuple[str, ...]
    """Their dotted names: gates, approval, splits."""
    reason: str

    def __str__(self) -> str:
        return f"pipeline.yaml was overridden by --set {', '.join(self.settings)}: {self.reason.rstrip('.')}"


class Evidence(Record):
    """All that a run found, and its decision rests on; what is registered with the package."""

    snapshot: Snapshot
    validated: ValidatedData
    trained: TrainedModel
    package: OnnxPackage
    evaluation: Evaluation
    decision: Decision
    seconds: dict[str, float]
    """Wall-clock time of each step so far."""
    libraries: dict[str, str] = Field(default={})
    """Versions of what made and judged it; empty: made by an older Perennial, which did not say."""
    trigger: Trigger = Trigger()
    """Why the run was started."""
    overrides: Overrides | None = None
    """None: its gates, approval and splits were those of pipeline.yaml."""
    judged_on: ValidatedData | None = None
    """The rows that it was judged on where those are newer than the run's own; None: the run's own."""

    @property
    def judged(self) -> ValidatedData:
        """The rows that it was judged on."""
        return self.judged_on or self.validated


class Report(Record):
    """The page about a run, for people: one HTML file that needs nothing but itself."""

    pipeline: str
    decision: str
    """Digest of the decision it tells about."""
    path: str
    size_bytes: int


class RegisteredVersion(Record):
    """A model version in MLflow's registry."""

    model: str
    version: str
    run_id: str
    package_digest: str
    champion_version: str | None
    """The champion that the decision was made against."""


class Status(StrEnum):
    """How a run ended."""

    PROMOTED = "promoted"
    HELD = "held"
    REJECTED = "rejected"
    OBSERVED = "observed"
    """Judged and registered, and nothing was to move: registry.mode is observe."""
    SKIPPED = "skipped"


class RunResult(Record):
    """What a retraining run came to."""

    status: Status
    model: str
    version: str | None
    run_id: str | None
    """MLflow's."""
    reasons: tuple[str, ...]
    snapshot: Snapshot
    evidence: Evidence | None = None
    """None: skipped, there was nothing to do."""
    report: Report | None = None
    """None: skipped."""
    trigger: Trigger = Trigger()
    """Why it was started."""
    seconds: dict[str, float]
    """Wall-clock time of each step."""
