"""What each judging of a version came to, and where its evidence is: one row a judging, in the ledger's database.

Tags in MLflow say the same for people. Whoever may write them needs no gates, so what is believed is what is here.
"""

from collections.abc import Mapping
from datetime import datetime

import sqlalchemy as sa

from perennial.core.record import Record
from perennial.records.decision import Outcome
from perennial.records.run import Overrides
from perennial.registry import chain
from perennial.registry.database import ENTRIES, JUDGINGS
from perennial.registry.judged.replacements import replacements, successors
from perennial.registry.lease import whoami
from perennial.registry.ledger import Ledger


class Judging(Record):
    """One judging of a version, as the ledger has it."""

    moment: datetime
    """In UTC, by the database's clock."""
    model: str
    version: str
    run_id: str
    """MLflow's run, which a version of the same number in another model, or a model made anew, does not have."""
    package_digest: str
    decision_digest: str
    outcome: Outcome
    champion_version: str | None
    """The champion that it was judged against; None: there was none."""
    evidence_digest: str
    """sha256 of its evidence.json."""
    evidence_folder: str
    """Where its evidence is among the artifacts of the run; "": at their top, where the first judging's is."""
    overrides: Overrides | None
    """What `--set` changed of gates, approval or splits for its run; None: nothing."""
    who: str
    after_entry: int
    """The newest entry of the ledger then; 0: none."""
    evidence_after: tuple[str, ...] = ()
    """sha256 that its evidence.json may have since rows were forgotten."""


def note_judging(ledger: Ledger, judging: dict[str, object]) -> None:
    """Add what a judging came to; the database says when. Raises RegistryError."""
    overrides = judging.get("overrides")
    values = judging | {
        "registry": ledger.registry,
        "who": whoami(),
        "overrides": overrides.model_dump_json() if isinstance(overrides, Overrides) else None,
    }
    with ledger.database.transaction() as connection:
        chain.lock(connection)
        values["after_entry"] = connection.scalar(sa.select(sa.func.max(ENTRIES.c.id))) or 0
        added = connection.execute(sa.insert(JUDGINGS).values(**values).returning(*JUDGINGS.c)).one()
        chain.link(connection, "judging", added._asdict())


def judgings(ledger: Ledger, model: str) -> list[Judging]:
    """All of `model`, oldest first."""
    ours = (JUDGINGS.c.registry == ledger.registry, JUDGINGS.c.model == model)
    replaced = replacements(ledger.entries(model)).replaced
    with ledger.database.reading() as connection:
        rows = connection.execute(sa.select(JUDGINGS).where(*ours).order_by(JUDGINGS.c.id))
        return [_judging(row, replaced) for row in rows]


def _judging(row: sa.Row[tuple[object, ...]], replaced: Mapping[str, str]) -> Judging:
    values = row._asdict()
    overrides = Overrides.model_validate_json(values["overrides"]) if values["overrides"] else None
    own = {name: values[name] for name in Judging.model_fields if name in values}
    after = successors(values["evidence_digest"], replaced)
    return Judging.model_validate(own | {"overrides": overrides, "evidence_after": after})
