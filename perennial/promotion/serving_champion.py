"""What a server asks of the registry: which version is champion, and that version, once it has shown that it serves."""

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from perennial.core import progress
from perennial.core.errors import RegistryError
from perennial.core.home import Home
from perennial.core.record import Record
from perennial.promotion import smoke_test
from perennial.records.package import Champion
from perennial.registry import agreement, aliases, packages, signatures, tags, tracking, versions
from perennial.registry.agreement import Disagreement
from perennial.signing.keys import TrustedKey

if TYPE_CHECKING:
    from mlflow import MlflowClient


class Standing(Record):
    """The champion, as the registry names it."""

    version: str
    package_digest: str
    """"": it is not Perennial's, and can't serve."""
    doubt: str = ""
    """How the ledger disagrees, where there is one at hand."""


class BroughtVersion(Record):
    """A version that may serve."""

    package: Champion
    signature: str
    """The envelope of its signed statement, which holds also where the registry can't be asked; "": there is none."""
    signer: str
    """Whose signature that is, in words; "": nobody's was asked for."""


def champion(home: Home, model: str) -> Standing | None:
    """Which version of `model` is champion now; None: none, see `why_none`. Takes some seconds at most.

    Raises RegistryError when the registry can't be asked.
    """
    with tracking.session(home, patience=tracking.QUICK) as client:
        version_serving = aliases.version_of_champion(client, home, model)
        if version_serving is None:
            return None
        doubt = str(_disagreement(client, home, model) or "")
    digest = version_serving.tags.get(tags.PACKAGE_DIGEST, "")
    return Standing(version=str(version_serving.version), package_digest=digest, doubt=doubt)


def why_none(home: Home, model: str) -> str:
    """Why the registry says that `model` has no champion, in sentences. Raises RegistryError when it can't be asked."""
    with tracking.session(home, patience=tracking.QUICK) as client:
        if disagreement := _disagreement(client, home, model):
            return str(disagreement)
    return f"{model} has no champion: the registry says that no version has the alias."


def _disagreement(client: "MlflowClient", home: Home, model: str) -> Disagreement | None:
    # A server goes by the registry; a ledger that can't be read keeps nobody from being answered.
    with suppress(RegistryError):
        return agreement.examine(client, home, model)
    return None


def bring(home: Home, model: str, version: str | None = None, trusted: Sequence[TrustedKey] = ()) -> BroughtVersion:
    """The package of `version` of `model` (None: of the champion), whole in the store, after it has answered in a clean
    process what it was judged by.

    Downloaded only if the store does not have it whole; either way its bytes are those that were registered. `trusted`:
    one of these keys has to have signed it, before anything of it is fetched; none: nobody has to. Raises RegistryError
    when there is no such version, its package is not what was registered, or it does not answer so, and SignatureError.
    """
    with tracking.session(home) as client:
        version_wanted = versions.find_version(client, home, model, version)
        signer = ""
        if trusted:
            signed = signatures.check_version(client, home, version_wanted, trusted, passed=version is None)
            signer = str(signed.signer)
        whole = packages.fetch(client, home, version_wanted)
        progress.advance(0, None, detail=f"asking version {version_wanted.version}")
        remedy = f"`perennial rollback {model} --reason …` lets the version before serve."
        smoke_test.ask_version(client, home, version_wanted, home.store.root / whole.path, remedy, compare=False)
    return BroughtVersion(package=whole, signature=version_wanted.tags.get(tags.SIGNATURE, ""), signer=signer)
