"""The log of runs: an append-only record of every run of a pipeline, why it was started and how it ended.

The ledger tells what became of the champion; this tells what was tried, the failures and the skipped runs too. It
shares the ledger's database, so that all machines of a team see all runs.
"""

import socket
from datetime import UTC, datetime
from typing import Annotated, Literal

import sqlalchemy as sa
from pydantic import AfterValidator, AwareDatetime

from perennial.core.home import Home
from perennial.core.record import Record
from perennial.records.run import Trigger
from perennial.registry import database
from perennial.registry.database import RUNS
from perennial.registry.ledger import registry_of

RunStatus = Literal["promoted", "held", "rejected", "observed", "skipped", "failed"]
SENTENCE_LENGTH = 1000


def _cut(text: str) -> str:
    # PostgreSQL holds no NUL in a text.
    text = " ".join(text.replace("\0", " ").split())
    return text if len(text) <= SENTENCE_LENGTH else f"{text[: SENTENCE_LENGTH - 1]}…"


class RunEntry(Record):
    """One run, as it is remembered."""

    pipeline: str
    started: AwareDatetime
    """By the clock of `host`."""
    ended: AwareDatetime
    trigger: Trigger = Trigger()
    status: RunStatus
    """failed: it raised an error, or was killed."""
    version: str | None = None
    """The version it registered, or for a skipped run the one that was there already; None: none."""
    sentence: Annotated[str, AfterValidator(_cut)]
    """Why it ended so; cut to 1,000 characters."""
    host: str

    @property
    def seconds(self) -> float:
        """How long it took."""
        return (self.ended - self.started).total_seconds()


def here() -> str:
    """This machine, as entries name it."""
    return socket.gethostname()


def note_run(home: Home, entry: RunEntry) -> None:
    """Add `entry`. Raises RegistryError when the database can't be written."""
    book = database.open_database(home)
    values = {
        "registry": registry_of(home),
        "pipeline": entry.pipeline,
        "started": entry.started.astimezone(UTC),
        "ended": entry.ended.astimezone(UTC),
        "trigger": entry.trigger.kind,
        "detail": entry.trigger.detail,
        "status": entry.status,
        "version": entry.version,
        "sentence": entry.sentence,
        "host": entry.host,
    }
    with book.transaction("What the run itself came to stands.") as connection:
        connection.execute(sa.insert(RUNS).values(**values))


def recent_runs(home: Home, pipeline: str, limit: int = 50) -> list[RunEntry]:
    """The last `limit` runs of `pipeline`, newest first; none if there is no database yet. Raises RegistryError."""
    if not database.is_there(home):
        return []
    ours = (RUNS.c.registry == registry_of(home), RUNS.c.pipeline == pipeline)
    chosen = sa.select(RUNS).where(*ours).order_by(RUNS.c.id.desc()).limit(limit)
    with database.open_database(home).reading() as connection:
        return [_entry(row) for row in connection.execute(chosen)]


def last_started(home: Home, pipeline: str, *kinds: str) -> datetime | None:
    """When the newest run that did not fail began of those that a trigger of one of `kinds` started; None: never.

    Raises RegistryError.
    """
    last = last_run(home, pipeline, *kinds)
    return last.started if last else None


def last_run(home: Home, pipeline: str, *kinds: str) -> RunEntry | None:
    """The newest run that did not fail of those that a trigger of one of `kinds` started; None: there is none.

    Raises RegistryError.
    """
    if not database.is_there(home):
        return None
    ours = (
        RUNS.c.registry == registry_of(home),
        RUNS.c.pipeline == pipeline,
        RUNS.c.trigger.in_(kinds),
        RUNS.c.status != "failed",
    )
    with database.open_database(home).reading() as connection:
        row = connection.execute(sa.select(RUNS).where(*ours).order_by(RUNS.c.id.desc()).limit(1)).first()
        return _entry(row) if row else None


def _entry(row: sa.Row[tuple[object, ...]]) -> RunEntry:
    values = row._asdict()
    kept = ("pipeline", "started", "ended", "status", "version", "sentence", "host")
    trigger = Trigger.model_validate({"kind": values["trigger"], "detail": values["detail"]})
    return RunEntry.model_validate({name: values[name] for name in kept} | {"trigger": trigger})
