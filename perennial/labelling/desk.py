"""Where people label: what waits for a person, what they say of it, and what they take back.

The page and the terminal both work through a desk. Any number of desks, in any processes, may work on one list: what is
said is a line at the end of one file, and what was said elsewhere is read before anything is answered.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from perennial.core.home import Home
from perennial.core.record import Record
from perennial.labelling import label_file, waiting_list
from perennial.labelling.answers import AnswerError, checked, form_of
from perennial.labelling.choosing.recent_texts import lot_of
from perennial.labelling.waiting_list import WaitingText
from perennial.records.labelling import LabelledText
from perennial.settings.pipeline import PipelineSpec

LONGEST_NAME = 60


class Progress(Record):
    """How far people have come."""

    waiting: int
    """Texts of the list that nobody labelled or skipped."""
    labelled: int
    """Texts that have a label, of all time."""
    skipped: int
    mine: int
    """Those that this person labelled."""


class Shown(Record):
    """A text as a person sees it, with what they said of it."""

    id: str
    text: str
    time: datetime
    source: str
    said: Any = None
    """Their own answer; None: none."""
    skipped: bool = False
    done: bool = False
    """Whether another person labelled or skipped it."""


class Desk:
    """The list and the labels of one pipeline. May be used from several threads."""

    def __init__(self, spec: PipelineSpec, home: Home) -> None:
        """Raises PerennialError when people can't label the pipeline's texts here, or what is there can't be read."""
        self.spec, self.form, self.path = spec, form_of(spec), label_file.label_path(spec)
        self._home = home
        self._lock = threading.RLock()
        self._standing: dict[tuple[str, str], LabelledText] = {}
        self._people: dict[str, set[str]] = {}
        self._list: waiting_list.WaitingList | None = None
        self._stamp: tuple[int, int] | None = None
        self._read_to = 0
        self._file: int | None = None
        self._read()

    def queue(self, annotator: str, count: int = 200) -> list[str]:
        """The ids of texts that wait for this person, at most `count`: each person's in an order of its own, so that
        two who label at the same time seldom meet, and what waits by chance is among the rest."""
        with self._lock:
            self._read()
            waiting = [text.id for text in self._texts() if not self._is_answered(text.id)]
            return sorted(waiting, key=lambda one: lot_of(one, f"queue of {annotator}"))[:count]

    def shown(self, annotator: str, text_id: str) -> Shown:
        """The text, as this person sees it. Raises AnswerError when it does not wait and they said nothing of it."""
        with self._lock:
            self._read()
            said = self._standing.get((text_id, annotator))
            text = self._waiting(text_id)
            if text is None and said is None:
                raise _not_waiting()
            return Shown(
                id=text_id,
                text=text.text if text else said.text if said else "",
                time=text.time if text else said.time if said and said.time else datetime.now(UTC),
                source=text.source if text else "",
                said=_said(said) if said else None,
                skipped=said.skipped if said else False,
                done=said is None and self._is_answered(text_id),
            )

    def answer(self, annotator: str, text_id: str, value: Any) -> None:
        """Write what a person says of a text; a copy of it, word for word, that waits too gets the same.

        Raises AnswerError when it is no answer, or the text is unknown; StoreError when it can't be written.
        """
        self._say(annotator, text_id, lambda text: checked(self.form, value, text))

    def skip(self, annotator: str, text_id: str) -> None:
        """Write that a person has no answer: nobody is asked again. Raises as `answer` does."""
        self._say(annotator, text_id, lambda _: {"skipped": True})

    def undo(self, annotator: str) -> str | None:
        """Take back what this person said last, and let the text wait again; its id. None: there is nothing."""
        with self._lock, waiting_list.locked(self._home, self.spec.name):
            self._read()
            mine = [line for line in self._standing.values() if line.annotator == annotator]
            if not mine:
                return None
            # Copies of a text were answered at once.
            taken_back = [line for line in mine if line.labelled_at == mine[-1].labelled_at]
            now = datetime.now(UTC)
            self._write([_without_answer(line, now) for line in taken_back])
            self._let_wait(taken_back)
            return taken_back[0].id

    def progress(self, annotator: str) -> Progress:
        """How far this person, and all together, have come."""
        with self._lock:
            self._read()
            standing = list(self._standing.values())
            answered = {line.id for line in standing if not line.skipped}
            return Progress(
                waiting=sum(not self._is_answered(text.id) for text in self._texts()),
                labelled=len(answered),
                skipped=len({line.id for line in standing if line.skipped} - answered),
                mine=sum(line.annotator == annotator and not line.skipped for line in standing),
            )

    def labelled(self) -> list[LabelledText]:
        """What stands, in the order in which it was said."""
        with self._lock:
            self._read()
            return [line for line in self._standing.values() if not line.skipped]

    def _say(self, annotator: str, text_id: str, fields_of: Any) -> None:
        check_name(annotator)
        with self._lock, waiting_list.locked(self._home, self.spec.name):
            self._read()
            before = self._standing.get((text_id, annotator))
            text = self._waiting(text_id)
            if text is None and before is None:
                raise _not_waiting()
            now = datetime.now(UTC)
            if text is None:
                assert before is not None  # noqa: S101
                blank = before.model_copy(update={"label": None, "answer": None, "skipped": False, "labelled_at": now})
                self._write([blank.model_copy(update=fields_of(before.text))])
                return
            together = [text, *(one for one in self._texts() if one.id != text.id and one.text == text.text)]
            fields = fields_of(text.text)
            self._write([_line(one, annotator, now, fields) for one in together])

    def _write(self, lines: Sequence[LabelledText]) -> None:
        label_file.append(self.path, lines)
        self._read()

    def _let_wait(self, lines: Sequence[LabelledText]) -> None:
        """Put texts back that were taken off the list since they were labelled."""
        waiting = waiting_list.read_list(self._home, self.spec.name)
        if waiting is None:
            return
        there = {text.id for text in waiting.texts}
        back = [_waiting_again(line) for line in lines if line.id not in there]
        if back:
            texts = (*waiting.texts, *back)
            waiting_list.write_list(self._home, self.spec.name, waiting.model_copy(update={"texts": texts}))

    def _texts(self) -> Sequence[WaitingText]:
        return self._list.texts if self._list else ()

    def _waiting(self, text_id: str) -> WaitingText | None:
        return next((text for text in self._texts() if text.id == text_id), None)

    def _is_answered(self, text_id: str) -> bool:
        return bool(self._people.get(text_id))

    def _read(self) -> None:
        """Take in what was written since the last look, by whoever."""
        stamp = _stamp(waiting_list.list_path(self._home, self.spec.name))
        if stamp != self._stamp:
            self._list, self._stamp = waiting_list.read_list(self._home, self.spec.name), stamp
        size = self.path.stat().st_size if self.path.is_file() else 0
        if size < self._read_to or _file_number(self.path) != self._file:
            self._forget()
            self._list, self._stamp = waiting_list.read_list(self._home, self.spec.name), stamp
            self._file = _file_number(self.path)
        if size > self._read_to:
            lines, self._read_to = label_file.read_lines(self.path, self._read_to)
            for line in lines:
                self._take(line)

    def _take(self, line: LabelledText) -> None:
        key, people = (line.id, line.annotator), self._people.setdefault(line.id, set())
        # Out and in again, so that they stand in the order in which they were said.
        self._standing.pop(key, None)
        people.discard(line.annotator)
        if not line.undone:
            self._standing[key] = line
            people.add(line.annotator)

    def _forget(self) -> None:
        """The file is another one now: what was read of it counts no more."""
        self._standing, self._people = {}, {}
        self._read_to = 0


def check_name(annotator: str) -> None:
    """Raises AnswerError when this can't be somebody's name."""
    if not annotator.strip() or len(annotator) > LONGEST_NAME or not annotator.isprintable():
        raise AnswerError(
            "Who labels has no name that can be written down.", remedy=f"Give one of 1 to {LONGEST_NAME} characters."
        )


def _line(text: WaitingText, annotator: str, now: datetime, fields: dict[str, Any]) -> LabelledText:
    return LabelledText(
        id=text.id,
        text=text.text,
        annotator=annotator,
        labelled_at=now,
        chosen_by=text.chosen_by,
        weight=text.weight,
        time=text.time,
        kept=text.kept,
        **fields,
    )


def _without_answer(line: LabelledText, now: datetime) -> LabelledText:
    gone = {"label": None, "answer": None, "skipped": False, "undone": True, "labelled_at": now}
    return line.model_copy(update=gone)


def _waiting_again(line: LabelledText) -> WaitingText:
    return WaitingText(
        id=line.id,
        text=line.text,
        time=line.time or line.labelled_at,
        source="",
        story=line.id,
        kept=line.kept,
        chosen_by=line.chosen_by,
        weight=line.weight,
        # Its draw is over: the number of none, which is closed as all before the open one are.
        draw=None if line.weight is None else 0,
    )


def _said(line: LabelledText) -> Any:
    return line.answer if line.label is None else line.label


def _not_waiting() -> AnswerError:
    return AnswerError("This text does not wait to be labelled any more.", remedy="Go on with the next one.")


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino


def _file_number(path: Path) -> int | None:
    return path.stat().st_ino if path.is_file() else None
