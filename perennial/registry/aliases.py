"""The aliases of a model: which version serves, which awaits approval, which served before."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, unquote

from perennial.core.home import Home
from perennial.records.package import Champion
from perennial.registry import packages, tags, tracking
from perennial.registry.lost import lost_registry

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

SQLITE = "sqlite:///"
ALIAS = "SELECT version FROM registered_model_aliases WHERE name = ? AND alias = ?"
TAG = 'SELECT value FROM model_version_tags WHERE name = ? AND version = ? AND "key" = ?'
SECONDS = 1.0
"""To wait for a database that another process has locked."""


def champion(model: str, home: Home) -> Champion | None:
    """The champion of `model`, its package whole and verified in the store; None: the registry says there is none yet.

    Raises RegistryError for every other answer, and when the champion's package is missing or was changed.
    """
    if lost_registry.none_yet(home):
        return None
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


class RegisteredPackage(NamedTuple):
    """What a version in the registry says of its package."""

    version: str
    digest: str
    signature: str
    """"": it is not signed."""


def registered_package(home: Home, model: str, version: str | None) -> RegisteredPackage | None:
    """What `version` of `model` (None: its champion) says of its package; None: not known here.

    Read from MLflow's own SQLite file without MLflow, whose import takes seconds: for a server that starts, as what is
    read only confirms what it knows. Where file, tables or rows are not as MLflow writes them, nothing is confirmed.
    """
    address = tracking.registry_uri(home)
    if not address.startswith(SQLITE):
        return None
    file = Path(unquote(address.removeprefix(SQLITE).partition("?")[0])).absolute()
    try:
        # Read only, so that no file is made where there is none.
        with closing(sqlite3.connect(f"file:{quote(str(file))}?mode=ro", uri=True, timeout=SECONDS)) as database:
            number = version if version is not None else _only(database, ALIAS, model, CHAMPION)
            if number is None:
                return None
            digest = _only(database, TAG, model, number, tags.PACKAGE_DIGEST)
            signature = _only(database, TAG, model, number, tags.SIGNATURE) or ""
    except sqlite3.Error:
        return None
    return None if digest is None else RegisteredPackage(str(number), str(digest), str(signature))


def _only(database: sqlite3.Connection, query: str, *arguments: str | int) -> str | int | None:
    """The one value there is; None: there is none, or there are several (of several workspaces)."""
    rows = database.execute(query, arguments).fetchall()
    return rows[0][0] if len(rows) == 1 else None
