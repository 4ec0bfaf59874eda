"""Where bytes of a row are left: every file of a folder, and what is inside those that are packed."""

import gzip
import io
import json
import sqlite3
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


def holders(folder: Path, words: Iterable[str] = (), tokens: Iterable[Sequence[int]] = ()) -> list[str]:
    """The files under `folder`, relative, that hold one of `words` (ids, texts) or a sequence of token ids."""
    wanted = [form for word in words for form in _spelled(word)]
    wanted += [np.asarray(ids, kind).tobytes() for ids in tokens for kind in ("<i4", "<i8", "<u2")]
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [str(path.relative_to(folder)) for path in files if _holds(path, wanted)]


def _spelled(word: str) -> set[bytes]:
    return {word.encode(), json.dumps(word)[1:-1].encode(), word.encode("utf-16-le")}


def _holds(path: Path, wanted: Sequence[bytes]) -> bool:
    return any(one in content for content in _contents(path) for one in wanted)


def _contents(path: Path) -> Iterator[bytes]:
    """The file's bytes, and its values where they are packed."""
    content = path.read_bytes()
    yield content
    if path.suffix in {".duckdb", ".db"} and content:
        yield from _tables(path)
    yield from _unpacked(content)


def _unpacked(content: bytes) -> Iterator[bytes]:
    if content[:2] == b"\x1f\x8b":
        yield from _within(gzip.decompress(content))
    elif content[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in archive.namelist():
                yield from _within(archive.read(name))
    elif content[:4] == b"PAR1":
        yield from _values(pq.read_table(io.BytesIO(content)))
    elif content[:6] == b"ARROW1":
        yield from _values(pa.ipc.open_file(pa.BufferReader(content)).read_all())


def _within(content: bytes) -> Iterator[bytes]:
    yield content
    yield from _unpacked(content)


def _values(table: pa.Table) -> Iterator[bytes]:
    for column in table.columns:
        for value in column.to_pylist():
            yield _bytes(value)


def _bytes(value: Any) -> bytes:
    if isinstance(value, list) and value and isinstance(value[0], int):
        return np.asarray(value, "<i4").tobytes()
    return str(value).encode()


def _tables(path: Path) -> Iterator[bytes]:
    if path.suffix == ".duckdb":
        with duckdb.connect(str(path), read_only=True) as database:
            for (name,) in database.execute("SELECT table_name FROM information_schema.tables").fetchall():
                yield str(database.execute(f'SELECT * FROM "{name}"').fetchall()).encode()  # noqa: S608
        return
    with closing(sqlite3.connect(path)) as database:
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            yield str(database.execute(f'SELECT * FROM "{name}"').fetchall()).encode()  # noqa: S608
