"""The ledger: whether it can be read, whether a promotion was cut short, and whether the registry agrees with it."""

from collections.abc import Iterator

from perennial.core import progress
from perennial.core.errors import BusyError, PerennialError, listing
from perennial.core.home import Home
from perennial.doctor.finding import HealthFinding
from perennial.promotion import alias_move
from perennial.registry import agreement, database, tracking
from perennial.registry.agreement import Disagreement
from perennial.registry.ledger import Ledger

NAME = "ledger"


def ledger(home: Home) -> Iterator[HealthFinding]:
    """The ledger agrees with the registry; what a killed promotion left is mended."""
    if not database.is_there(home):
        yield HealthFinding.ok(NAME, "none yet; the first run makes it")
        return
    try:
        book = Ledger.open(home)
        models = book.models()
        mended = [finding for model in models if book.open_intents(model) for finding in _mended(home, model)]
        faults = dict(_disagreements(home, models))
    except PerennialError as error:
        yield HealthFinding.problem(NAME, error.problem, error.remedy)
        return
    yield from mended
    for model, fault in faults.items():
        yield HealthFinding.problem(NAME, f"{model}: {fault.problem}", fault.remedy)
    if not mended and not faults:
        about = f"about {listing(models)}, as the registry has it" if models else "empty"
        yield HealthFinding.ok(NAME, f"{book.database.address}: {about}")


def _mended(home: Home, model: str) -> Iterator[HealthFinding]:
    try:
        with alias_move.alias_session(home, model, wait=0):
            progress.note(f"What was cut short on {model} is mended.")
    except BusyError:
        yield HealthFinding.ok(
            NAME, f"{model}: somebody is promoting or rolling back right now, or was killed a moment ago"
        )
    else:
        yield HealthFinding.ok(
            NAME, f"{model}: a promotion or rollback that was cut short is mended; see perennial history"
        )


def _disagreements(home: Home, models: list[str]) -> Iterator[tuple[str, Disagreement]]:
    if not models:
        return  # asking would make MLflow's database where there is none
    with tracking.session(home, patience=tracking.QUICK) as client:
        for model in models:
            if disagreement := agreement.examine(client, home, model):
                yield model, disagreement
