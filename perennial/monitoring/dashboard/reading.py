"""What a home holds of a pipeline's stream, for its dashboard: the one place that reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from perennial.core.errors import PerennialError
from perennial.core.home import Home
from perennial.monitoring.alarms.alarm_table import alarms_of
from perennial.monitoring.dashboard.dashboard_material import DashboardMaterial
from perennial.monitoring.dashboard.figures import About, DashboardRemark, VersionMark
from perennial.monitoring.dashboard.gathering import dashboard_figures
from perennial.monitoring.health.look import health_of
from perennial.registry.history import moves
from perennial.registry.ledger import Entry, Ledger
from perennial.settings.pipeline import PipelineSpec
from perennial.stream.store import StreamStore

if TYPE_CHECKING:
    import pyarrow as pa

    from perennial.monitoring.dashboard.figures import DashboardFigures

COLUMNS = (
    "id", "text", "time", "source", "story", "telling", "model", "label", "score", "topic", "entities", "kept",
)  # fmt: skip
"""Of `stored_schema`; what a dashboard needs."""
T = TypeVar("T")


@dataclass(frozen=True)
class StoredTexts:
    """The stored texts that were read before `until`, read anew each time that they are gone through."""

    store: StreamStore
    until: datetime

    def __iter__(self) -> Iterator[pa.Table]:
        """In the order in which they were read."""
        return self.store.tables(COLUMNS, until=self.until)


def read_dashboard(spec: PipelineSpec, home: Home, now: datetime) -> DashboardFigures:
    """What the dashboard of a pipeline shows at `now` (aware). Raises PerennialError if its texts can't be read.

    Where alarms, health or the ledger can't be read, the dashboard says so and draws the rest.
    """
    monitor = spec.live_stream()
    remarks: list[DashboardRemark] = []
    store = StreamStore.open(home, spec.name)
    try:
        material = DashboardMaterial(
            pipeline=spec.name,
            monitor=monitor,
            tables=StoredTexts(store, now),
            alarms=_if_readable("alarms", lambda: alarms_of(home, spec.name), remarks),
            health=_if_readable("health", lambda: health_of(home, spec.name), remarks),
            promotions=_if_readable("versions", lambda: promotion_marks(Ledger.open(home).entries(spec.name)), remarks),
            remarks=remarks,
        )
        return dashboard_figures(material, now)
    finally:
        store.close()


def promotion_marks(entries: Sequence[Entry]) -> list[VersionMark]:
    """When a version became champion, and by whom, as the ledger's `entries` say; the oldest first."""
    return [
        VersionMark(version=move.to_version, since=move.moment, what="champion", by=f"{move.action}, {move.who}")
        for move in moves(entries)
        if move.to_version
    ]


def _if_readable(about: About, read: Callable[[], list[T]], remarks: list[DashboardRemark]) -> list[T]:
    try:
        return read()
    except PerennialError as error:
        remarks.append(DashboardRemark(about=about, text=f"Not to be read now: {error.problem}"))
        return []
