"""Indexes of rows: a DuckDB file each, so that a new part is compared with what is known without reading old parts.

An index holds nothing that the parts don't: one that is lost, damaged or of other parts is made again from them, and
one that is behind catches up. It is never ahead, for it only takes in what earlier runs have accepted.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from perennial.core.errors import StoreError

if TYPE_CHECKING:
    import duckdb

T = TypeVar("T")

MEMORY = "128MB"
"""What DuckDB may hold before it spills to disk: the ids of about a million rows."""
LOCKED = "could not set lock"
"""In DuckDB's words where another process has the file."""


@contextmanager
def opened_index(path: Path, scratch: Path, use: Callable[[duckdb.DuckDBPyConnection], T]) -> Iterator[T]:
    """What `use` gives on the index at `path`, which is open for the block; `use` makes its tables and catches up.

    If that fails, the file is removed and `use` tries once more on an empty one. `scratch`: a folder to spill to.
    Raises StoreError when it fails again: there is no space.
    """
    import duckdb

    scratch.mkdir(parents=True, exist_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="join-", dir=scratch) as spill:
        connection = None
        try:
            connection, used = _opened_or_made_anew(path, Path(spill), use)
            yield used
        except duckdb.Error as error:
            raise StoreError(
                f"The new rows could not be compared with the old ones ({type(error).__name__}); it needs some space "
                f"in {scratch.parent}.",
                remedy="Free some disk space, or set PERENNIAL_HOME to a larger disk, and run again.",
            ) from error
        finally:
            if connection is not None:
                # What could not be put down stays in DuckDB's log, or the index is behind and catches up.
                with suppress(duckdb.Error):
                    connection.close()


def _opened_or_made_anew(
    path: Path, spill: Path, use: Callable[[duckdb.DuckDBPyConnection], T]
) -> tuple[duckdb.DuckDBPyConnection, T]:
    import duckdb

    try:
        return _opened(path, spill, use)
    except duckdb.Error as error:
        if isinstance(error, duckdb.IOException) and LOCKED in str(error).lower():
            # Another process uses it; for once it is made anew elsewhere.
            path = spill / path.name
        for file in (path, path.with_name(f"{path.name}.wal")):
            file.unlink(missing_ok=True)
        return _opened(path, spill, use)


def _opened(
    path: Path, spill: Path, use: Callable[[duckdb.DuckDBPyConnection], T]
) -> tuple[duckdb.DuckDBPyConnection, T]:
    import duckdb

    settings = {"memory_limit": MEMORY, "temp_directory": str(spill), "threads": "2"}
    connection = duckdb.connect(str(path), config={**settings, "preserve_insertion_order": "false"})
    try:
        connection.execute("SET enable_progress_bar = false")
        return connection, use(connection)
    except BaseException:
        connection.close()
        raise
