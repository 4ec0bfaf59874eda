"""The evidence of a version, for who wants to look into what its run found."""

from perennial.core.errors import RegistryError
from perennial.core.home import Home
from perennial.registry import tracking, versions
from perennial.registry.versions import StoredEvidence


def evidence(home: Home, model: str, version: str | None = None) -> tuple[str, StoredEvidence]:
    """The number of `version` of `model` (None: the newest) and the evidence it was registered with.

    Raises RegistryError when there is no such version, or its evidence can't be had.
    """
    with tracking.session(home) as client:
        if version is None:
            numbers = [int(each.version) for each in client.search_model_versions(f"name = '{model}'")]
            if not numbers:
                raise RegistryError(f"{model} has no versions yet.", remedy=f"Run `perennial run {model}` first.")
            version = str(max(numbers))
        return version, versions.evidence_of(client, home, versions.candidate(client, home, model, version))
