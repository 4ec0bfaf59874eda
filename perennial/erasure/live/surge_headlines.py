"""Forgotten texts among the headlines by which alarms tell of a surge."""

from __future__ import annotations

from collections.abc import Iterator

from perennial.core.home import Home
from perennial.erasure.receipt import TracePlace
from perennial.ingest.forgotten import Sieve
from perennial.monitoring.alarms import alarm_database, headlines
from perennial.settings.pipeline import PipelineSpec

WHAT = "headlines of alarms"


def places(spec: PipelineSpec, home: Home, sieve: Sieve, *, erases: bool) -> Iterator[TracePlace]:
    """The file of alarms, if it names any."""
    path = alarm_database.path_of(home, spec.name)
    if count := headlines.take_out(home, spec.name, lambda one: sieve.is_of(one.id, one.text), erases=erases):
        yield TracePlace(what=WHAT, where=path.relative_to(home.root).as_posix(), rows=count)
