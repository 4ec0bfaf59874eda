"""The lease by which one run at a time retrains a pipeline, on however many machines that share the ledger's database.

It is another than the lease of promotion, which a run takes only at its end. A run that is killed stops renewing it,
and another run may begin when it has lapsed.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from perennial.core import progress
from perennial.core.errors import OverlapError
from perennial.core.home import Home
from perennial.registry import database, lease
from perennial.registry.database import Database
from perennial.registry.lease import Lease

POLL_SECONDS = 1.0


@contextmanager
def one_anywhere(pipeline: str, home: Home) -> Iterator[Lease]:
    """Hold the lease on runs of `pipeline` for the block; its `lapsed` says that the run before was killed.

    Waits for a lease that is not renewed, at most for as long as it takes to lapse (60 s). Raises OverlapError as soon
    as another run is seen to be alive, and RegistryError when the database can't be used.
    """
    with lease.kept(_taken(database.open_database(home), pipeline)) as held:
        yield held


def name_of(pipeline: str) -> str:
    """What the lease is called; no model can have a name with a colon."""
    return f"run:{pipeline}"


def at_work(home: Home) -> list[str]:
    """The pipelines of which a run is at work now, on any machine that shares the ledger; none where there is none.

    Raises RegistryError when the database can't be used.
    """
    if not database.is_there(home):
        return []
    held = lease.held_now(database.open_database(home), name_of(""))
    return [name.removeprefix(name_of("")) for name in held]


def _taken(book: Database, pipeline: str) -> Lease:
    name = name_of(pipeline)
    before: float | None = None
    while (taken := lease.take(book, name)) is None:
        other, left = lease.holder(book, name)
        # It shrinks by itself; only somebody who is alive makes it longer.
        if before is not None and left > before:
            raise OverlapError(
                f"Another run of {pipeline} is at work: {other}.",
                remedy="Nothing is to be done; what came in meanwhile is looked at by the next run.",
            )
        if before is None:
            progress.note(f"Waiting to see whether {other}, which was retraining {pipeline}, is still alive.")
        before = left
        time.sleep(POLL_SECONDS)
    return taken
