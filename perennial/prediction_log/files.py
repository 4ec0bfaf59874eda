"""Files of the prediction log: rows are appended to an open file, which is closed under its own name when it is due.

A closed file is whole: it takes its name in one step. An open one (`….jsonl.open`) is its server's until that ends;
what a killed server left is closed by the next one, without a line that was half written.
"""

import fcntl
import json
import os
import secrets
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from io import BufferedRandom
from pathlib import Path

from perennial.core.home import Home
from perennial.prediction_log import parquet
from perennial.prediction_log.logged import LoggedRow

OPEN = ".jsonl.open"
MOST_BYTES = 100_000_000
"""Of an open file, after which it is closed early."""
DAY = 86_400.0
FORMATS = {"hour": "%Y-%m-%dT%H", "day": "%Y-%m-%d"}


class FileWriter:
    """Writes rows of one server to files in a folder."""

    def __init__(self, folder: Path, every: str, keep_days: float, *, as_parquet: bool) -> None:
        """Makes the folder, and closes what killed servers left open. Raises OSError."""
        self._folder, self._every, self._keep_days, self._as_parquet = folder, every, keep_days, as_parquet
        self._path: Path | None = None
        self._file: BufferedRandom | None = None
        self._span = ""
        folder.mkdir(parents=True, exist_ok=True)
        self._close_left_over()
        self._delete_old()

    def write(self, rows: Sequence[LoggedRow]) -> None:
        """Append rows to the open file."""
        file = self._opened()
        whole = file.tell()
        try:
            file.write("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode())
            file.flush()
        except OSError:
            # Half a batch must not stay: it is written again, whole.
            file.truncate(whole)
            file.seek(whole)
            raise
        if file.tell() > MOST_BYTES:
            self.close()

    def tick(self) -> None:
        """Close the open file when its hour or day is over."""
        if self._file and self._span != self._now():
            self.close()
            self._delete_old()

    def close(self) -> None:
        """Close the open file under its own name."""
        if self._file is None or self._path is None:
            return
        finish(self._path, self._file, as_parquet=self._as_parquet)
        self._file.close()
        self._file = self._path = None

    def _opened(self) -> BufferedRandom:
        self.tick()
        if self._file is None:
            self._span = self._now()
            self._path = self._folder / f"{self._span}-{secrets.token_hex(4)}{OPEN}"
            self._file = self._path.open("w+b")
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return self._file

    def _now(self) -> str:
        return datetime.now(UTC).strftime(FORMATS[self._every])

    def _close_left_over(self) -> None:
        for path in self._folder.glob(f"*{OPEN}"):
            with path.open("r+b") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue  # another server's
                finish(path, file, as_parquet=self._as_parquet)

    def _delete_old(self) -> None:
        oldest = time.time() - self._keep_days * DAY
        for path in closed_files(self._folder):
            if path.stat().st_mtime < oldest:
                path.unlink(missing_ok=True)


def predictions_folder(home: Home, model: str) -> Path:
    """Where the files of `model` are."""
    return home.root / "predictions" / model


def closed_files(folder: Path) -> list[Path]:
    """All closed files, in the order of time."""
    return sorted(path for path in folder.glob("*") if path.suffix in (".jsonl", ".parquet"))


def finish(path: Path, file: BufferedRandom, *, as_parquet: bool) -> None:
    """Let the open file at `path` take its own name, in one step; an empty one is removed. Raises OSError."""
    _cut_half_line(file)
    os.fsync(file.fileno())
    closed = path.with_name(path.name.removesuffix(OPEN) + (".parquet" if as_parquet else ".jsonl"))
    if file.tell() == 0:
        path.unlink()
    elif as_parquet:
        parquet.convert(path, closed)
        path.unlink()
    else:
        path.replace(closed)


def lines_of(path: Path) -> Iterator[LoggedRow]:
    """The rows of an open or closed JSON Lines file, but for a line that is being written."""
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield json.loads(line)


def _cut_half_line(file: BufferedRandom) -> None:
    """Leave `file` at its end, which is that of its last whole line."""
    end = file.seek(0, os.SEEK_END)
    while end and not _ends_line(file, end):
        end -= 1
    file.truncate(end)
    file.seek(end)


def _ends_line(file: BufferedRandom, end: int) -> bool:
    file.seek(end - 1)
    return file.read(1) == b"\n"
