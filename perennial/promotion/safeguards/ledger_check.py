"""Whether the ledger is as it was written: by its own chain, and by the link of it that each model in MLflow bears."""

from typing import TYPE_CHECKING

from perennial.core.errors import listing
from perennial.core.home import Home
from perennial.registry import agreement, chain, database
from perennial.registry.agreement import Disagreement, RegistryState
from perennial.registry.ledger import Ledger

if TYPE_CHECKING:
    from mlflow import MlflowClient


def examine_all(client: "MlflowClient", home: Home, ledger: Ledger, model: str) -> Disagreement | None:
    """How the ledger was changed, or disagrees with the registry about `model`; None: neither."""
    # First the registry: what it bears of the chain must be in a chain that is read later.
    registry = agreement.registry_state(client, home, model)
    return (
        examine_chain(ledger, model)
        or agreement.examine(client, home, model)
        or examine_newest_link(ledger, registry, model)
    )


def examine_chain(ledger: Ledger, model: str) -> Disagreement | None:
    """Whether every row is as it was written, and what refuses changes is there."""
    state = chain.examine_chain(ledger.database)
    if not state.faults:
        return None
    return Disagreement(
        f"The ledger at {ledger.database.address} was changed outside of Perennial: {listing(state.faults)}.",
        "Put your backup of it in its place. If there is none, begin a new ledger (move the file away, or name another "
        f"database with {database.VARIABLE}), to which `perennial reconcile {model} --keep registry --reason …` then "
        "introduces the champion.",
        is_of_whole=True,
        is_of_chain=True,
    )


def examine_newest_link(ledger: Ledger, registry: RegistryState, model: str) -> Disagreement | None:
    """Whether the link that the ledger left with `model` is still in it: else its end was cut off, or made anew."""
    mark = registry.mark
    if mark is None or not mark.head or mark.ledger != ledger.identity():
        return None
    if mark.head in chain.examine_chain(ledger.database).hashes:
        return None
    return Disagreement(
        f"The ledger at {ledger.database.address} was changed outside of Perennial: the link that it left with {model} "
        "in MLflow is not in it any more, so its newest entries were removed or written anew.",
        f"Put your backup of it in its place; if there is none, `perennial reconcile {model} --keep registry --reason "
        "…` accepts what it has now, and the champion that the alias names.",
        is_of_whole=True,
    )
