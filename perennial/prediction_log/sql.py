"""The prediction log in a database that SQLAlchemy knows: the table `perennial_predictions`, made where it is not."""

import os
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from perennial.core.errors import ServingError
from perennial.prediction_log.logged import COLUMNS, TEXTS, LoggedRow

TABLE = "perennial_predictions"
_KINDS = {"row": sa.Integer, "score": sa.Double, "seconds": sa.Double}
PREDICTIONS = sa.Table(
    TABLE,
    sa.MetaData(),
    *(
        sa.Column(name, _KINDS.get(name, sa.Text), index=name in ("id", "time"), nullable=name not in ("id", "time"))
        for name in COLUMNS
    ),
)
PRUNE_SECONDS = 3600.0
ID_BATCH = 500
"""Ids that are asked for together."""


class SqlWriter:
    """Writes the rows of one model to the table."""

    def __init__(self, url_env: str, model: str, keep_days: float) -> None:
        """Opens the database and makes the table if need be. Raises ServingError."""
        self._engine, self._model, self._keep_days = _open_engine(url_env), model, keep_days
        self._prune_at = 0.0
        try:
            PREDICTIONS.metadata.create_all(self._engine)
        except sa.exc.SQLAlchemyError as error:
            # Without its cause: SQLAlchemy's message carries statements and parameters.
            raise _unusable(url_env, error) from None

    def write(self, rows: Sequence[LoggedRow]) -> None:
        """Insert rows, all or none."""
        with self._engine.begin() as connection:
            connection.execute(sa.insert(PREDICTIONS), list(rows))

    def tick(self) -> None:
        """Delete what is too old, once an hour."""
        if time.monotonic() < self._prune_at:
            return
        self._prune_at = time.monotonic() + PRUNE_SECONDS
        oldest = (datetime.now(UTC) - timedelta(days=self._keep_days)).isoformat(timespec="milliseconds")
        ours = (PREDICTIONS.c.model == self._model, PREDICTIONS.c.time < oldest)
        with self._engine.begin() as connection:
            connection.execute(sa.delete(PREDICTIONS).where(*ours))

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()


def rows_of_table(url_env: str, model: str, ids: Sequence[str]) -> Iterator[LoggedRow]:
    """The rows of `model` with these ids. Raises ServingError when the database can't be asked."""
    engine = _open_engine(url_env)
    try:
        with engine.connect() as connection:
            for start in range(0, len(ids), ID_BATCH):
                chosen = PREDICTIONS.c.id.in_(ids[start : start + ID_BATCH])
                query = sa.select(PREDICTIONS).where(PREDICTIONS.c.model == model, chosen)
                yield from (row._asdict() for row in connection.execute(query))
    except sa.exc.SQLAlchemyError as error:
        raise _unusable(url_env, error) from None


def rows_with_texts(url_env: str, model: str) -> Iterator[LoggedRow]:
    """The rows of `model` whose texts were logged. Raises ServingError when the database can't be asked."""
    engine = _open_engine(url_env)
    has_texts = sa.or_(*(PREDICTIONS.c[name].is_not(None) for name in TEXTS))
    try:
        with engine.connect() as connection:
            if sa.inspect(connection).has_table(TABLE):
                query = sa.select(PREDICTIONS).where(PREDICTIONS.c.model == model, has_texts)
                yield from (row._asdict() for row in connection.execution_options(yield_per=ID_BATCH).execute(query))
    except sa.exc.SQLAlchemyError as error:
        raise _unusable(url_env, error) from None
    finally:
        engine.dispose()


def delete_rows(url_env: str, model: str, ids: Sequence[str]) -> None:
    """Delete the rows of `model` with these ids, all or none. Raises ServingError."""
    engine = _open_engine(url_env)
    try:
        with engine.begin() as connection:
            if connection.dialect.name == "sqlite":
                # Else their bytes stay in the file until others are written over them.
                connection.exec_driver_sql("PRAGMA secure_delete = ON")
            for start in range(0, len(ids), ID_BATCH):
                chosen = PREDICTIONS.c.id.in_(ids[start : start + ID_BATCH])
                connection.execute(sa.delete(PREDICTIONS).where(PREDICTIONS.c.model == model, chosen))
    except sa.exc.SQLAlchemyError as error:
        raise _unusable(url_env, error) from None
    finally:
        engine.dispose()


def _open_engine(url_env: str) -> sa.Engine:
    address = os.environ.get(url_env, "").strip()
    if not address:
        raise ServingError(
            f"The variable {url_env}, which serving.log.url_env names, is not set.",
            remedy="Set it to the database's address, such as postgresql+psycopg://user@host/database.",
        )
    try:
        return sa.create_engine(address, pool_pre_ping=True)
    except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError, ModuleNotFoundError, ValueError) as error:
        raise _unusable(url_env, error) from None


def _unusable(url_env: str, error: Exception) -> ServingError:
    return ServingError(
        f"The prediction log's database, which {url_env} names, can't be used ({type(error).__name__}).",
        remedy="Look whether it is up, may be written, and its driver is installed; or correct the variable.",
    )
