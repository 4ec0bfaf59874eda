"""Changing single settings of pipeline.yaml: comments, order and every other byte stay as they are."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from perennial.core.errors import SpecError, StoreError
from perennial.core.store import write_atomically
from perennial.pipeline_file import loader
from perennial.settings import strict_yaml
from perennial.settings.pipeline import PipelineSpec

Value = float | int | str
Entry = tuple[yaml.Node, yaml.Node]
"""A key and its value."""
Edit = tuple[int, int, str]
"""From which character to which, and what is to stand there."""


class _Odd(Exception):  # noqa: N818 - never leaves this module
    """A place that is written in a way that can't be changed by itself."""


def with_settings(spec: PipelineSpec, group: str, settings: Mapping[str, Value]) -> PipelineSpec:
    """`spec` with other `settings` of `group`. Raises pydantic's ValidationError if they can't be."""
    before = getattr(spec, group)
    after = type(before).model_validate({**before.model_dump(), **settings})
    return spec.model_copy(update={group: after}).located(spec.folder)


def write_settings(path: Path, group: str, settings: Mapping[str, Value]) -> None:
    """Set `settings` of `group` in the pipeline.yaml at `path`, and touch nothing else in it.

    Raises SpecError where the file is not written plainly enough for that, and StoreError when it can't be written; it
    is then as it was.
    """
    path = path.resolve()
    wanted = with_settings(loader.read_pipeline(path), group, settings)
    try:
        text = changed_text(path.read_bytes().decode("utf-8"), group, settings)
        done = _read(text, path) == wanted
    except (_Odd, SpecError, yaml.YAMLError):
        done = False
    if not done:
        raise SpecError(
            f"{path} is written in a way in which {group} can't be changed without touching anything else; it is as it "
            "was.",
            remedy=f"Write this into it yourself:\n\n{lines(group, settings)}",
        )
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        write_atomically(path, text)
        path.chmod(mode)
    except OSError as error:
        raise StoreError(
            f"{path} can't be written: {error.strerror or error}.",
            remedy="Look at the rights of the folder and the space on the disk.",
        ) from error


def changed_text(text: str, group: str, settings: Mapping[str, Value]) -> str:
    """The YAML `text` with other `settings` of `group`; those that are not there yet come after the others."""
    root = strict_yaml.compose(text)
    if not isinstance(root, yaml.MappingNode):
        raise _Odd
    end = "\r\n" if "\r\n" in text else "\n"
    entry = _entry(root, group)
    if entry is None:
        gap = "" if text.endswith("\n") else end
        return text + gap + end + lines(group, settings).replace("\n", end) + end
    for start, stop, new in sorted(_edits(text, entry, settings, end), reverse=True):
        text = text[:start] + new + text[stop:]
    return text


def lines(group: str, settings: Mapping[str, Value]) -> str:
    """`settings` as they stand in pipeline.yaml."""
    return "\n".join([f"{group}:", *(f"  {name}: {scalar(value)}" for name, value in settings.items())])


def scalar(value: Value) -> str:
    """`value` as YAML reads it: 3.1e-4, 0.85, 512, auto."""
    if isinstance(value, float) and 0 < abs(value) < 0.01:
        # Without the point YAML would take it for a text.
        mantissa, _, exponent = f"{Decimal(repr(value)):e}".partition("e")
        return f"{mantissa if '.' in mantissa else f'{mantissa}.0'}e{exponent}"
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def _entry(mapping: yaml.MappingNode, name: str) -> Entry | None:
    return next(((key, value) for key, value in mapping.value if key.value == name), None)


def _edits(text: str, entry: Entry, settings: Mapping[str, Value], end: str) -> Iterator[Edit]:
    _, group = entry
    _refuse_elsewhere(entry)
    there = {name: line for name in settings if isinstance(group, yaml.MappingNode) and (line := _entry(group, name))}
    for name, (key, value) in there.items():
        _refuse_elsewhere((key, value))
        yield value.start_mark.index, value.end_mark.index, scalar(settings[name])
    missing = [f"{name}: {scalar(value)}" for name, value in settings.items() if name not in there]
    if not missing:
        return
    if isinstance(group, yaml.MappingNode) and group.flow_style:
        yield _in_braces(group, missing)
    elif isinstance(group, yaml.MappingNode):
        (first, _), (_, last) = group.value[0], group.value[-1]
        yield _on_lines(text, last.end_mark.index, first.start_mark.column, missing, end)
    else:
        raise _Odd


def _in_braces(group: yaml.MappingNode, missing: list[str]) -> Edit:
    if not group.value:
        return group.start_mark.index + 1, group.start_mark.index + 1, ", ".join(missing)
    at = group.value[-1][1].end_mark.index
    return at, at, "".join(f", {one}" for one in missing)


def _on_lines(text: str, after: int, column: int, missing: list[str], end: str) -> Edit:
    """Lines of their own, below the line that holds the character before `after`."""
    at = text.find("\n", after) + 1
    lines = [" " * column + one for one in missing]
    return (at, at, "".join(line + end for line in lines)) if at else (len(text), len(text), end + end.join(lines))


def _refuse_elsewhere(entry: Entry) -> None:
    key, value = entry
    if value.start_mark.index < key.end_mark.index:
        # An alias: what it stands for is written elsewhere, and may stand for more.
        raise _Odd


def _read(text: str, path: Path) -> PipelineSpec:
    """What the pipeline.yaml at `path` would say if `text` stood there."""
    with TemporaryDirectory(prefix="perennial-") as scratch:
        copy = Path(scratch) / path.name
        copy.write_bytes(text.encode("utf-8"))
        beside = path.with_name(loader.BEHAVIOURS)
        if beside.is_file():
            shutil.copyfile(beside, copy.with_name(loader.BEHAVIOURS))
        return loader.read_pipeline(copy).located(path.parent)
