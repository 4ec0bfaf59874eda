"""Whether what MLflow holds of a version is what the ledger has: looked at wherever a decision is believed later.

Tags and artifacts can be changed by whoever may write to MLflow, and the ledger by nobody: so a version is promoted,
approved, copied or gone back to only on a decision whose digest the ledger has.
"""

from typing import TYPE_CHECKING

from perennial.core.errors import RegistryError
from perennial.core.home import Home
from perennial.registry import tracking, versions
from perennial.registry.versions import Candidate, StoredEvidence

if TYPE_CHECKING:
    from mlflow import MlflowClient


def believed(client: "MlflowClient", home: Home, candidate: Candidate) -> StoredEvidence:
    """The evidence of a candidate's newest judging, after it was compared with the ledger.

    Raises RegistryError when the ledger has no decision on the version, or evidence and ledger are not about one
    package and one decision.
    """
    if candidate.decision_digest is None or (candidate.judging is None and candidate.status is None):
        raise unjudged(candidate)
    check_package(candidate)
    stored = versions.evidence_of(client, home, candidate)
    expected = {
        "decision": (candidate.decision_digest, stored.evidence.decision.digest),
        "package": (candidate.registered.package_digest, stored.evidence.package.digest),
        "outcome": (candidate.decision or "no decision", stored.evidence.decision.outcome.value),
    }
    for what, (right, actual) in expected.items():
        if right != actual:
            raise _changed(candidate, f"its evidence in MLflow is about another {what}, {_short(actual)}", right)
    return stored


def check_package(candidate: Candidate) -> None:
    """Raises RegistryError when the package that the version's tag names is not the one that was judged."""
    judging, tagged = candidate.judging, candidate.registered.package_digest
    if judging and judging.package_digest != tagged:
        raise _changed(candidate, f"its tags name another package, {_short(tagged)}", judging.package_digest)


def unjudged(candidate: Candidate) -> RegistryError:
    """The ledger has no decision on the version."""
    registered = candidate.registered
    return RegistryError(
        f"The ledger has no decision on version {registered.version} of {registered.model}, whatever its tags say: its "
        "run was cut short before it was written down, an older Perennial registered it and did not end its run, or it "
        f"was made outside of Perennial. {tracking.UNTOUCHED}",
        remedy=f"`perennial run {registered.model}` judges it, if the data and settings are as they were; what is in "
        "the store is not made again.",
    )


def _changed(candidate: Candidate, problem: str, right: str) -> RegistryError:
    registered = candidate.registered
    return RegistryError(
        f"Version {registered.version} of {registered.model} is not what was judged: {problem}, but the ledger has "
        f"{_short(right)}. It was changed outside of Perennial. {tracking.UNTOUCHED}",
        remedy=f"Restore MLflow from a backup, or `perennial run {registered.model}` judges a candidate anew.",
    )


def _short(value: str) -> str:
    return f"{value[:12]}…" if len(value) == 64 else value or "none"
