"""Reading pipeline.yaml: where a pipeline is found, overrides, and every problem at once with its line."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from perennial import kinds
from perennial.errors import SpecError, listing
from perennial.spec import ExpectationSpec, PipelineSpec

FILE = "pipeline.yaml"
PIPELINES = Path("pipelines")
Place = tuple[str | int, ...]
"""The path of a setting, for example ("gates", 0, "metric")."""


class _Loader(yaml.SafeLoader):
    """YAML 1.2's truth values only: `yes`, `no`, `on` and `off` are labels, not booleans."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool" or first in "tTfF"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True)
class _Problem:
    place: Place
    text: str


def find(pipeline: str) -> Path:
    """The pipeline.yaml that `pipeline` means: a name under pipelines/, a folder, or the file itself."""
    path = Path(pipeline).expanduser()
    for candidate in (path, path / FILE, PIPELINES / pipeline / FILE):
        if candidate.is_file():
            return candidate
    known = sorted(place.parent.name for place in PIPELINES.glob(f"*/{FILE}"))
    near = difflib.get_close_matches(pipeline, known, 1)
    hint = f"Did you mean {near[0]!r}? " if near else ""
    there = f"There are: {listing(known, 12)}." if known else f"There is no folder {PIPELINES}/ here."
    raise SpecError(
        f"There is no pipeline {pipeline!r}: no such folder or file, and no {PIPELINES / pipeline / FILE}.",
        remedy=f"{hint}{there} `perennial init NAME --data FILE` makes one.",
    )


def read(path: Path, overrides: Sequence[str] = ()) -> PipelineSpec:
    """The pipeline in the file at `path`, with `overrides` ("a.b=value") applied.

    Raises SpecError that lists every problem, each with its line and, for an unknown key, the nearest known one.
    """
    try:
        root = yaml.compose(path.read_text(encoding="utf-8-sig"), Loader=_Loader)
        raw = yaml.load(path.read_text(encoding="utf-8-sig"), Loader=_Loader)  # noqa: S506 - a SafeLoader
    except UnicodeDecodeError as error:
        raise SpecError(f"{path} is not UTF-8 (byte {error.start}).", remedy="Save it as UTF-8.") from error
    except OSError as error:
        raise SpecError(f"{path} can't be read: {error.strerror}.") from error
    except yaml.YAMLError as error:
        raise _broken(path, error) from error
    if not isinstance(raw, dict):
        raise SpecError(
            f"{path} holds {'no settings' if raw is None else type(raw).__name__}, expected name: …, kind: …, and so on.",
            remedy="`perennial init NAME --data FILE` writes a pipeline.yaml to start from.",
        )
    for override in overrides:
        _apply(raw, override)
    spec, problems = _build(raw)
    if spec is None or problems:
        raise _invalid(path, root, problems)
    return spec.located(path.parent)


def _build(raw: dict[str, Any]) -> tuple[PipelineSpec | None, list[_Problem]]:
    try:
        spec = PipelineSpec.model_validate(raw)
    except ValidationError as error:
        return None, [_problem(raw, dict(detail)) for detail in error.errors()]
    return spec, [_Problem(place, text) for place, text in kinds.get(spec.kind).spec_problems(spec)]


def _problem(raw: object, detail: Mapping[str, Any]) -> _Problem:
    place = _in_file(raw, detail["loc"])
    name = ".".join(map(str, place))
    if detail["type"] == "extra_forbidden":
        known = sorted(_keys(_model_at(PipelineSpec, detail["loc"][:-1])))
        near = difflib.get_close_matches(str(place[-1]), known, 1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"known keys here: {listing(known, 20)}"
        return _Problem(place, f"unknown key {name!r}; {hint}")
    if detail["type"] == "missing":
        return _Problem(place, f"{name!r} is missing")
    message = str(detail["msg"]).removeprefix("Value error, ")
    seen = detail.get("input")
    shown = f" (seen: {str(seen)[:60]!r})" if isinstance(seen, str | int | float | bool) else ""
    return _Problem(place, f"{name}: {message[:1].lower()}{message[1:]}{shown}")


def _in_file(raw: object, place: Place) -> Place:
    """`place` without the steps pydantic adds and the file does not have, such as a source's type."""
    kept: list[str | int] = []
    for number, step in enumerate(place):
        found = step in raw if isinstance(raw, dict) else isinstance(raw, list) and isinstance(step, int)
        last = number == len(place) - 1 and isinstance(raw, dict)
        if found or last:
            kept.append(step)
        if found:
            raw = raw[step]  # type: ignore[index]
    return tuple(kept)


def _model_at(model: object, place: Place) -> type[BaseModel] | None:
    """The settings model at `place`, found by walking the annotations; a tuple's and a union's members are tried."""
    if not place:
        return _settings(model)[0] if len(_settings(model)) == 1 else None
    step, rest = place[0], place[1:]
    candidates = _settings(model)
    if isinstance(step, int):
        return _model_at(model, rest)
    for candidate in candidates:
        if step in candidate.model_fields:
            return _model_at(candidate.model_fields[step].annotation, rest)
        if step == _discriminator(candidate):
            return _model_at(candidate, rest)
    return None


def _settings(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    origin = typing.get_origin(annotation)
    if origin in {typing.Union, types.UnionType, tuple, typing.Annotated}:
        return [model for part in typing.get_args(annotation) for model in _settings(part)]
    return []


def _discriminator(model: type[BaseModel]) -> str | None:
    field = model.model_fields.get("type")
    values = typing.get_args(field.annotation) if field else ()
    return str(values[0]) if values else None


def _keys(model: type[BaseModel] | None) -> Iterable[str]:
    return model.model_fields if model is not None and model is not ExpectationSpec else ()


def _apply(raw: dict[str, Any], override: str) -> None:
    name, separator, value = override.partition("=")
    if not separator or not all(name.split(".")):
        raise SpecError(f"--set {override!r} is not of the form key.key=value.", remedy="Example: training.epochs=1.")
    *parents, last = name.split(".")
    place: Any = raw
    for parent in parents:
        place = place.setdefault(parent, {}) if isinstance(place, dict) else _item(place, parent, override)
    try:
        parsed = yaml.load(value, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        raise SpecError(f"The value of --set {override!r} is not YAML.", remedy="Quote it.") from error
    if isinstance(place, list):
        _item(place, last, override)
        place[int(last)] = parsed
    elif isinstance(place, dict):
        place[last] = parsed
    else:
        raise SpecError(f"--set {override!r}: {'.'.join(parents)} is a value, not a group of settings.")


def _item(place: Any, step: str, override: str) -> Any:
    if isinstance(place, list) and step.isdigit() and int(step) < len(place):
        return place[int(step)]
    raise SpecError(
        f"--set {override!r}: there is no {step!r} to set there.",
        remedy="Name a group of settings, or an item of a list by its number from 0.",
    )


def _invalid(path: Path, root: yaml.Node | None, problems: Sequence[_Problem]) -> SpecError:
    # A setting of several possible types has a problem with each: the first says enough.
    first = {problem.place: problem for problem in reversed(problems)}
    lines = sorted((_line(root, problem.place), problem.text) for problem in first.values())
    listed = "".join(f"\n  {path}:{line}: {text}" for line, text in lines)
    count = "a problem" if len(lines) == 1 else f"{len(lines)} problems"
    return SpecError(f"{path} has {count}:{listed}\n", remedy="Mend the file (or the --set) and run again.")


def _line(node: yaml.Node | None, place: Place) -> int:
    """The line, from 1, of the setting at `place`, or of the innermost group there is on the way."""
    line = node.start_mark.line + 1 if node is not None else 1
    if not place:
        return line
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(place[0]):
                return max(key.start_mark.line + 1, _line(value, place[1:])) if place[1:] else key.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode) and isinstance(place[0], int) and place[0] < len(node.value):
        return _line(node.value[place[0]], place[1:])
    return line


def _broken(path: Path, error: yaml.YAMLError) -> SpecError:
    mark = getattr(error, "problem_mark", None)
    where = f"{path}:{mark.line + 1}" if mark is not None else str(path)
    problem = getattr(error, "problem", None) or "it can't be parsed"
    return SpecError(
        f"{where} is not YAML: {problem}.",
        remedy="Check the indentation, and quote texts that hold a colon or start with a special character.",
    )
