"""What a server asks of the registry: which version is champion, and that version, once it has shown that it serves."""

from perennial import progress
from perennial.artifacts import Champion, Record
from perennial.home import Home
from perennial.registry import aliases, packages, smoke, tags, tracking, versions


class Standing(Record):
    """The champion, as the registry names it."""

    version: str
    package_digest: str
    """"": it is not Perennial's, and can't serve."""


def champion(home: Home, model: str) -> Standing | None:
    """Which version of `model` is champion now; None: the registry says there is none. Takes some seconds at most.

    Raises RegistryError when the registry can't be asked.
    """
    with tracking.session(home, patience=tracking.QUICK) as client:
        found = aliases.version_of_champion(client, home, model)
    if found is None:
        return None
    return Standing(version=str(found.version), package_digest=found.tags.get(tags.PACKAGE_DIGEST, ""))


def bring(home: Home, model: str, version: str | None = None) -> Champion:
    """The package of `version` of `model` (None: of the champion), whole in the store, after it has answered in a clean
    process what it was judged by.

    Downloaded only if the store does not have it whole; either way its bytes are those that were registered. Raises
    RegistryError when there is no such version, its package is not what was registered, or it does not answer so.
    """
    with tracking.session(home) as client:
        found = versions.find(client, home, model, version)
        whole = packages.fetch(client, home, found)
        progress.advance(0, None, detail=f"asking version {found.version}")
        remedy = f"`perennial rollback {model} --reason …` lets the version before serve."
        smoke.ask_version(client, home, found, home.store.root / whole.path, remedy, compare=False)
    return whole
