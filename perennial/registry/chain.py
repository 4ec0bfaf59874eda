"""The chain of hashes over ledger entries, judgings and looks: what was changed, removed or slipped in is noticed.

Each link is the sha256 of the link before and of its row (Haber and Stornetta, "How to Time-Stamp a Digital Document",
1991). The newest link is left with each model in the registry, so that a chain which was cut short, or was made anew by
who may write to the database, does not go unnoticed either.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from perennial.registry.database import CHAIN, ENTRIES, JUDGINGS, LOOKS, Database

SOURCES: Mapping[str, sa.Table] = {"entry": ENTRIES, "judging": JUDGINGS, "look": LOOKS}
"""What is chained, by the name that a link has for it."""
ROOT = "0" * 64
"""What the first link goes on from."""
ADVISORY_LOCK = 7_202_601_311
"""PostgreSQL's number for `the chain is being added to`; any number that nobody else uses."""
OLDER_COLUMNS = (
    "id", "moment", "registry", "model", "action", "state", "intent", "from_version", "to_version", "who", "reason",
    "decision_digest", "token",
)  # fmt: skip
"""Of an entry before there was a chain; a later migration's columns are not there yet when they are chained."""
_GUARDED = (ENTRIES.name, JUDGINGS.name, CHAIN.name, LOOKS.name)
TRIGGERS = {
    "sqlite": tuple(f"{table}_{kind}" for table in _GUARDED for kind in ("no_update", "no_delete", "no_replace")),
    "postgresql": tuple(f"{table}_append_only" for table in _GUARDED),
}
"""What lets nobody do anything but append."""


@dataclass(frozen=True)
class ChainState:
    """What a look at the whole chain came to."""

    links: int
    of_migration: int
    """Links that were made later than their rows, when the chain began."""
    hashes: frozenset[str]
    faults: tuple[str, ...]
    """What is wrong, in words; none: nothing is."""


def lock(connection: sa.Connection) -> None:
    """Let nobody else add to the chain before this transaction ends: to be called before its row is written."""
    # SQLite's transactions that write come one after the other anyway.
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(ADVISORY_LOCK)))


def link(connection: sa.Connection, source: str, row: Mapping[str, Any], *, is_of_migration: bool = False) -> None:
    """Chain `row` of the table that `source` names, in the transaction that wrote it."""
    newest = sa.select(CHAIN.c.hash).order_by(CHAIN.c.id.desc()).limit(1)
    previous = connection.scalar(newest) or ROOT
    values = {"source": source, "row_id": row["id"], "previous": previous, "hash": _hash(previous, source, row)}
    connection.execute(sa.insert(CHAIN).values(**values, is_of_migration=is_of_migration))


def link_older(connection: sa.Connection) -> None:
    """Chain the entries that were there before there was a chain."""
    lock(connection)
    chosen = [ENTRIES.c[name] for name in OLDER_COLUMNS]
    for row in connection.execute(sa.select(*chosen).order_by(ENTRIES.c.id)).all():
        link(connection, "entry", row._asdict(), is_of_migration=True)


def link_older_looks(connection: sa.Connection) -> None:
    """Chain the looks that were there before they were chained."""
    lock(connection)
    for row in connection.execute(sa.select(LOOKS).order_by(LOOKS.c.id)).all():
        link(connection, "look", row._asdict(), is_of_migration=True)


def newest_hash(database: Database) -> str:
    """The newest link's."""
    with database.reading() as connection:
        return connection.scalar(sa.select(CHAIN.c.hash).order_by(CHAIN.c.id.desc()).limit(1)) or ROOT


def examine_chain(database: Database) -> ChainState:
    """Look at every link, every row and the triggers. Raises RegistryError if the database can't be read."""
    with database.reading() as connection:
        if connection.dialect.name == "postgresql":
            # Else a row that is written between the two looks would seem to have no link.
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        links = connection.execute(sa.select(CHAIN).order_by(CHAIN.c.id)).all()
        rows = {
            (source, row.id): row._asdict()
            for source, table in SOURCES.items()
            for row in connection.execute(sa.select(table))
        }
        missing_triggers = _missing_triggers(connection)
    return ChainState(
        links=len(links),
        of_migration=sum(bool(one.is_of_migration) for one in links),
        hashes=frozenset({ROOT, *(str(one.hash) for one in links)}),
        faults=(*_faults(links, rows), *missing_triggers),
    )


def _faults(links: Any, rows: dict[tuple[str, int], dict[str, Any]]) -> Iterator[str]:
    previous = ROOT
    linked = set()
    for one in links:
        name, row = f"{one.source} {one.row_id}", rows.get((one.source, one.row_id))
        linked.add((one.source, one.row_id))
        if one.previous != previous:
            yield f"the link of {name} does not go on from the one before it"
        elif row is None:
            yield f"{name} was removed"
        elif one.hash != _hash(one.previous, one.source, row):
            yield f"{name} was changed"
        previous = one.hash
    yield from (f"{source} {row_id} was slipped in" for source, row_id in sorted(set(rows) - linked))


def _missing_triggers(connection: sa.Connection) -> list[str]:
    if connection.dialect.name == "sqlite":
        query = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    else:
        query = "SELECT tgname FROM pg_trigger WHERE tgenabled <> 'D'"
    there = set(connection.exec_driver_sql(query).scalars())
    return [
        f"the trigger {name}, which refuses changes, is gone or disabled"
        for name in TRIGGERS[connection.dialect.name]
        if name not in there
    ]


def _hash(previous: str, source: str, row: Mapping[str, Any]) -> str:
    # Without what is empty: a column that a later migration adds must not change what was chained before.
    kept = {name: _plain(value) for name, value in row.items() if value is not None}
    content = json.dumps([previous, source, kept], sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(content.encode()).hexdigest()


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return value
