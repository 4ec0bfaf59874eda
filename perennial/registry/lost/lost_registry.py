"""Whether MLflow's database was there before and is gone: then no other is made in its place, which would look as if
nothing had ever been promoted.
"""

from pathlib import Path

import sqlalchemy as sa

from perennial.core.errors import RegistryError
from perennial.core.home import Home
from perennial.registry import database, tracking
from perennial.registry.database import ENTRIES, RUNS
from perennial.registry.ledger import registry_of


def none_yet(home: Home) -> bool:
    """Whether there is no registry, and never was one as far as this machine knows. Raises RegistryError as `check`."""
    check(home)
    return bool(tracking.missing_databases(home))


def check(home: Home) -> None:
    """Raises RegistryError where MLflow's database is not there, and the ledger or its artifacts say that it was."""
    missing = tracking.missing_databases(home)
    sign = _sign_of(home) if missing else ""
    if sign:
        raise RegistryError(
            f"MLflow's database {missing[0]} is not there, but {sign}: it was moved or deleted, or its disk is away. "
            f"{tracking.UNTOUCHED}",
            remedy="Put it back, or your backup of it. If it is lost for good, `perennial reconcile MODEL --keep "
            "registry --reason …` begins a new one. Nothing was put in its place.",
        )


def _sign_of(home: Home) -> str:
    """What tells that the database was there; empty: nothing."""
    artifacts = home.mlflow / "artifacts"
    if tracking.is_built_in(home) and _has_something(artifacts):
        return f"{artifacts} holds what it describes"
    if database.is_there(home) and _is_in_ledger(home):
        return "the ledger has moves of champions in it"
    return ""


def _has_something(folder: Path) -> bool:
    return folder.is_dir() and any(folder.iterdir())


def _is_in_ledger(home: Home) -> bool:
    named = registry_of(home)
    with database.open_database(home).reading() as connection:
        moved = sa.select(sa.exists().where(ENTRIES.c.registry == named))
        made = sa.select(sa.exists().where(RUNS.c.registry == named, RUNS.c.version.is_not(None)))
        return bool(connection.scalar(moved) or connection.scalar(made))
