"""Reading pipeline.yaml and what lies beside it: where a pipeline is found, overrides, every problem with its line."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from perennial import kinds, spec_yaml
from perennial.errors import SpecError, listing
from perennial.evaluation import behaviour_problems, slices
from perennial.spec import ExpectationSpec, PipelineSpec, ServingSpec
from perennial.spec_yaml import Place

FILE = "pipeline.yaml"
BEHAVIOURS = "behaviours.yaml"
PIPELINES = Path("pipelines")
WORDING = {
    "model_type": "should be a group of settings, each a line `key: value`",
    "model_attributes_type": "should be a group of settings, each a line `key: value`",
    "tuple_type": "should be a list: [a, b], or a line `- …` for each item",
    "union_tag_not_found": "'type' is missing",
}
"""Where pydantic's own message speaks of Python."""


@dataclass(frozen=True)
class _Problem:
    place: Place
    text: str


@dataclass(frozen=True)
class _File:
    """A file that settings came from, and the YAML nodes that know their lines."""

    path: Path
    root: yaml.Node | None
    group: Place = ()
    """The group of settings that it holds."""


def find(pipeline: str) -> Path:
    """The pipeline.yaml that `pipeline` means: a name under pipelines/, a folder, or the file itself."""
    for candidate in (Path(pipeline), Path(pipeline) / FILE, PIPELINES / pipeline / FILE):
        # A name too long for any file, or a home folder of nobody, is no pipeline either.
        with suppress(OSError, RuntimeError):
            if candidate.expanduser().is_file():
                return candidate.expanduser()
    known = sorted(place.parent.name for place in PIPELINES.glob(f"*/{FILE}"))
    near = difflib.get_close_matches(pipeline, known, 1)
    hint = f"Did you mean {near[0]!r}? " if near else ""
    there = f"There are: {listing(known, 12)}." if known else f"There is no folder {PIPELINES}/ here."
    raise SpecError(
        f"There is no pipeline {pipeline[:80]!r}: no such folder or file, and no {PIPELINES / pipeline[:80] / FILE}.",
        remedy=f"{hint}{there} `perennial init NAME --data FILE` makes one.",
    )


def read(path: Path, overrides: Sequence[str] = ()) -> PipelineSpec:
    """The pipeline in the file at `path`, and in behaviours.yaml beside it, with `overrides` ("a.b=value") applied.

    Raises SpecError that lists every problem, each with its line and, for an unknown key, the nearest known one.
    """
    root, raw = spec_yaml.parse(path)
    files = [*_beside(path, root, raw), _File(path, root)]
    for override in overrides:
        _apply(raw, override)
    spec, problems = _build(raw)
    if spec is None or problems:
        raise _invalid(path, files, problems)
    return spec.located(path.parent)


def serving(overrides: Sequence[str]) -> ServingSpec:
    """The settings of `serving` where no pipeline.yaml is at hand: the defaults, with `overrides` applied.

    Raises SpecError as `read` does, and for any other setting.
    """
    raw: dict[str, Any] = {}
    for override in overrides:
        _apply(raw, override)
    if others := sorted(set(raw) - {"serving"}):
        raise SpecError(
            f"There is no pipeline here whose {listing(others)} could be set: a server has settings of `serving` only.",
            remedy="Example: --set serving.poll_seconds=5.",
        )
    try:
        return ServingSpec.model_validate(raw.get("serving", {}))
    except ValidationError as error:
        details = [dict(detail) | {"loc": ("serving", *detail["loc"])} for detail in error.errors()]
        found = [_problem(raw, detail) for detail in details]
    listed = "".join(f"\n  {problem.text}" for problem in found)
    raise SpecError(f"--set has {len(found)} problem{'s' * (len(found) > 1)}:{listed}\n", remedy="Mend the --set.")


def _beside(path: Path, root: yaml.Node | None, raw: dict[str, Any]) -> Iterator[_File]:
    """Puts the settings of behaviours.yaml into `raw`, if the file is there."""
    beside = path.parent / BEHAVIOURS
    if not beside.is_file():
        return
    if "behaviours" in raw:
        raise SpecError(
            f"{path}:{spec_yaml.line(root, ('behaviours',))}: there are behaviours here and in {beside}.",
            remedy="Keep them in one of the two files.",
        )
    nodes, raw["behaviours"] = spec_yaml.parse(beside, "slots: …, tests: …")
    yield _File(beside, nodes, ("behaviours",))


def _build(raw: dict[str, Any]) -> tuple[PipelineSpec | None, list[_Problem]]:
    try:
        spec = PipelineSpec.model_validate(raw)
    except ValidationError as error:
        return None, [_problem(raw, dict(detail)) for detail in _telling(error.errors())]
    found = [*kinds.get(spec.kind).spec_problems(spec), *slices.problems(spec), *behaviour_problems.of(spec)]
    return spec, [_Problem(place, text) for place, text in found]


def _telling(details: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """`details` without lists called too short because pydantic dropped the items that are wrong."""
    return [
        detail
        for detail in details
        if detail["type"] != "too_short"
        or not any(_is_inside(other["loc"], detail["loc"]) for other in details if other is not detail)
    ]


def _is_inside(place: Place, group: Place) -> bool:
    return len(place) > len(group) and place[: len(group)] == group


def _problem(raw: object, detail: Mapping[str, Any]) -> _Problem:
    place = _in_file(raw, detail["loc"])
    name = ".".join(map(str, place))
    if detail["type"] == "extra_forbidden":
        known = sorted(_keys(_model_at(PipelineSpec, detail["loc"][:-1])))
        near = _nearest(str(place[-1]), known)
        hint = f"did you mean {near!r}?" if near else f"known keys here: {listing(known, 20)}"
        return _Problem(place, f"unknown key {name!r}; {hint}")
    if detail["type"] == "missing":
        return _Problem(place, f"{name!r} is missing")
    message = WORDING.get(detail["type"], str(detail["msg"]).removeprefix("Value error, "))
    seen = detail.get("input")
    shown = f" (seen: {str(seen)[:60]!r})" if isinstance(seen, str | int | float | bool) else ""
    empty = "; it is empty" if seen is None else ""
    return _Problem(place, f"{name}: {message[:1].lower()}{message[1:]}{shown}{empty}")


def _nearest(word: str, known: Sequence[str]) -> str | None:
    """The one of `known` that is one slip of a finger away from `word`, or else the most alike; None: none is alike."""
    slips = [name for name in known if _is_one_slip(word, name)]
    near = difflib.get_close_matches(word, slips or known, 1, cutoff=0.0 if slips else 0.5)
    return near[0] if near else None


def _is_one_slip(one: str, other: str) -> bool:
    """Whether one character put in, left out or replaced, or two neighbours swapped, makes `one` of `other`."""
    start = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    a, b = one[start:], other[start:]
    return a[1:] == b or a == b[1:] or a[1:] == b[1:] or (a[:2] == b[:2][::-1] and a[2:] == b[2:])


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
        place = _group(place, parent) if isinstance(place, dict) else _item(place, parent, override)
    try:
        parsed = spec_yaml.load(value)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise SpecError(f"The value of --set {override!r} is not YAML.", remedy="Quote it.") from error
    if isinstance(place, list):
        _item(place, last, override)
        place[int(last)] = parsed
    elif isinstance(place, dict):
        place[last] = parsed
    else:
        raise SpecError(f"--set {override!r}: {'.'.join(parents)} is a value, not a group of settings.")


def _group(place: dict[str, Any], name: str) -> Any:
    # A group with nothing below its key is None in YAML.
    if place.get(name) is None:
        place[name] = {}
    return place[name]


def _item(place: Any, step: str, override: str) -> Any:
    if isinstance(place, list) and step.isdecimal() and int(step) < len(place):
        return place[int(step)]
    raise SpecError(
        f"--set {override!r}: there is no {step!r} to set there.",
        remedy="Name a group of settings, or an item of a list by its number from 0.",
    )


def _invalid(path: Path, files: Sequence[_File], problems: Sequence[_Problem]) -> SpecError:
    # A setting of several possible types has a problem with each: the first says enough.
    first = {problem.place: problem for problem in reversed(problems)}
    lines = sorted((*_line(files, problem.place), problem.text) for problem in first.values())
    listed = "".join(f"\n  {file}:{line}: {text}" for file, line, text in lines)
    count = "a problem" if len(lines) == 1 else f"{len(lines)} problems"
    return SpecError(f"{path} has {count}:{listed}\n", remedy="Mend the file (or the --set) and run again.")


def _line(files: Sequence[_File], place: Place) -> tuple[str, int]:
    """The file, and the line in it, of the setting at `place`."""
    file = next(file for file in files if place[: len(file.group)] == file.group)
    return str(file.path), spec_yaml.line(file.root, place[len(file.group) :])
