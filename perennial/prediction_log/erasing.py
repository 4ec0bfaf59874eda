"""Rows taken out of the prediction log, as where a text has to be forgotten."""

import fcntl
import json
from collections.abc import Callable, Iterator
from pathlib import Path

from perennial.core.home import Home
from perennial.core.store import write_atomically
from perennial.prediction_log import files, parquet
from perennial.prediction_log.logged import LoggedRow

Taken = Callable[[LoggedRow], bool]


def in_files(home: Home, model: str, is_taken: Taken, *, erases: bool) -> Iterator[tuple[Path, int, bool]]:
    """Files that hold rows which `is_taken` is true of, with how many, and whether a server has the file open.

    `erases`: of files that no server has open they are gone when the file is given. Raises OSError.
    """
    folder = files.predictions_folder(home, model)
    for path in [*files.closed_files(folder), *sorted(folder.glob(f"*{files.OPEN}"))]:
        rows = parquet.rows_of_parquet(path) if path.suffix == ".parquet" else files.lines_of(path)
        if not (count := sum(map(is_taken, rows))):
            continue
        is_open = path.name.endswith(files.OPEN) and _is_served(path)
        if erases and not is_open:
            _rewrite(path, is_taken)
        yield path, count, is_open


def in_table(url_env: str, model: str, is_taken: Taken, *, erases: bool) -> int:
    """How many rows of the table `is_taken` is true of; `erases`: they are deleted. Raises ServingError."""
    from perennial.prediction_log import sql

    ids = [str(row["id"]) for row in sql.rows_with_texts(url_env, model) if is_taken(row)]
    if erases and ids:
        sql.delete_rows(url_env, model, ids)
    return len(ids)


def _is_served(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _rewrite(path: Path, is_taken: Taken) -> None:
    if path.suffix == ".parquet":
        parquet.write_rows((row for row in parquet.rows_of_parquet(path) if not is_taken(row)), path)
        return
    kept = (row for row in files.lines_of(path) if not is_taken(row))
    write_atomically(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in kept))
