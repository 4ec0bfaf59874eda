"""Whether the ledger is as it was written: by its own chain, and by the link of it that each model in MLflow bears."""

from perennial.core.errors import listing
from perennial.registry import chain, database
from perennial.registry.agreement import Disagreement, RegistryState
from perennial.registry.ledger import Ledger


def examine_chain(ledger: Ledger, registry: RegistryState, model: str) -> Disagreement | None:
    """Whether the ledger is as it was written, by its chain and by the link that it left with `model`; None: it is."""
    state, mark = chain.examine_chain(ledger.database), registry.mark
    faults = list(state.faults)
    is_own = mark is not None and mark.ledger == ledger.identity() and mark.head
    if not faults and is_own and mark and mark.head not in state.hashes:
        faults = [f"the link that it left with {model} in MLflow is not in it any more"]
    if not faults:
        return None
    return Disagreement(
        f"The ledger at {ledger.database.address} was changed outside of Perennial: {listing(faults)}.",
        "Put your backup of it in its place. If there is none, begin a new ledger (move the file away, or name another "
        f"database with {database.VARIABLE}), to which `perennial reconcile {model} --keep registry --reason …` then "
        "introduces the champion.",
        is_of_whole=True,
        is_of_chain=True,
    )
