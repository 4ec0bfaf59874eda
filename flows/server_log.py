"""The errors of the embedded Prefect server, in a file that stays small and holds no secrets."""

import logging
import traceback
from collections.abc import Iterator
from logging.handlers import RotatingFileHandler
from pathlib import Path

from perennial.core.masking import mask_secrets

BYTES = 256_000
WIDTH = 400


def keep(path: Path) -> None:
    """Write what is logged as an error from now on to `path`, which is begun anew; the one before is kept beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = RotatingFileHandler(path, maxBytes=BYTES, backupCount=1, encoding="utf-8")
    if path.stat().st_size:
        handler.doRollover()
    handler.setLevel(logging.ERROR)
    handler.setFormatter(_OneLine())
    logging.getLogger().addHandler(handler)


class _OneLine(logging.Formatter):
    """When, who, and the first line of what happened; where, in indented lines after it.

    No more of an error than its first line: SQLAlchemy's next ones hold the values of a statement.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The record's lines."""
        when = self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z")
        error = record.exc_info[1] if record.exc_info else None
        parts = [f"{when} {record.name}", _first(record.getMessage()), *_told(error)]
        return "\n".join([": ".join(part for part in parts if part), *_places(error)])


def _told(error: BaseException | None) -> Iterator[str]:
    if error is not None:
        yield f"{type(error).__name__}: {_first(str(error))}"


def _places(error: BaseException | None) -> Iterator[str]:
    for frame in traceback.extract_tb(error.__traceback__) if error is not None else ():
        yield f"    {frame.filename}:{frame.lineno} {frame.name}"


def _first(text: str) -> str:
    return mask_secrets(text.strip().partition("\n")[0])[:WIDTH]
