"""What a dashboard is made from, and how much of it is drawn at most."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from perennial.monitoring.alarms.alarm import Alarm
from perennial.monitoring.dashboard.figures import DashboardRemark, VersionMark
from perennial.monitoring.health.health_figures import HealthFigures
from perennial.settings.monitor import MonitorSpec

if TYPE_CHECKING:
    import pyarrow as pa

MOST_ALARMS = 100
MOST_WINDOWS = 200
"""Of health."""
MOST_MENTIONS = 8
"""Sources, topics and entities of an alarm that are named."""


@dataclass(frozen=True)
class DashboardMaterial:
    """What a dashboard is made from."""

    pipeline: str
    monitor: MonitorSpec
    tables: Iterable[pa.Table]
    """Of `stored_schema`, in the order in which texts were read. Gone through three times: a list, or what reads them
    anew each time."""
    alarms: Sequence[Alarm] = ()
    health: Sequence[HealthFigures] = ()
    promotions: Sequence[VersionMark] = ()
    """When a version became champion."""
    remarks: Sequence[DashboardRemark] = ()
    """What could not be read."""
