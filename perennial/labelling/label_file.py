"""The file of labels: a line for each thing that a person said, written at once, from any number of processes."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import ValidationError as RecordMismatch

from perennial.core.errors import SourceError, SpecError, StoreError
from perennial.core.store import put_on_disk
from perennial.records.labelling import LabelledText, standing
from perennial.settings.monitor.labelling import LabellingSpec
from perennial.settings.pipeline import PipelineSpec

_NEW_LINE = b"\n"


def labelling_of(spec: PipelineSpec) -> LabellingSpec:
    """The settings of what people label. Raises SpecError where the pipeline has no live texts."""
    if spec.monitor is None:
        raise SpecError(
            f"{spec.name} has no live texts to choose from: `monitor` is not in its pipeline.yaml.",
            remedy="Say under monitor.source where new texts come from (docs/labelling.md).",
        )
    return spec.monitor.labelling


def label_path(spec: PipelineSpec) -> Path:
    """Where the labels of the pipeline's live texts are. Raises SpecError where it has no live texts."""
    return spec.folder / labelling_of(spec).file


def labelled_texts(path: Path) -> Iterator[LabelledText]:
    """What people said of live texts, as it stands: nothing that was skipped, taken back or said otherwise later.

    Several people's answers to one text are all there. None where there is no file. Raises SourceError, naming the
    line, for what is no label.
    """
    lines, _ = read_lines(path, 0)
    yield from (line for line in standing(lines) if line.says_something)


def append(path: Path, lines: Sequence[LabelledText]) -> None:
    """Write `lines` behind all others, on disk when this returns. Raises StoreError when that can't be."""
    content = b"".join(_as_bytes(line) for line in lines)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        is_new = not path.exists()
        with path.open("a+b", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            _mend_end(file.fileno())
            _write_whole(file.fileno(), content)
            os.fsync(file.fileno())
        if is_new:
            put_on_disk(path.parent)
    except OSError as error:
        raise StoreError(
            f"The label was not written: {path} can't be written to ({error.strerror}).",
            remedy="Free some space, or give yourself the right to write there, and label the text again.",
        ) from error


def make_file(path: Path) -> None:
    """Make an empty file, if there is none, so that a run which reads it finds it. Raises StoreError."""
    if not path.exists():
        append(path, ())


def read_lines(path: Path, start: int) -> tuple[list[LabelledText], int]:
    """The lines that begin at byte `start`, and where the next one will. A line without its end is not there yet.

    Raises SourceError, naming the line, for what is no label.
    """
    try:
        with path.open("rb") as file:
            file.seek(start)
            content = file.read()
    except FileNotFoundError:
        return [], 0
    except OSError as error:
        raise SourceError(
            f"The labels in {path} can't be read: {error.strerror}.", remedy="Give yourself the right to read the file."
        ) from error
    whole = content[: content.rfind(_NEW_LINE) + 1]
    lines = [_read(path, start, number, line) for number, line in enumerate(whole.splitlines(), 1) if line.strip()]
    return lines, start + len(whole)


def _read(path: Path, start: int, number: int, line: bytes) -> LabelledText:
    try:
        return LabelledText.model_validate(json.loads(line))
    except (ValueError, RecordMismatch) as error:
        where = f"line {number:,}" if start == 0 else f"line {number:,} behind byte {start:,}"
        raise SourceError(
            f"{path}, {where} is no label as `perennial label` writes it.",
            remedy="Mend the line or take it out. Nothing was written to the file.",
        ) from error


def _as_bytes(line: LabelledText) -> bytes:
    shown = line.model_dump(mode="json", exclude_defaults=True)
    return json.dumps(shown, ensure_ascii=False).encode() + _NEW_LINE


def _mend_end(number: int) -> None:
    """Cut off a last line that was half written when the power failed: nobody was told that it is kept."""
    size = os.fstat(number).st_size
    end = size
    while end and os.pread(number, 1, end - 1) != _NEW_LINE:
        block = os.pread(number, min(end, 4096), max(0, end - 4096))
        end = max(0, end - 4096) + block.rfind(_NEW_LINE) + 1 if _NEW_LINE in block else max(0, end - 4096)
    if end < size:
        os.ftruncate(number, end)


def _write_whole(number: int, content: bytes) -> None:
    before = os.fstat(number).st_size
    try:
        while content:
            content = content[os.write(number, content) :]
    except OSError:
        os.ftruncate(number, before)
        raise
