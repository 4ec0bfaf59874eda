"""Forgotten texts among those of the live stream that were answered and stored."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from perennial.core import progress
from perennial.core.home import Home
from perennial.erasure.receipt import TracePlace
from perennial.ingest.forgotten import Sieve
from perennial.settings.pipeline import PipelineSpec
from perennial.stream import journal
from perennial.stream.store import FOLDER, StreamStore

WHAT = "stored live texts"


def places(spec: PipelineSpec, home: Home, sieve: Sieve, *, erases: bool) -> Iterator[TracePlace]:
    """The store of the stream, if it holds any."""
    folder = home.state(spec.name) / FOLDER
    if not (folder / journal.NAME).exists():
        return
    with closing(StreamStore.open(home, spec.name)) as store:
        ids = _forgotten_ids(store, sieve)
        if erases and ids:
            with store.alone():
                store.erase(ids, {one: sieve.pseudonym(one) for one in ids})
    if ids:
        yield TracePlace(what=WHAT, where=folder.relative_to(home.root).as_posix(), rows=len(ids))


def _forgotten_ids(store: StreamStore, sieve: Sieve) -> frozenset[str]:
    ids, done = set[str](), 0
    for table in store.tables(["id", "text"]):
        pairs = zip(table.column("id").to_pylist(), table.column("text").to_pylist(), strict=True)
        ids.update(one for one, text in pairs if sieve.is_of(one, text))
        done += table.num_rows
        progress.advance(done, store.count(), unit="live texts", detail=WHAT)
    return frozenset(ids)
