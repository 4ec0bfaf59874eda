"""The lease of a model: who may move its aliases now. It lapses when its holder dies.

One row a model. The token grows with each holder, and the ledger takes an entry only from the holder of the present
one, so that a process that was stopped for minutes can't write over what was done meanwhile (a fencing token: Martin
Kleppmann, "How to do distributed locking", 2016). Time is the database's.

The lease is of the model's name alone, whatever the registry: one server may be called by two names.
"""

import getpass
import os
import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from perennial.core import progress
from perennial.core.errors import BusyError, RegistryError
from perennial.registry.database import LEASES, UNTOUCHED, Database

SECONDS = 60.0
"""After which a dead holder's lease lapses."""
WAIT_SECONDS = 120.0
"""How long to wait for another holder; longer than a dead one's lease."""
BEATS = 4
"""Renewals in the life of a lease: some may be missed."""
POLLS = (0.05, 0.5)
"""Seconds between two tries, at first and at last."""


class LeaseLostError(RegistryError):
    """The lease lapsed, and somebody else may have it."""


@dataclass
class Lease:
    """A lease that is held."""

    database: Database
    model: str
    holder: str
    token: int
    seconds: float
    left_to_lapse: bool = False
    """Not given back at the end: what was asked of MLflow may still happen, and nobody should begin before."""
    lapsed: bool = False
    """Taken over from a holder that never gave it back: it was killed, or held up for long."""
    _ended: threading.Event = field(default_factory=threading.Event)

    def confirm(self, standing: str = UNTOUCHED) -> None:
        """Renew it now. Raises LeaseLostError when it is not ours any more."""
        with self.database.transaction(standing) as connection:
            self.fence(connection)

    def fence(self, connection: sa.Connection) -> None:
        """Renew it in a transaction that stands or falls with it. Raises LeaseLostError."""
        expires = self.database.now() + self.seconds
        renewed = connection.execute(sa.update(LEASES).where(*self._ours()).values(expires=expires))
        if renewed.rowcount != 1:
            raise LeaseLostError(
                f"This process was held up for so long that its lease of {self.model} lapsed and went to another one, "
                "whose outcome stands.",
                remedy=f"See what happened with `perennial history {self.model}`, and run the same command again.",
            )

    def _ours(self) -> tuple[sa.ColumnElement[bool], ...]:
        return LEASES.c.model == self.model, LEASES.c.token == self.token

    def beat(self) -> None:
        """Renew it until it ends; for a thread of its own."""
        while not self._ended.wait(self.seconds / BEATS):
            # A database that is away for a moment is tried again; what must be sure of the lease asks itself.
            with suppress(RegistryError):
                self.confirm()

    def end(self) -> None:
        """Stop renewing it, and give it back unless it is left to lapse. Never raises."""
        self._ended.set()
        if self.left_to_lapse:
            return
        with suppress(RegistryError), self.database.transaction() as connection:
            connection.execute(sa.update(LEASES).where(*self._ours()).values(expires=0))


@contextmanager
def held(database: Database, model: str, *, wait: float | None = None) -> Iterator[Lease]:
    """The lease of `model` for the block, kept alive meanwhile.

    Waits at most `wait` seconds (None: two minutes) for another holder, and says so. Raises BusyError then.
    """
    with kept(_acquired(database, model, WAIT_SECONDS if wait is None else wait)) as lease:
        yield lease


@contextmanager
def kept(lease: Lease) -> Iterator[Lease]:
    """`lease`, kept alive for the block and given back at its end."""
    thread = threading.Thread(target=lease.beat, name=f"lease of {lease.model}", daemon=True)
    thread.start()
    try:
        yield lease
    finally:
        lease.end()
        thread.join(timeout=5)


def take(database: Database, model: str) -> Lease | None:
    """The lease of `model`, if nobody has it now."""
    holder = f"{whoami()}, process {os.getpid()}"
    insert: Any = sqlite.insert if database.engine.dialect.name == "sqlite" else postgresql.insert
    new = {"holder": holder, "expires": database.now() + SECONDS}
    statement = insert(LEASES).values(model=model, token=1, **new)
    taken = statement.on_conflict_do_update(
        index_elements=[LEASES.c.model],
        set_={**new, "token": LEASES.c.token + 1},
        where=LEASES.c.expires <= database.now(),
    )
    with database.transaction() as connection:
        _date_anew(database, connection, LEASES.c.model == model)
        before = connection.scalar(sa.select(LEASES.c.expires).where(LEASES.c.model == model))
        token = connection.scalar(taken.returning(LEASES.c.token))
    return None if token is None else Lease(database, model, holder, int(token), SECONDS, lapsed=bool(before))


def holder(database: Database, model: str) -> tuple[str, float]:
    """Who has the lease of `model`, and how many seconds more. It was taken before, by whomever."""
    with database.connected() as connection:
        return _holder(database, connection, model)


def held_now(database: Database, prefix: str) -> list[str]:
    """The leases, of those whose names begin with `prefix`, that somebody has now."""
    ours = LEASES.c.model.startswith(prefix)
    names = sa.select(LEASES.c.model).where(ours, LEASES.c.expires > database.now())
    with database.transaction() as connection:
        _date_anew(database, connection, ours)
        return [str(name) for name in connection.scalars(names)]


def _date_anew(database: Database, connection: sa.Connection, which: sa.ColumnElement[bool]) -> None:
    """Let leases lapse by the clock that there is now, if it was set back since they were taken: else a dead holder's
    would keep everybody away for as long as it was set back. Who is alive renews it as before.
    """
    expires = database.now() + SECONDS
    impossible = LEASES.c.expires > expires + SECONDS
    if connection.scalar(sa.select(sa.func.count()).select_from(LEASES).where(which, impossible)):
        connection.execute(sa.update(LEASES).where(which, impossible).values(expires=expires))


def _holder(database: Database, connection: sa.Connection, model: str) -> tuple[str, float]:
    left = sa.select(LEASES.c.holder, LEASES.c.expires - database.now()).where(LEASES.c.model == model)
    with connection.begin():
        name, seconds = connection.execute(left).one()
    return str(name), max(0.0, float(seconds))


def whoami() -> str:
    """user@host, as entries name who did something."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        # A container's user need not have a name.
        user = f"uid {os.getuid()}"
    return f"{user}@{socket.gethostname()}"


def _acquired(database: Database, model: str, wait: float) -> Lease:
    lease = take(database, model)
    if lease is not None:
        return lease
    # To connect takes ten times as long as to ask, so who waits stays connected.
    with database.connected() as connection:
        return _waited_for(database, connection, model, wait)


def _waited_for(database: Database, connection: sa.Connection, model: str, wait: float) -> Lease:
    started, pause, is_told = time.monotonic(), POLLS[0], False
    while True:
        other, left = _holder(database, connection, model)
        # Only when it is free is it asked for: that is to write, and of those who write one waits for the other.
        if (not left or left > 2 * SECONDS) and (lease := take(database, model)) is not None:
            return lease
        waited = time.monotonic() - started
        if waited >= wait:
            raise BusyError(
                f"{other} is promoting or rolling back {model} and has not ended in {waited:.0f} s. {UNTOUCHED}",
                remedy=f"Wait until it has ended; if it was killed, its lease lapses in {left:.0f} s.",
            )
        if waited > 1 and not is_told:
            progress.note(f"Waiting for {other}, which holds the lease of {model} ({left:.0f} s, unless renewed).")
            is_told = True
        progress.advance(waited, wait, unit="s", detail=f"waiting for {other}")
        time.sleep(min(pause * random.uniform(0.5, 1), max(0.0, wait - waited)))  # noqa: S311 - not for secrets
        pause = min(pause * 1.5, POLLS[1])
