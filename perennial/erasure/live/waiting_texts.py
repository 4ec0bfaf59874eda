"""Forgotten texts among those that wait to be labelled."""

from __future__ import annotations

from collections.abc import Iterator

from perennial.core.home import Home
from perennial.erasure.receipt import TracePlace
from perennial.ingest.forgotten import Sieve
from perennial.labelling import waiting_list
from perennial.settings.pipeline import PipelineSpec

WHAT = "live texts that wait to be labelled"


def places(spec: PipelineSpec, home: Home, sieve: Sieve, *, erases: bool) -> Iterator[TracePlace]:
    """The list, if it holds any."""
    path = waiting_list.list_path(home, spec.name)
    if not path.exists():
        return
    with waiting_list.locked(home, spec.name):
        waiting = waiting_list.read_list(home, spec.name)
        ids = {one.id for one in waiting.texts if sieve.is_of(one.id, one.text)} if waiting else set()
        if erases and waiting and ids:
            waiting_list.write_list(home, spec.name, waiting.without(ids))
    if ids:
        yield TracePlace(what=WHAT, where=path.relative_to(home.root).as_posix(), rows=len(ids))
