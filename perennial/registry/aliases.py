"""The aliases of a model: which version serves, which awaits approval, which served before."""

from typing import TYPE_CHECKING

from perennial.core.home import Home
from perennial.records.package import Champion
from perennial.registry import packages, tracking

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion, RegisteredModel

CHAMPION = "champion"
CHALLENGER = "challenger"
"""Passed its gates and awaits a person's approval."""
ANCHOR = "anchor"
"""The best champion of some time, where a gate compares with it: only so that its package is kept."""
PREVIOUS = "previous"
"""The champion before this one, whichever way it was replaced."""


def champion(model: str, home: Home) -> Champion | None:
    """The champion of `model`, its package whole and verified in the store; None: the registry says there is none yet.

    Raises RegistryError for every other answer, and when the champion's package is missing or was changed.
    """
    with tracking.session(home) as client:
        version = version_of_champion(client, home, model)
        return packages.fetch(client, home, version) if version else None


def version_of_champion(client: "MlflowClient", home: Home, model: str) -> "ModelVersion | None":
    """The version `champion` points to; None only if the registry knows no such model, or no such alias of it."""
    return version_of(client, home, model, CHAMPION)


def version_of(client: "MlflowClient", home: Home, model: str, alias: str) -> "ModelVersion | None":
    """The version `alias` points to; None only if the registry knows no such model, or no such alias of it.

    MLflow answers RESOURCE_DOES_NOT_EXIST for an unknown model and INVALID_PARAMETER_VALUE for an unknown alias, but
    also for other things, and a wrong server's 404 looks like the former. So the model itself is asked for as well.
    """
    from mlflow.exceptions import MlflowException

    try:
        return client.get_model_version_by_alias(model, alias)
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
        registered = registered_model(client, home, model)
        if registered is not None and alias in registered.aliases:
            raise
    return None


def registered_model(client: "MlflowClient", home: Home, model: str) -> "RegisteredModel | None":
    """`model` as MLflow has it, with aliases and tags; None only if the registry knows no such model."""
    from mlflow.exceptions import MlflowException, RestException

    try:
        return client.get_registered_model(model)
    except MlflowException as error:
        # It says what is wrong, where it is not the model that is missing: a wrong server's 404 looks alike.
        is_ours = isinstance(error, RestException) or tracking.is_database(tracking.registry_uri(home))
        if error.error_code != "RESOURCE_DOES_NOT_EXIST" or f"name={model} not found" not in str(error) or not is_ours:
            raise
    return None
