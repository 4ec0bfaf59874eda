"""The ledger: whether it can be read, whether a promotion was cut short, and whether the registry agrees with it."""

from collections.abc import Iterator

from perennial.core import progress
from perennial.core.errors import BusyError, PerennialError, listing
from perennial.core.home import Home
from perennial.doctor.finding import HealthFinding
from perennial.promotion import alias_move
from perennial.promotion.safeguards import ledger_check
from perennial.registry import chain, database, ledger_location, tracking, versions
from perennial.registry.agreement import Disagreement
from perennial.registry.chain import ChainState
from perennial.registry.ledger import Ledger

NAME = "ledger"


def ledger(home: Home) -> Iterator[HealthFinding]:
    """The ledger agrees with the registry, and is one for all; what a killed promotion left is mended."""
    for doubt in ledger_location.doubts(home):
        yield HealthFinding.warning(NAME, doubt.problem, doubt.remedy)
    if not database.is_there(home):
        yield HealthFinding.ok(NAME, "none yet; the first run makes it")
        return
    try:
        book = Ledger.open(home)
        models = book.models()
        mended = [finding for model in models if book.open_intents(model) for finding in _mended(home, model)]
        chained = chain.examine_chain(book.database)
        faults = {} if chained.faults else dict(_disagreements(home, book, models))
        contradictions = list(_contradictions(home, models))
    except PerennialError as error:
        yield HealthFinding.problem(NAME, error.problem, error.remedy)
        return
    yield from mended
    if chained.faults:
        yield HealthFinding.problem(
            NAME,
            f"{book.database.address} was changed outside of Perennial: {listing(chained.faults)}",
            "Put your backup of it in its place, or begin a new ledger and introduce the champions to it: "
            "docs/registry.md says how.",
        )
    for model, said in contradictions:
        yield HealthFinding.warning(NAME, f"{model}: {said}", "Nothing has to be done: tags are for people.")
    for model, fault in faults.items():
        yield HealthFinding.problem(NAME, f"{model}: {fault.problem}", fault.remedy)
    if not mended and not faults and not chained.faults:
        about = f"about {listing(models)}, as the registry has it" if models else "empty"
        yield HealthFinding.ok(NAME, f"{book.database.address}: {about}; {_chained(chained)}")


def _chained(state: ChainState) -> str:
    older = f", {state.of_migration:,} of them since they were migrated" if state.of_migration else ""
    return f"{state.links:,} entries, judgings and looks chained{older}"


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


def _disagreements(home: Home, book: Ledger, models: list[str]) -> Iterator[tuple[str, Disagreement]]:
    if not models:
        return
    with tracking.session(home, patience=tracking.QUICK) as client:
        for model in models:
            if disagreement := ledger_check.examine_all(client, home, book, model):
                yield model, disagreement


def _contradictions(home: Home, models: list[str]) -> Iterator[tuple[str, str]]:
    """What tags say of versions and the ledger does not."""
    if not models:
        return
    with tracking.session(home, patience=tracking.QUICK) as client:
        for model in models:
            statuses = versions.ledger_statuses(home, model)
            for version in client.search_model_versions(f"name = '{model}'"):
                yield from ((model, said) for said in versions.contradictions(version, statuses))
