"""A query on any database that SQLAlchemy reaches, its rows streamed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from perennial.core import progress
from perennial.core.errors import SourceError, SpecError, UnreachableError
from perennial.core.masking import mask_secrets
from perennial.ingest.sources.base import Piece, require_columns, reread_remedy, wanted_columns
from perennial.rows import moments
from perennial.rows.batch import Batch
from perennial.settings.data import SqlSource
from perennial.settings.pipeline import PipelineSpec

if TYPE_CHECKING:
    import sqlalchemy as sa

NAME = "query"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FETCH_ROWS = 2_000
_WATERMARK = re.compile(r"(?<![:\w\\]):watermark\b")
# Unless something is taken off it, as in `> :watermark - interval '1 day'` and `> datetime(:watermark, '-1 day')`.
_STRICTLY_AFTER = re.compile(
    r"(?<![<>=!-])>\s*(?:\w+\s*\(\s*)*:watermark\b(?!\s*[-,])|(?<![:\w\\]):watermark\b[\s)]*<(?![=>])"
)
# Naive times are UTC everywhere here, so the session must read them so too.
_SESSION = {"postgresql": "SET TIME ZONE 'UTC'", "mysql": "SET time_zone = '+00:00'"}
_AWAY = ("08", "53", "57")
"""Classes of SQLSTATE: connection exceptions, too few resources, the operator's intervention (a shutdown)."""
_AWAY_SIGNS = (
    "connection refused",
    "connection reset",
    "server closed the connection",
    "terminating connection",
    "could not connect",
    "is starting up",
    "is shutting down",
    "no such file or directory",
    "timed out",
    "timeout expired",
    "temporary failure in name resolution",
    "database is locked",
)
"""Where the driver gives no SQLSTATE, as before there is a connection. A missing socket is a server that is down."""
_EXAMPLES = "postgresql+psycopg://user@host/database, or sqlite:////folder/file.db"


def pieces(spec: PipelineSpec, source: SqlSource) -> list[Piece]:
    """The one piece a query is. Raises SpecError when it uses :watermark without a time column."""
    if uses_watermark(source) and spec.data.columns.time is None:
        raise SpecError(
            "data.source.query uses :watermark, the newest time already read, but data.columns.time is not set.",
            remedy="Name the time column under data.columns, or take :watermark out of the query.",
        )

    if problem := missed_rows(source):
        progress.note(problem)

    def read(watermark: datetime | None) -> Iterator[Batch]:
        floor = max(watermark - source.lookback, _EPOCH) if watermark else None
        return rows(source, wanted_columns(spec), floor, spec.data.columns.time_format)

    takes_late = bool(source.lookback) or spec.data.columns.id is not None
    return [Piece(NAME, None, None, read, reread_remedy(spec.name), takes_late=takes_late)]


def missed_rows(source: SqlSource) -> str | None:
    """Which rows the query can't see, in words; None: it asks for all that may be new."""
    if source.lookback or not _STRICTLY_AFTER.search(source.query):
        return None
    return (
        "data.source.query asks for rows after :watermark (>): those of the same instant as the newest row read, and "
        "those committed late, are never read. Write >= :watermark, and data.source.lookback: 1 day for late ones; "
        "rows that are known count once."
    )


def uses_watermark(source: SqlSource) -> bool:
    """Whether the query asks for what is new only."""
    return _WATERMARK.search(source.query) is not None


def rows(
    source: SqlSource, names: tuple[str, ...], watermark: datetime | None, time_format: str | None
) -> Iterator[Batch]:
    """The query's rows, only the columns `names` (none: all), streamed; `watermark`: what :watermark is, None: 1970.

    `time_format`: how the time column counts. Raises SourceError, and UnreachableError for a database that is away.
    """
    import sqlalchemy as sa

    url = _url(source)
    with _clear_errors(source, url):
        engine = _engine(source, url)
        try:
            with engine.connect() as connection:
                if url.get_backend_name() in _SESSION:
                    connection.execute(sa.text(_SESSION[url.get_backend_name()]))
                bound = {"watermark": _bound(url, watermark, time_format)} if uses_watermark(source) else {}
                streaming = connection.execution_options(stream_results=True, yield_per=FETCH_ROWS)
                yield from _batches(streaming.execute(sa.text(source.query), bound), names)
        finally:
            engine.dispose()


def _batches(result: sa.CursorResult[Any], names: tuple[str, ...]) -> Iterator[Batch]:
    keys = list(result.keys())
    require_columns("The result of data.source.query", keys, names)
    indexes = {name: keys.index(name) for name in names or keys}
    start = 1
    for fetched in result.partitions(FETCH_ROWS):
        columns: dict[str, list[object]] = {name: [row[index] for row in fetched] for name, index in indexes.items()}
        yield Batch(NAME, "row", range(start, start + len(fetched)), columns)
        start += len(fetched)
        progress.advance(start - 1, unit="rows", detail="reading the query")


def _bound(url: sa.URL, watermark: datetime | None, time_format: str | None) -> datetime | str | int:
    if time_format in moments.UNITS:
        # As the column counts: a database compares no number with a time, and SQLite says of each that it is less.
        return ((watermark or _EPOCH) - _EPOCH) // timedelta(microseconds=1) * moments.UNITS[time_format] // 1_000_000
    time = (watermark or _EPOCH).astimezone(UTC).replace(tzinfo=None)
    if url.get_backend_name() != "sqlite":
        return time
    # SQLite keeps times as text and compares them as such. The shortest spelling sorts before every longer one of the
    # same time, so no row is missed; one that is read again is known by its id.
    return time.isoformat(" ").removesuffix(" 00:00:00")


def _url(source: SqlSource) -> sa.URL:
    import sqlalchemy as sa

    value = os.environ.get(source.url_env, "").strip()
    if not value:
        raise SourceError(
            f"The environment variable {source.url_env}, which data.source.url_env names, is not set; "
            "the database's URL was expected in it.",
            remedy=f"Set it, for example to {_EXAMPLES}.",
        )
    try:
        return sa.make_url(value)
    except (sa.exc.ArgumentError, ValueError):
        # Without its cause: that would show the URL, and its password.
        raise SourceError(
            f"What the environment variable {source.url_env} holds is no database URL.",
            remedy=f"Write it like {_EXAMPLES}; special characters in a password are percent-encoded.",
        ) from None


def _engine(source: SqlSource, url: sa.URL) -> sa.Engine:
    import sqlalchemy as sa

    try:
        return sa.create_engine(url)
    except sa.exc.NoSuchModuleError:
        hint = " (PostgreSQL is written postgresql+psycopg)" if url.drivername.startswith("postgres") else ""
        raise SourceError(
            f"The URL in {source.url_env} starts with {url.drivername!r}, of which SQLAlchemy knows nothing{hint}.",
            remedy=f"Write it like {_EXAMPLES}, or install the package that brings that database.",
        ) from None
    except ModuleNotFoundError as error:
        raise SourceError(
            f"The URL in {source.url_env} starts with {url.drivername!r}, which needs the Python package "
            f"{error.name!r}; it is not installed.",
            remedy="Install it, or write the URL for a driver that is, such as postgresql+psycopg.",
        ) from None


@contextmanager
def _clear_errors(source: SqlSource, url: sa.URL) -> Iterator[None]:
    import sqlalchemy as sa

    try:
        yield
    except sa.exc.SQLAlchemyError as error:
        if "bind parameter" in str(error) and isinstance(error, sa.exc.StatementError) and error.orig is not None:
            reason = "it has a parameter other than :watermark (write \\: for a plain colon)"
        else:
            reason = _reason(error)
        # Without its cause: SQLAlchemy's message carries rows and parameters.
        raise (UnreachableError if _may_pass(error) else SourceError)(
            f"The query of data.source failed on the {url.get_backend_name()} database that {source.url_env} names: "
            f"{reason}.",
            remedy="Look whether the database is up, the user may read it, and the query runs there by hand.",
        ) from None


def _may_pass(error: sa.exc.SQLAlchemyError) -> bool:
    """Whether the database was not there, rather than had something to object."""
    if getattr(error, "connection_invalidated", False):
        return True
    original = getattr(error, "orig", None)
    text = str(original or "").lower()
    return (getattr(original, "sqlstate", None) or "")[:2] in _AWAY or any(sign in text for sign in _AWAY_SIGNS)


def _reason(error: Exception) -> str:
    original = getattr(error, "orig", None)
    # Class 22 of SQLSTATE, data exceptions: their text quotes the data.
    if (getattr(original, "sqlstate", None) or "").startswith("22"):
        return f"a value could not be converted ({type(original).__name__})"
    text = str(original if original is not None else error).strip().partition("\n")[0].rstrip(".")
    return mask_secrets(text)[:300] or type(original or error).__name__
