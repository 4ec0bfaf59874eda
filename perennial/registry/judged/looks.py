"""The looks at test rows: counted once each, with what they may err with and what is left of the budget for them all.

A look is the comparison of one package with one champion (and anchor) on the same data. It is written down before
anybody decides by it, in one transaction with the rows that were looked at, and chained as entries are; whoever makes
the same comparison again, a run that was resumed or a decision that is made again, is given the look that was written
down.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from perennial.core import progress
from perennial.core.record import Record
from perennial.metrics import alpha_spending
from perennial.records.evaluation import Look
from perennial.registry import chain
from perennial.registry.database import LOOKS, TEST_ROWS
from perennial.registry.lease import whoami
from perennial.registry.ledger import Ledger
from perennial.rows.row_sketch import RowSketch, row_hashes

RECENT_SECONDS = 30 * 86_400.0
"""Of the looks by which new rows a day are counted."""
DAY = 86_400.0


@dataclass(frozen=True)
class ComparedOnce:
    """A comparison that is about to be decided by."""

    compared: str
    """Digest of what was compared: the package, the data, the champion, the anchor."""
    package: str
    """The candidate's digest."""
    champion_version: str
    anchor_version: str | None
    metric: str | None
    """Of the differences; None: no gate compares all test rows."""
    beside_champion: float | None
    """What the candidate is better by."""
    beside_anchor: float | None


class PastLook(Record):
    """A look as the ledger has it."""

    id: int
    moment: datetime
    registry: str
    model: str
    compared: str
    package: str
    champion_version: str
    anchor_version: str | None
    metric: str | None
    beside_champion: float | None
    beside_anchor: float | None
    number: int
    budget: float | None
    level: float | None
    spent: float
    texts: int
    fresh: int
    who: str
    sketch_digest: str | None = None
    """Of the rows that were looked at till then; None: an older Perennial counted it."""


def past_looks(ledger: Ledger, model: str) -> list[PastLook]:
    """All looks at test rows of `model`, oldest first."""
    with ledger.database.reading() as connection:
        return _past_looks(connection, ledger, model)


def count_look(
    ledger: Ledger, model: str, once: ComparedOnce, text_keys: Sequence[str], budget: float | None
) -> Look | None:
    """The look that `once` is, counted if it is not yet; None: no budget is kept for it.

    `text_keys`: of all test rows. Safe when many processes do so at once. Raises RegistryError.
    """
    hashes = row_hashes(text_keys, ledger.identity())
    with ledger.database.transaction() as connection:
        _alone(connection)
        looks = _past_looks(connection, ledger, model)
        if not any(look.compared == once.compared for look in looks):
            _count(connection, ledger, model, once, looks, hashes, budget)
            looks = _past_looks(connection, ledger, model)
    (position,) = (number for number, look in enumerate(looks) if look.compared == once.compared)
    return _look(looks[: position + 1])


def _count(
    connection: sa.Connection,
    ledger: Ledger,
    model: str,
    once: ComparedOnce,
    looks: Sequence[PastLook],
    hashes: frozenset[str],
    budget: float | None,
) -> None:
    ours = {"registry": ledger.registry, "model": model}
    written = connection.scalar(sa.select(TEST_ROWS.c.sketch).filter_by(**ours)) or ""
    before = RowSketch.read(written)
    fresh = _fresh(before, written, hashes, looks)
    after = before.joined(hashes).written
    spent = alpha_spending.renewed(looks[-1].spent if looks else 0.0, fresh, len(hashes))
    level = None if budget is None else alpha_spending.level_of_look(budget, spent)
    values = {
        **vars(once), **ours, "number": len(looks) + 1, "budget": budget, "level": level,
        "spent": spent + (level or 0.0), "texts": len(hashes), "fresh": fresh, "who": whoami(),
        "sketch_digest": _digest(after),
    }  # fmt: skip
    chain.lock(connection)
    identity = connection.execute(sa.insert(LOOKS).values(**values).returning(LOOKS.c.id)).scalar_one()
    # Read back: what SQLite returns of an insertion is 0 where the column has 0.0, which would be another hash.
    added = connection.execute(sa.select(LOOKS).where(LOOKS.c.id == identity)).one()
    chain.link(connection, "look", added._asdict())
    connection.execute(sa.delete(TEST_ROWS).filter_by(**ours))
    connection.execute(sa.insert(TEST_ROWS).values(**ours, sketch=after))


def _fresh(before: RowSketch, written: str, hashes: frozenset[str], looks: Sequence[PastLook]) -> int:
    """How many rows nobody has looked at yet; none, where what was written down of those before is not what it was."""
    if not looks:
        return len(hashes)
    expected = looks[-1].sketch_digest
    if _digest(written) != expected if expected else not written:
        progress.note(
            "The record of the test rows that were looked at before was changed outside of Perennial, so no row counts "
            "as new: what was spent of the test rows' budget is not renewed."
        )
        return 0
    return before.new_among(hashes)


def _digest(written: str) -> str:
    return hashlib.sha256(written.encode()).hexdigest()


def _alone(connection: sa.Connection) -> None:
    """Wait until nobody else counts; SQLite's transactions do so by themselves."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("LOCK TABLE perennial_looks IN SHARE ROW EXCLUSIVE MODE")


def _past_looks(connection: sa.Connection, ledger: Ledger, model: str) -> list[PastLook]:
    chosen = sa.select(LOOKS).filter_by(registry=ledger.registry, model=model).order_by(LOOKS.c.id)
    return [PastLook.model_validate(row._asdict()) for row in connection.execute(chosen)]


def _look(looks: Sequence[PastLook]) -> Look | None:
    """The last of `looks`, as a decision takes it."""
    last = looks[-1]
    if last.level is None or last.budget is None:
        return None
    kept = ("number", "budget", "level", "spent", "texts", "fresh")
    return Look(**{name: getattr(last, name) for name in kept}, fresh_a_day=_fresh_a_day(looks))


def _fresh_a_day(looks: Sequence[PastLook]) -> float | None:
    """New texts a day of the last month; None: only one look was there, to which all were new."""
    end = looks[-1].moment
    recent = [look for look in looks if (end - look.moment).total_seconds() <= RECENT_SECONDS]
    if len(recent) < 2:
        return None
    days = max(1.0, (end - recent[0].moment).total_seconds() / DAY)
    return sum(look.fresh for look in recent[1:]) / days
