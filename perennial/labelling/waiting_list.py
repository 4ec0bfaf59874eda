"""The list of texts that wait to be labelled, kept in the home, and what is known of how they were chosen."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError as RecordMismatch

from perennial.core.errors import StoreError
from perennial.core.home import Home
from perennial.core.record import Record
from perennial.core.store import write_atomically
from perennial.records.labelling import ChosenBy


class WaitingText(Record):
    """A live text that people are asked to label."""

    id: str
    text: str
    time: datetime
    source: str
    story: str
    kept: Mapping[str, str]
    chosen_by: ChosenBy
    weight: float | None = None
    """As of `LabelledText`."""
    draw: int | None = None
    """Of a text chosen by chance, the number of its draw; None: it was not."""


class Draw(Record):
    """Texts that were read one after another, of which each had the same chance to be chosen."""

    number: int
    slots: int
    """How many of them are chosen; all, where there are fewer."""
    texts: int
    """How many they are."""

    @property
    def weight(self) -> float:
        """How many of them each that was chosen stands for."""
        return max(1.0, self.texts / max(1, self.slots))


class WaitingList(Record):
    """What waits, and how far the stream was looked at."""

    salt: str
    """Decides what chance chooses, and nobody knows it beforehand."""
    texts: tuple[WaitingText, ...] = ()
    draw: Draw
    """The one that is open: texts to come belong to it, and may take the places of those that it chose."""
    last_id: str | None = None
    """Of the text that was read last."""
    last_read: datetime | None = None

    def without(self, ids: Collection[str]) -> WaitingList:
        """The same list without these texts."""
        return self.model_copy(update={"texts": tuple(text for text in self.texts if text.id not in ids)})


def list_path(home: Home, pipeline: str) -> Path:
    """Where the list is."""
    return home.state(pipeline) / "labelling" / "waiting.json"


def read_list(home: Home, pipeline: str) -> WaitingList | None:
    """The list; None: nothing was ever chosen. Raises StoreError when it is damaged."""
    path = list_path(home, pipeline)
    try:
        return WaitingList.model_validate(json.loads(path.read_bytes()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecordMismatch) as error:
        raise StoreError(
            f"The list of texts that wait to be labelled, {path}, can't be read. Labels that were given are not in it.",
            remedy=f"Remove the file: `perennial monitor {pipeline}` chooses anew.",
        ) from error


def write_list(home: Home, pipeline: str, waiting: WaitingList) -> None:
    """Put `waiting` in the place of the list."""
    write_atomically(list_path(home, pipeline), json.dumps(waiting.model_dump(mode="json"), ensure_ascii=False))


@contextmanager
def locked(home: Home, pipeline: str) -> Iterator[None]:
    """For the block, nobody else labels from the list or changes it."""
    path = list_path(home, pipeline).with_name("lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
