"""A person ends what a rollback began: runs promote by themselves again."""

from perennial.core.errors import RegistryError
from perennial.core.home import Home
from perennial.core.record import Record
from perennial.promotion.alias_move import alias_session
from perennial.promotion.safeguards import complaint_rows
from perennial.promotion.safeguards.rollback_hold import rollback_hold
from perennial.registry.ledger import Action


class Resumed(Record):
    """What a person ended."""

    model: str
    left: str | None
    """The version that the rollback left; None: no rollback held anything any more."""
    complaints: int
    """Rows that candidates need not answer rightly any more."""


def resume(home: Home, model: str, reason: str) -> Resumed:
    """Let runs promote by themselves again after a rollback; rows that were complained of count no more.

    Raises RegistryError when there is nothing to end, DisagreementError where ledger and registry disagree.
    """
    with alias_session(home, model) as session:
        session.require_agreement()
        entries = session.ledger.entries(model)
        hold, complaints = rollback_hold(entries), complaint_rows.complaints(entries)
        if hold is None and not complaints:
            raise RegistryError(
                f"Nothing holds the promotions of {model}: there was no rollback since the last one.",
                remedy=f"`perennial history {model}` says what was done. To let a paused schedule go on: "
                f"`perennial schedule --resume {model}`.",
            )
        session.note(Action.RESUME, None, reason)
        left = hold.from_version if hold else None
        return Resumed(model=model, left=left, complaints=sum(one.rows for one in complaints))
