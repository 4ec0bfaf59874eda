"""Settings of `perennial monitor`: the live texts of a pipeline, and what is made of them."""

from pydantic import Field

from perennial.settings.base import Settings
from perennial.settings.monitor.alarms import AlarmsSpec
from perennial.settings.monitor.copies import CopiesSpec
from perennial.settings.monitor.health import HealthSpec
from perennial.settings.monitor.labelling import LabellingSpec
from perennial.settings.monitor.streams import LiveColumnsSpec, LiveSource, RedactionSpec, TextTableSpec
from perennial.settings.monitor.trends import TrendsSpec


class MonitorSpec(Settings):
    """What `perennial monitor` reads, answers, counts, and tells of."""

    source: LiveSource
    """Where new texts come from."""
    columns: LiveColumnsSpec = LiveColumnsSpec()
    """Which column of the source holds what. Feeds need none."""
    every_minutes: float = Field(default=15, ge=1, le=24 * 60)
    """How often `perennial schedule` looks for new texts, in minutes."""
    topics: str | None = None
    """The registered model, by its pipeline's name, whose champion says what a text is about (text-classification or
    multi-label). None: topics are not asked for."""
    entities: str | None = None
    """The registered model, by its pipeline's name, whose champion finds entities (token-classification). None: none
    are looked for, and retold stories are told by their words alone."""
    redaction: RedactionSpec = RedactionSpec()
    """What is taken out of texts before anything is stored."""
    keep_days: float = Field(default=365, ge=1)
    """How long texts are kept after they were read, in days. Counts by time stay."""
    sql: TextTableSpec | None = None
    """A table that stored texts are copied to, each once. None: they are in the home alone."""
    copies: CopiesSpec = CopiesSpec()
    """How copies and retellings are told."""
    trends: TrendsSpec = TrendsSpec()
    """What is counted by time."""
    alarms: AlarmsSpec = AlarmsSpec()
    """When people are told of a surge, and when not."""
    health: HealthSpec = HealthSpec()
    """When the model itself is said to be unwell, and trained anew."""
    labelling: LabellingSpec = LabellingSpec()
    """Which texts people are asked to label."""
