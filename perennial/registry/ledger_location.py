"""Whether the ledger lies where its promises hold: one for all who share an MLflow, on a disk that keeps its locks."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from perennial.core import file_systems
from perennial.core.home import Home
from perennial.core.masking import mask_secrets
from perennial.registry import agreement, database, tracking

if TYPE_CHECKING:
    from mlflow import MlflowClient

HERE = ("", "localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class LedgerDoubt:
    """Why the ledger may not guard the champion."""

    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.problem} {self.remedy}"


def doubts(home: Home) -> Iterator[LedgerDoubt]:
    """What is known of it by addresses and mounts alone; nothing is asked, and nothing made."""
    file = database.sqlite_file(home)
    if file is None:
        return
    if registry := _others_registry(home):
        yield LedgerDoubt(
            f"MLflow at {registry} may be shared with other machines, but the ledger is this machine's own file "
            f"{file}: its leases keep nobody else from moving the champion at the same time.",
            f"If anybody else uses that MLflow, give all of them one PostgreSQL in {database.VARIABLE}; if not, leave "
            "it so.",
        )
    if kind := file_systems.shared_type(file.parent):
        yield LedgerDoubt(
            f"The ledger {file} is SQLite on a disk of type {kind}, which other machines may write to: such "
            "disks don't keep its locks for certain, so two machines could move the champion at once, or damage it.",
            f"Put it on a disk of this machine ({database.VARIABLE}=sqlite:////folder/ledger.db, or PERENNIAL_HOME), "
            f"or use PostgreSQL ({database.VARIABLE}=postgresql+psycopg://…).",
        )


def lost_ledger(client: "MlflowClient", home: Home, model: str) -> agreement.Disagreement | None:
    """That there is no ledger, though the registry bears the mark of one or has champions; None: there is, or none is
    missed. Asked before one is made: a new one in its place would know nothing of them.
    """
    if database.is_there(home):
        return None
    state = agreement.LedgerState(f"sqlite:///{database.sqlite_file(home)}", None)
    return agreement.compare(model, state, agreement.registry_state(client, home, model))


def _others_registry(home: Home) -> str | None:
    """The registry's address, if it is not this machine's own."""
    address = tracking.registry_uri(home)
    if address.startswith(("sqlite", "file:")) or "://" not in address:
        return None
    try:
        host = urlsplit(address).hostname or ""
    except ValueError:
        host = "unknown"
    return None if host in HERE else mask_secrets(address)
