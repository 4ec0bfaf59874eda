"""Where MLflow is, whether it answers, and how it is spoken to: bounded in time, silent, errors explained."""

import json
import logging
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from perennial.core import file_systems, progress, telemetry
from perennial.core.errors import RegistryError
from perennial.core.home import Home
from perennial.core.masking import mask_secrets
from perennial.registry import credentials

if TYPE_CHECKING:
    from mlflow import MlflowClient

UNTOUCHED = "The champion is untouched and finished steps are kept."
DATABASES = {"sqlite", "postgresql", "mysql", "mssql"}
LOGGERS = ("mlflow", "alembic", "huey", "sqlalchemy.engine", "urllib3")
REASON_LENGTH = 300
DELETED_RUN = r"The run (\w+) must be in the 'active' state"
"""MLflow's words where a run was put in its bin."""


@dataclass(frozen=True)
class Patience:
    """How long MLflow may keep us waiting: seconds for each answer, and how often a failed request is repeated."""

    seconds: int
    retries: int


QUICK = Patience(seconds=5, retries=1)
WORKING = Patience(seconds=30, retries=2)


def uri(home: Home) -> str:
    """Where runs are tracked: what `home` names, MLFLOW_TRACKING_URI, or the database in `home`."""
    return _given(home) or f"sqlite:///{(home.mlflow / 'mlflow.db').absolute()}"


def registry_uri(home: Home) -> str:
    """Where versions are registered: what `home` names, MLFLOW_REGISTRY_URI, or where runs are tracked."""
    return home.mlflow_address or os.environ.get("MLFLOW_REGISTRY_URI") or uri(home)


def is_built_in(home: Home) -> bool:
    """Whether runs are tracked in the database in `home`, because nobody named another place."""
    return _given(home) is None


def _given(home: Home) -> str | None:
    return home.mlflow_address or os.environ.get("MLFLOW_TRACKING_URI") or None


def artifacts(home: Home, model: str) -> str | None:
    """Where the artifacts of `model` go; None: a server knows, which a database that is opened here does not."""
    return (home.mlflow / "artifacts" / model).absolute().as_uri() if is_database(uri(home)) else None


def is_database(address: str) -> bool:
    """Whether `address` is a database that this process opens itself, rather than a server."""
    return address.partition("://")[0].partition("+")[0] in DATABASES


def plain_address(address: str) -> str:
    """`address` without user name, password and what follows a question mark, for what is written down."""
    if address.startswith("sqlite"):
        return address.partition("?")[0]  # a path, which may hold what means something else in an address
    # Masked first: what divides an address may stand in a password, too.
    parts = urlsplit(mask_secrets(address))
    host = parts.netloc.rpartition("@")[2].lower()
    return urlunsplit((parts.scheme.lower(), host, parts.path.rstrip("/"), "", ""))


def missing_databases(home: Home) -> list[Path]:
    """The files of SQLite databases that MLflow is to use and that are not there; looking makes none."""
    files = [_sqlite_file(address) for address in sorted({uri(home), registry_uri(home)})]
    return [file for file in files if file is not None and not file.exists()]


def _sqlite_file(address: str) -> Path | None:
    scheme, _, path = address.partition("?")[0].partition(":///")
    return Path(path) if path and scheme.partition("+")[0] == "sqlite" else None


def check_mlflow(home: Home) -> None:
    """Ask MLflow whether it is there, in some seconds at most; its database is made if it is not there yet.

    Raises RegistryError with the address (passwords masked), what was seen there and what to do.
    """
    with session(home, patience=QUICK, makes=True) as client:
        client.search_experiments(max_results=1)
        client.search_registered_models(max_results=1)


def load_mlflow() -> None:
    """Import MLflow, which takes seconds, before it is needed. What is wrong with it is told when it is."""
    telemetry.off()
    with _quiet(), suppress(ImportError):
        import mlflow.tracking  # noqa: F401


@contextmanager
def session(
    home: Home, *, patience: Patience | None = None, standing: str = UNTOUCHED, makes: bool = False
) -> Iterator["MlflowClient"]:
    """A client of MLflow for the block, which MLflow neither talks through nor hangs in.

    `standing`: one sentence on how things stand if the block fails. `makes`: an SQLite database that is not there is
    made, for who is to write the first thing into it (`lost_registry.check` first); else that is an error, so that
    none is ever put in the place of one that was moved away. Raises RegistryError for whatever MLflow, its database or
    the disk raises in the block.
    """
    patience = patience or WORKING
    addresses = {"MLFLOW_TRACKING_URI": uri(home), "MLFLOW_REGISTRY_URI": registry_uri(home)}
    telemetry.off()
    if "mlflow" not in sys.modules:
        progress.advance(0, None, detail="loading MLflow")
    with _environment(patience), _quiet():
        from google.protobuf.json_format import ParseError  # type: ignore[import-untyped]
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        expected = (MlflowException, SQLAlchemyError, OSError, ImportError, ParseError, json.JSONDecodeError)
        try:
            for address in sorted(set(addresses.values())):
                _open(address, patience, makes)
            yield MlflowClient(*addresses.values())
        except expected as error:
            raise _explained(error, home, addresses, standing) from error


class _NoDatabaseError(OSError):
    """There is no file where the database should be."""


def _open(address: str, patience: Patience, makes: bool) -> None:
    # MLflow repeats a failed connection to a database for over a minute and a half, so it is tried here first.
    if not is_database(address):
        return
    import sqlalchemy
    from sqlalchemy.pool import NullPool

    try:
        url = sqlalchemy.make_url(address)
    except ValueError as error:  # of a port that is no number, for one, as an @ in a password makes it
        raise sqlalchemy.exc.ArgumentError("it is no address of a database") from error
    if url.get_backend_name() == "sqlite":
        if makes:
            _make_database(Path(url.database or ""))
        elif not Path(url.database or "").exists():
            raise _NoDatabaseError("there is no such file")
        seconds = {"timeout": patience.seconds}
    else:
        seconds = {} if url.get_backend_name() == "mssql" else {"connect_timeout": patience.seconds}
    engine = sqlalchemy.create_engine(url, poolclass=NullPool, connect_args=seconds)
    sqlalchemy.inspect(engine).get_table_names()


def _make_database(path: Path) -> None:
    # MLflow's set-up takes seconds and can't be resumed when killed: so it happens beside, and then it is there.
    if path.exists():
        return
    from mlflow import MlflowClient

    progress.note("Setting up MLflow's database; once, some seconds.")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=path.parent) as folder:
        new = Path(folder) / path.name
        MlflowClient(f"sqlite:///{new.absolute()}").search_experiments(max_results=1)
        file_systems.put_once(new, path)  # or another process was faster, and its database may be in use already


@contextmanager
def _environment(patience: Patience) -> Iterator[None]:
    names = {
        "MLFLOW_HTTP_REQUEST_TIMEOUT": str(patience.seconds),
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": str(patience.retries),
        "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
        "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER": "0",
        "MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER": "false",
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "MLFLOW_RECORD_ENV_VARS_IN_MODEL_LOGGING": "false",
        # Else a uv.lock in the working folder becomes part of the model.
        "MLFLOW_UV_AUTO_DETECT": "false",
        "GIT_PYTHON_REFRESH": "quiet",
    }
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(names)
    try:
        yield
    finally:
        _restore(before)


def _restore(before: Mapping[str, str | None]) -> None:
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@contextmanager
def _quiet() -> Iterator[None]:
    # MLflow's own notices are for its users; what goes wrong reaches ours as an exception.
    import mlflow  # noqa: F401  (importing it sets the levels that are changed here)

    loggers = [logging.getLogger(name) for name in LOGGERS]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def _explained(error: Exception, home: Home, addresses: Mapping[str, str], standing: str) -> RegistryError:
    servers = " and ".join(sorted({mask_secrets(address) for address in addresses.values()}))
    problem = f"MLflow at {servers} can't be used: {reason(error)}. {standing}"
    refused, deleted = credentials.refusal(error), re.search(DELETED_RUN, str(error))
    remedy = f"{refused[1]}; then run the same command again." if refused else _remedy(home, addresses)
    if isinstance(error, _NoDatabaseError):
        remedy = (
            "If it was moved, or is on a disk that is away, put it back, or your backup of it; if there was none yet, "
            "the first `perennial run` makes it. Nothing was put in its place."
        )
    if deleted:
        remedy = (
            "Somebody deleted that run in MLflow. Restore it there, which is possible until `mlflow gc` has removed it "
            f"(`mlflow runs restore --run-id {deleted[1]}`), and run the same command again."
        )
    return RegistryError(problem, remedy=remedy)


def reason(error: Exception) -> str:
    """What went wrong, in one line without passwords."""
    refused = credentials.refusal(error)
    if refused:
        return refused[0]
    text = mask_secrets(str(error)).strip()
    status = re.search(r"too many (\d{3}) error responses", text)
    if status:
        return f"it answered with HTTP status {status[1]}"
    for sign in ("Connection refused", "Name or service not known", "Permission denied", "No space left on device"):
        if sign in text:
            return sign.lower()
    if "timed out" in text or "timeout" in text.lower():
        return "it did not answer in time"
    line = text.splitlines()[0] if text else type(error).__name__
    return line[:REASON_LENGTH].rstrip(".")


def _remedy(home: Home, addresses: Mapping[str, str]) -> str:
    if home.mlflow_address:
        return "Start that server or correct --to, and run the same command again: it goes on where this one ended."
    named = [name for name in addresses if os.environ.get(name)]
    if not named:
        return (
            "Make sure that the folder can be written and has space. If the database file is damaged, put your backup "
            "of it in its place, or move it away to begin a new registry; then run the same command again."
        )
    return (
        f"Start that server or correct {' and '.join(named)} (unset it to use the built-in database, which `make ui` "
        "shows), and run the same command again."
    )
