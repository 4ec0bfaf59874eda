"""The ledger: an append-only history of what was done to the champions, by whom and why.

A move of the alias `champion` is two entries: the intent, written before, and its conclusion, written after. An intent
without a conclusion is what a killed process leaves; `alias_move` finds it and says how it came out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

import sqlalchemy as sa

from perennial.core.home import Home
from perennial.core.record import Record
from perennial.registry import chain, database, tracking
from perennial.registry.database import ENTRIES, IDENTITY, MARKS, UNTOUCHED, Database
from perennial.registry.lease import Lease, whoami

EMBEDDED = "embedded"
"""The registry in the home of the ledger; it has no better name, because a home may be moved."""


class Action(StrEnum):
    """What was done."""

    PROMOTE = "promote"
    """A run's candidate passed its gates."""
    APPROVE = "approve"
    """A person let a candidate that passed its gates serve."""
    ROLLBACK = "rollback"
    """A former champion serves again."""
    FOUND = "found"
    """The alias was somewhere else than the ledger had it, and was followed without a word from anybody; no more."""
    RECONCILE = "reconcile"
    """Ledger and registry disagreed, and a person said which of them is right."""
    PARK = "park"
    """A candidate passed its gates and awaits a person's approval."""
    HOLD = "hold"
    """A candidate could not be judged, or was judged against a champion that serves no more."""
    REJECT = "reject"
    """Gates, or a person, refused a candidate."""
    REMOVE = "remove"
    """The package of an old version was removed; it can't serve any more."""
    COMPLAIN = "complain"
    """Rows that a version answered wrongly, for later candidates to answer rightly."""
    RESUME = "resume"
    """After a rollback: a person lets runs promote by themselves again."""
    FORGET = "forget"
    """Rows were forgotten, and what named them in MLflow was replaced."""
    CHALLENGE = "challenge"
    """A version began to be tried on live traffic beside the champion."""
    CHALLENGE_END = "end challenge"
    """That came to its end; what became of the version is the next entry about it."""


MOVES = frozenset({Action.PROMOTE, Action.APPROVE, Action.ROLLBACK, Action.FOUND, Action.RECONCILE})
"""What changes which version is champion."""


class State(StrEnum):
    """How far it got."""

    INTENT = "intent"
    DONE = "done"
    ABANDONED = "abandoned"
    """An intent that came to nothing: the alias never moved."""


class Entry(Record):
    """One line of the ledger."""

    id: int
    moment: datetime
    """In UTC, by the database's clock."""
    registry: str
    model: str
    action: Action
    state: State
    intent: int | None
    """The entry that this one concludes."""
    from_version: str | None
    """The champion before; None: there was none."""
    to_version: str | None
    """The version that it is about: the champion after, for moves."""
    who: str
    reason: str
    decision_digest: str | None
    token: int | None
    """The lease's, under which it was written; None: written while the registry did not bear this ledger's mark."""
    status: str | None = None
    """What the version is by this entry, as `tags` names it; None: the action says it."""
    detail: str | None = None
    """What else belongs to the action, as JSON: for COMPLAIN, which rows; for FORGET, what replaced what; for
    CHALLENGE, its terms; for CHALLENGE_END, how it ended and what was counted."""


@dataclass(frozen=True)
class LeftMark:
    """What the ledger knows of the mark that a registry bears of it."""

    registry: str
    """Its address, as entries name it."""
    token: int
    """Of the last mark, which may not have arrived."""
    is_left: bool
    """A mark, this or one before, has arrived."""


@dataclass(frozen=True)
class Ledger:
    """The ledger, as far as it is about one registry."""

    database: Database
    registry: str
    """MLflow's address without password, as entries name it."""
    is_unsigned: bool = False
    """The registry does not bear this ledger's mark: what is written now tells nothing about the registry's age."""

    @classmethod
    def open(cls, home: Home) -> "Ledger":
        """The ledger of the registry in use; made or migrated if need be. Raises RegistryError."""
        return cls(database.open_database(home), registry_of(home))

    def entries(self, model: str) -> list[Entry]:
        """All about `model`, oldest first."""
        return self._select(self._about(model))

    def last_move(self, model: str) -> Entry | None:
        """The conclusion of the last move of the champion of `model`; None: the ledger knows of none."""
        moved = (ENTRIES.c.action.in_(sorted(MOVES)), ENTRIES.c.state == State.DONE.value)
        newest = sa.select(sa.func.max(ENTRIES.c.id)).where(self._about(model), *moved)
        entries = self._select(ENTRIES.c.id == newest.scalar_subquery())
        return entries[0] if entries else None

    def identity(self) -> str:
        """What this ledger is known by, wherever its database moves."""
        with self.database.reading() as connection:
            return str(connection.scalar(sa.select(IDENTITY.c.id)))

    def marks(self, model: str) -> list[LeftMark]:
        """The marks of `model` that were left, or about to be, in this and other registries."""
        with self.database.reading() as connection:
            rows = connection.execute(sa.select(MARKS).where(MARKS.c.model == model).order_by(MARKS.c.registry))
            return [LeftMark(row.registry, int(row.token), is_left=bool(row.is_left)) for row in rows]

    def note_mark(self, lease: Lease, *, is_left: bool) -> None:
        """A mark of `lease` is about to be left, or `is_left`. Raises LeaseLostError if it is not held any more."""
        ours = {"registry": self.registry, "model": lease.model}
        with self.database.transaction() as connection:
            lease.fence(connection)
            before = connection.scalar(sa.select(MARKS.c.is_left).filter_by(**ours))
            connection.execute(sa.delete(MARKS).filter_by(**ours))
            connection.execute(sa.insert(MARKS).values(**ours, token=lease.token, is_left=is_left or bool(before)))

    def forget_mark(self, lease: Lease) -> None:
        """The registry has no model to bear a mark any more. Raises LeaseLostError if `lease` is not held any more."""
        with self.database.transaction() as connection:
            lease.fence(connection)
            connection.execute(sa.delete(MARKS).filter_by(registry=self.registry, model=lease.model))

    def now(self) -> datetime:
        """The moment, by the clock that dates entries."""
        with self.database.reading() as connection:
            return datetime.fromtimestamp(float(connection.scalar(sa.select(self.database.now())) or 0), UTC)

    def newest_token(self, model: str) -> int:
        """The highest token under which something was written about `model`; 0: nothing was."""
        with self.database.reading() as connection:
            return int(connection.scalar(sa.select(sa.func.max(ENTRIES.c.token)).where(self._about(model))) or 0)

    def open_intents(self, model: str | None = None) -> list[Entry]:
        """Intents without a conclusion, oldest first; of all models if `model` is None."""
        concluded = sa.select(ENTRIES.c.intent).where(ENTRIES.c.intent.is_not(None))
        conditions = [ENTRIES.c.state == State.INTENT.value, ENTRIES.c.id.not_in(concluded)]
        return self._select(self._about(model), *conditions)

    def models(self) -> list[str]:
        """Every model that it knows."""
        names = sa.select(ENTRIES.c.model).where(self._about(None)).distinct()
        with self.database.reading() as connection:
            return sorted(connection.scalars(names.order_by(ENTRIES.c.model)))

    def append(
        self,
        lease: Lease,
        action: Action,
        state: State,
        *,
        from_version: str | None,
        to_version: str | None,
        reason: str,
        decision_digest: str | None = None,
        status: str | None = None,
        detail: str | None = None,
    ) -> Entry:
        """Add an entry under `lease`. Raises LeaseLostError if it is not held any more, and then adds none."""
        values = {
            "action": action.value,
            "state": state.value,
            "from_version": from_version,
            "to_version": to_version,
            "reason": reason,
            "decision_digest": decision_digest,
            "status": status,
            "detail": detail,
        }
        return self._add(lease, values, UNTOUCHED)

    def conclude(
        self, lease: Lease, intent: Entry, state: State, *, reason: str = "", standing: str = UNTOUCHED
    ) -> Entry:
        """Say how `intent` came out; `reason`: if it is another one than the intent's. Raises as `append` does."""
        kept = ("action", "from_version", "to_version", "decision_digest")
        values = {name: getattr(intent, name) for name in kept}
        values |= {"state": state.value, "intent": intent.id, "reason": reason or intent.reason}
        return self._add(lease, values, standing)

    def _add(self, lease: Lease, values: Mapping[str, object], standing: str) -> Entry:
        token = None if self.is_unsigned else lease.token
        context = {"token": token, "registry": self.registry, "model": lease.model, "who": whoami()}
        with self.database.transaction(standing) as connection:
            lease.fence(connection)
            chain.lock(connection)
            added = connection.execute(sa.insert(ENTRIES).values(**context, **values).returning(*ENTRIES.c)).one()
            chain.link(connection, "entry", added._asdict())
            return _entry(added)

    def _about(self, model: str | None) -> sa.ColumnElement[bool]:
        ours = ENTRIES.c.registry == self.registry
        return ours if model is None else sa.and_(ours, ENTRIES.c.model == model)

    def _select(self, *conditions: sa.ColumnElement[bool]) -> list[Entry]:
        chosen = sa.select(ENTRIES).where(*conditions).order_by(ENTRIES.c.id)
        with self.database.reading() as connection:
            return [_entry(row) for row in connection.execute(chosen)]


def _entry(row: sa.Row[tuple[object, ...]]) -> Entry:
    return Entry.model_validate(row._asdict())


def registry_of(home: Home) -> str:
    """The registry in use, as entries name it: MLflow's address without password, or `embedded`."""
    address = tracking.registry_uri(home)
    in_home = address == f"sqlite:///{(home.mlflow / 'mlflow.db').absolute()}"
    if in_home and database.is_embedded():
        return EMBEDDED
    return tracking.plain_address(address)
