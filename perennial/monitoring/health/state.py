"""What is remembered of windows from one look at health to the next: health.json in the pipeline's state."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from pydantic import Field, ValidationError

from perennial.core import progress
from perennial.core.home import Home
from perennial.core.record import Record
from perennial.core.store import write_atomically
from perennial.monitoring.health.health_figures import HealthFigures
from perennial.monitoring.health.windows import Bounds

FILE = "health.json"
DAMAGED = "health.damaged.json"


class LookedWindow(Record):
    """A window that was looked at, and what is needed to judge it again when labels come."""

    figures: HealthFigures
    passed: tuple[str, ...] = ()
    """The names of the limits that it passed, in the order of the figures' sentences."""
    own_accuracy: float | None = None
    """Of the version on its test rows; None: it was not known."""
    own_unsure: float | None = None
    """The share of unsure answers to rows that it did not learn from; None: it was not known."""
    first: str
    """The id of its first text."""
    last: str
    read: datetime
    """When its last text was read."""

    @property
    def bounds(self) -> Bounds:
        """Where it begins and ends."""
        return Bounds(self.first, self.last, self.read)


class VersionHealth(Record):
    """What is remembered of one version."""

    windows: tuple[LookedWindow, ...] = ()
    """Oldest first."""
    calls: int = 0
    """How often it called for a run."""
    last_call: datetime | None = None


class HealthState(Record):
    """What is kept from one look to the next."""

    versions: Mapping[str, VersionHealth] = Field(default_factory=dict)


def read_state(home: Home, pipeline: str) -> HealthState:
    """What the last look left; nothing, where there was none. A damaged file is set aside, and said so."""
    path = _path(home, pipeline)
    try:
        return HealthState.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return HealthState()
    except ValidationError:
        path.replace(path.with_name(DAMAGED))
        progress.note(
            f"What was known of the health of {pipeline} can't be read any more; it is kept as {DAMAGED} beside where "
            "it was. All texts there are will be looked at again."
        )
        return HealthState()


def write_state(home: Home, pipeline: str, state: HealthState) -> None:
    """Keep `state` in the place of what was there, as a whole or not at all."""
    write_atomically(_path(home, pipeline), state.model_dump_json(indent=1) + "\n")


def _path(home: Home, pipeline: str) -> Path:
    return home.state(pipeline) / FILE
