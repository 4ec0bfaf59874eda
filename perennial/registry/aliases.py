"""The alias `champion`: which version serves, and how it moves."""

from typing import TYPE_CHECKING

from perennial.artifacts import Champion, RegisteredVersion
from perennial.errors import RegistryError
from perennial.home import Home
from perennial.registry import packages, tags, tracking

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

CHAMPION = "champion"
MOVING = "The alias `champion` may have moved or not; nothing else has changed."


def champion(model: str, home: Home) -> Champion | None:
    """The champion of `model`, its package whole and verified in the store; None: the registry says there is none yet.

    Raises RegistryError for every other answer, and when the champion's package is missing or was changed.
    """
    with tracking.session(home) as client:
        version = version_of_champion(client, home, model)
        return packages.fetch(client, home, version) if version else None


def promote(home: Home, registered: RegisteredVersion) -> bool:
    """Point the alias `champion` at `registered`, unless the champion is no longer the one it was judged against.

    Returns whether the alias points there now. Raises RegistryError when that can't be told.
    """
    with tracking.session(home, standing=MOVING) as client:
        now = version_of_champion(client, home, registered.model)
        serving = str(now.version) if now else None
        if serving not in (registered.champion_version, registered.version):
            return False
        if serving != registered.version:
            client.set_registered_model_alias(registered.model, CHAMPION, registered.version)
            _confirm(client, home, registered)
        client.set_model_version_tag(registered.model, registered.version, tags.STATUS, tags.PROMOTED)
    return True


def version_of_champion(client: "MlflowClient", home: Home, model: str) -> "ModelVersion | None":
    """The version `champion` points to; None only if the registry knows no such model, or no such alias of it.

    MLflow answers RESOURCE_DOES_NOT_EXIST for an unknown model and INVALID_PARAMETER_VALUE for an unknown alias, but
    also for other things, and a wrong server's 404 looks like the former. So the model itself is asked for as well.
    """
    from mlflow.exceptions import MlflowException

    try:
        return client.get_model_version_by_alias(model, CHAMPION)
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
        if not _says_none(client, home, model):
            raise
    return None


def _says_none(client: "MlflowClient", home: Home, model: str) -> bool:
    from mlflow.exceptions import MlflowException, RestException

    try:
        return CHAMPION not in client.get_registered_model(model).aliases
    except MlflowException as error:
        unknown = error.error_code == "RESOURCE_DOES_NOT_EXIST" and f"name={model} not found" in str(error)
        return unknown and (isinstance(error, RestException) or tracking.is_database(tracking.registry_uri(home)))


def _confirm(client: "MlflowClient", home: Home, registered: RegisteredVersion) -> None:
    now = version_of_champion(client, home, registered.model)
    if now is None or str(now.version) != registered.version:
        seen = f"version {now.version}" if now else "nothing"
        raise RegistryError(
            f"The alias `champion` of {registered.model} was set to version {registered.version}, but points to {seen}:"
            " someone else moved it at the same moment.",
            remedy="Look at the versions in MLflow, set the alias to the right one, and keep to one run at a time.",
        )
