"""Slices by expression: SQL over each test row's columns, asked of SQLite in memory, row by row."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any

from perennial import kinds
from perennial.core.errors import SpecError, listing
from perennial.kinds.protocols import Problem
from perennial.rows.columns import TIME
from perennial.settings.pipeline import PipelineSpec

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

TEXT_LENGTH = "text_length"
"""Characters of a row's text; of both together for a pair."""
BATCH_ROWS = 10_000
"""As many rows are in the database at a time."""
MAX_VALUE_BYTES = 256 << 20
"""Of one text, and of what a function makes of it."""
ROWS, NUMBER, HOLDS = "rows", "__number", "__holds"
_FORBIDDEN = frozenset({"load_extension", "fts3_tokenizer", "random", "randomblob", "readfile", "writefile", "edit"})
# What making, filling, asking and emptying one table takes. No PRAGMA, ATTACH, view, trigger or virtual table.
_ALLOWED = frozenset(
    {
        sqlite3.SQLITE_CREATE_TABLE,
        sqlite3.SQLITE_DELETE,
        sqlite3.SQLITE_INSERT,
        sqlite3.SQLITE_READ,
        sqlite3.SQLITE_SELECT,
        sqlite3.SQLITE_TRANSACTION,
        sqlite3.SQLITE_UPDATE,
    }
)
_TABLES = frozenset({ROWS, "sqlite_master", "sqlite_schema"})
_BRACKETS = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`|\[[^\]]*\]|--[^\n]*|/\*.*?\*/|[()]""", re.DOTALL)


def columns(spec: PipelineSpec) -> tuple[str, ...]:
    """What an expression can name. SQL knows no case, so of two names that differ by it only the first counts."""
    kind = kinds.kind_named(spec.kind)
    names = (*kind.text_columns, kind.target_column, TIME, TEXT_LENGTH, *spec.data.columns.slices)
    return tuple({name.lower(): name for name in reversed(names)}[key] for key in dict.fromkeys(map(str.lower, names)))


def expression_problems(spec: PipelineSpec) -> Iterator[Problem]:
    """Expressions that can't be evaluated, found by trying each on a row of nothing."""
    names = columns(spec)
    for index, one in enumerate(spec.evaluation.slices):
        try:
            with closing(_Table(names, one.where)) as table:
                table.rows_that_hold([(0, *(None for _ in names))])
        except (sqlite3.Error, sqlite3.Warning) as error:
            yield ("evaluation", "slices", index, "where"), f"the slice {one.name!r} {_why(error, names)}"


def expression_memberships(spec: PipelineSpec, test: pa.Table, lengths: np.ndarray) -> dict[str, np.ndarray]:
    """Which rows of `test` are in each slice of `evaluation.slices` (bool), by name; what is NULL is not.

    `lengths`: characters of each row's text. Raises SpecError for an expression that fails on some row.
    """
    import numpy as np

    names, asked = columns(spec), spec.evaluation.slices
    inside = {one.name: np.zeros(test.num_rows, bool) for one in asked}
    with ExitStack() as stack:
        tables = [(one, stack.enter_context(closing(_Table(names, one.where)))) for one in asked]
        for rows in _batches(test, lengths, names) if tables else ():
            for one, table in tables:
                try:
                    inside[one.name][table.rows_that_hold(rows)] = True
                except sqlite3.Error as error:
                    raise SpecError(
                        f"The slice {one.name!r} of evaluation.slices {_why(error, names)} (seen at a test row).",
                        remedy="Mend its expression (`where`) and run again: what is trained is kept.",
                    ) from error
    return inside


class _Table:
    """A table of rows in memory, each with a computed column: the expression.

    SQLite allows nothing in a computed column but functions of the same row's columns: no subquery, no aggregate, no
    parameter, nothing that differs from run to run, such as random() or the time of day.
    """

    def __init__(self, names: Sequence[str], where: str) -> None:
        self._names = names
        self._database = sqlite3.connect(":memory:", isolation_level=None)
        try:
            self._make(where)
        except BaseException:
            self._database.close()
            raise

    def _make(self, where: str) -> None:
        _refuse_loose_brackets(where)
        self._database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
        self._database.create_function("regexp", 2, _regexp, deterministic=True)
        self._database.set_authorizer(_authorize)
        named = ", ".join(map(_quoted, self._names))
        # On a line of its own, so that a comment at the expression's end ends there.
        computed = f"{HOLDS} AS (\n{where}\n) VIRTUAL"
        self._database.execute(f"CREATE TABLE {ROWS} ({NUMBER} INTEGER, {named}, {computed})")

    def rows_that_hold(self, rows: Iterable[Sequence[Any]]) -> list[int]:
        """Numbers of those `rows` (a number, then a value for each column) for which the expression is true."""
        named = ", ".join((NUMBER, *map(_quoted, self._names)))
        placeholders = ", ".join("?" * (len(self._names) + 1))
        self._database.execute("BEGIN")
        self._database.execute(f"DELETE FROM {ROWS}")  # noqa: S608 - names of our own, or quoted
        self._database.executemany(f"INSERT INTO {ROWS} ({named}) VALUES ({placeholders})", rows)  # noqa: S608
        self._database.execute("COMMIT")
        return [number for (number,) in self._database.execute(f"SELECT {NUMBER} FROM {ROWS} WHERE {HOLDS}")]  # noqa: S608

    def close(self) -> None:
        """Give its memory back."""
        self._database.close()


def _batches(test: pa.Table, lengths: np.ndarray, names: Sequence[str]) -> Iterator[list[tuple[Any, ...]]]:
    for start in range(0, test.num_rows, BATCH_ROWS):
        rows = test.slice(start, BATCH_ROWS)
        cells = [
            lengths[start : start + BATCH_ROWS].tolist() if name == TEXT_LENGTH else _values(rows[name])
            for name in names
        ]
        yield list(zip(range(start, start + rows.num_rows), *cells, strict=True))


def _values(column: pa.ChunkedArray) -> list[Any]:
    """Cells as SQLite can hold them: times as ISO 8601 in UTC, to the second, and lists as JSON."""
    import numpy as np
    import pyarrow as pa

    if pa.types.is_timestamp(column.type):
        moments = np.datetime_as_string(column.cast("int64").fill_null(0).to_numpy().astype("M8[us]"), unit="s")
        return [
            f"{moment}Z" if there else None
            for moment, there in zip(moments, column.is_valid().to_pylist(), strict=True)
        ]
    values: list[Any] = column.to_pylist()
    if pa.types.is_nested(column.type):
        return [None if value is None else json.dumps(value, ensure_ascii=False) for value in values]
    return values


def _regexp(pattern: object, value: object) -> bool | None:
    """`value REGEXP pattern`, as SQLite calls it: Python's regular expressions, found anywhere."""
    compiled = re.compile(str(pattern))
    return None if value is None else compiled.search(str(value)) is not None


def _authorize(action: int, one: str | None, other: str | None, database: str | None, inside: str | None) -> int:
    if action == sqlite3.SQLITE_FUNCTION:
        allowed = other is not None and other.lower() not in _FORBIDDEN
    else:
        named = action in (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_TRANSACTION) or one in _TABLES
        allowed = action in _ALLOWED and named
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


def _refuse_loose_brackets(where: str) -> None:
    # A bracket too many would end the computed column, and what follows it would be no expression.
    depth = 0
    for bracket in _BRACKETS.finditer(where):
        depth += {"(": 1, ")": -1}.get(bracket.group(), 0)
        if depth < 0:
            break
    if depth:
        raise sqlite3.OperationalError("its brackets don't match")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _why(error: Exception, names: Sequence[str]) -> str:
    """SQLite's words, which hold names and no values, as the end of a sentence."""
    said = re.sub(r"^error in (generated )?column.*?: |^error in table rows after .*?: ", "", str(error))
    if "no such column" in said:
        said += f"; there are: {listing(names, 12)}"
    elif "not authorized" in said or "prohibited" in said or "non-deterministic" in said:
        said += "; an expression may use only the row's own columns and functions that give the same in every run"
    elif "user-defined function" in said:
        said = "a regular expression in it can't be read by Python's re"
    return f"is no expression that SQLite can evaluate: {said}"
