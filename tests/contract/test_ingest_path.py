"""The way of a pipeline's settings through ingest stays short: what follows the canonical rows knows no setting.

What is counted, on two real runs over CSV files with ids, times, slices, tombstones, corrections and late rows:

- A *stay* is a function of `perennial.ingest` or `perennial.rows` that is called with settings: one of its arguments,
  or of the variables it closes over, is the pipeline's record, a record in its `data`, a value read off them (here each
  is like no other, so it is known by being equal), a list, tuple or dict of such, or an object with such a record as an
  attribute. Comprehensions belong to the function that they are in.
- A *return* is a stay whose result comes back up and is passed on: the caller gives what the stay returned or yielded,
  or an item of it if that is a tuple or a list, to the next function of these rooms.
"""

import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import perennial
from perennial.core.home import Home
from perennial.ingest.snapshots import accept, ingest
from perennial.settings.pipeline import PipelineSpec

ROOMS = tuple(str(Path(perennial.__file__).parent / room) + "/" for room in ("ingest", "rows"))
MOST_STAYS, MOST_RETURNS = 25, 10
COMPREHENSIONS = {"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"}
COLUMNS = {"text": "the text", "label": "the label", "id": "the id", "time": "the time", "deleted": "the tombstone"}
SLICE, PATH, DELIMITER, SHARE = "the sector", "rows-*.csv", "|", 0.1234
VALUES = {*COLUMNS.values(), SLICE, PATH, DELIMITER, SHARE, "csv", "the-pipeline"}
Numbered = tuple[int, str, int, str]


def spec_in(folder: Path) -> PipelineSpec:
    """A pipeline each of whose settings of data is like no other value."""
    source = {"type": "file", "path": PATH, "format": "csv", "delimiter": DELIMITER}
    data = {"source": source, "columns": COLUMNS | {"slices": [SLICE]}, "labels": ["a", "b"], "splits": {"test": SHARE}}
    gates = [{"metric": "accuracy", "min": 0.5}]
    settings = {"name": "the-pipeline", "kind": "text-classification", "data": data, "gates": gates}
    return PipelineSpec.model_validate(settings).located(folder)


def write(path: Path, *rows: Numbered) -> None:
    """A file of rows: number, text, day, tombstone."""
    lines = [DELIMITER.join((*COLUMNS.values(), SLICE))]
    lines += [f"{text}|{'ab'[number % 2]}|id {number}|2026-01-{day:02}|{gone}|oil" for number, text, day, gone in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


class SettingsPath:
    """Follows calls, as a profile function."""

    def __init__(self, spec: PipelineSpec) -> None:
        data = spec.data
        self.records = tuple(map(type, (spec, data, data.source, data.columns, data.splits)))
        self.stays: set[CodeType] = set()
        self.returns: set[CodeType] = set()
        self._results: deque[tuple[Any, CodeType, CodeType]] = deque(maxlen=200)
        """What was returned or yielded lately, by which function, to which one."""
        self._generators: list[FrameType] = []
        """Those that are under way: each is called once, and then goes on."""

    def __call__(self, frame: FrameType, event: str, result: Any) -> None:
        code = frame.f_code
        if not code.co_filename.startswith(ROOMS) or code.co_name in COMPREHENSIONS:
            return
        caller = calling(frame)
        if event == "call" and not any(frame is one for one in self._generators):
            self._called(frame, caller)
        elif event == "return":
            self._results += [
                (one, code, caller) for one in items(result) if not isinstance(one, bool | int | float | None)
            ]

    def _called(self, frame: FrameType, caller: CodeType) -> None:
        code = frame.f_code
        if code.co_flags & 0x20:
            self._generators.append(frame)
        names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        arguments = [frame.f_locals.get(name) for name in names]
        closed_over = [frame.f_locals.get(name) for name in code.co_freevars]
        if any(map(self._holds_settings, arguments + closed_over)):
            self.stays.add(code)
        given = [one for argument in arguments for one in items(argument)]
        for value, function, receiver in self._results:
            if function is not code and receiver is caller and any(value is one for one in given):
                self.returns.add(function)

    def _holds_settings(self, value: Any) -> bool:
        attributes = getattr(value, "__dict__", {}) if not isinstance(value, type) else {}
        return self._is_setting(value) or any(isinstance(one, self.records) for one in attributes.values())

    def _is_setting(self, value: Any, deep: int = 2) -> bool:
        if isinstance(value, self.records) or (isinstance(value, str | float) and value in VALUES):
            return True
        if deep and isinstance(value, list | tuple | set | dict) and len(value) < 50:
            return any(self._is_setting(one, deep - 1) for one in value)
        return False


def calling(frame: FrameType) -> CodeType:
    """The function that called."""
    caller = frame.f_back
    while caller is not None and caller.f_code.co_name in COMPREHENSIONS:
        caller = caller.f_back
    assert caller is not None
    return caller.f_code


def items(value: Any) -> Iterator[Any]:
    """`value`, and what is in it."""
    yield value
    if isinstance(value, list | tuple) and len(value) < 50:
        yield from value


def followed(folder: Path) -> SettingsPath:
    """Two runs of ingest, followed."""
    spec, home = spec_in(folder), Home(folder / "home")
    path = SettingsPath(spec)
    first = [(number, f"text {number}", 10, "") for number in range(8)]
    for files in ({"rows-1.csv": [*first, (9, "", 10, "yes")]}, {"rows-1.csv": [*first, (20, "late", 1, "")]}):
        for name, rows in files.items():
            write(folder / name, *rows)
        before = sys.getprofile()
        sys.setprofile(path)
        try:
            snapshot = ingest(spec, home)
        finally:
            sys.setprofile(before)
        accept(spec, snapshot, home)
        write(folder / "rows-2.csv", (1, "corrected", 11, ""), (2, "", 11, "yes"))
    assert (snapshot.corrected_rows, snapshot.deleted_rows, snapshot.late_rows) == (1, 1, 1)
    return path


def names_of(functions: set[CodeType]) -> list[str]:
    return sorted(f"{Path(code.co_filename).name}: {code.co_qualname}" for code in functions)


def test_few_functions_see_the_settings(tmp_path: Path) -> None:
    stays = names_of(followed(tmp_path).stays)
    assert len(stays) <= MOST_STAYS, stays
    assert {"snapshots.py: ingest", "canonical_rows.py: canonical_batch", "cells.py: text_array"} <= set(stays)
    assert not [name for name in stays if name.startswith(("staging", "row_index", "parts", "retirements"))]


def test_little_of_what_they_give_comes_back_up(tmp_path: Path) -> None:
    path = followed(tmp_path)
    returns = names_of(path.returns & path.stays)
    assert len(returns) <= MOST_RETURNS, returns
    assert "canonical_rows.py: canonical_batch" in returns
