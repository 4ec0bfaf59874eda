"""What is wrong with settings, in words, by the place in the file; an unknown key with the nearest known one."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from perennial import kinds
from perennial.core.errors import listing
from perennial.settings.data import ExpectationSpec
from perennial.settings.pipeline import PipelineSpec
from perennial.settings.strict_yaml import Place

WORDING = {
    "model_type": "should be a group of settings, each a line `key: value`",
    "model_attributes_type": "should be a group of settings, each a line `key: value`",
    "tuple_type": "should be a list: [a, b], or a line `- …` for each item",
    "union_tag_not_found": "'type' is missing",
}
"""Where pydantic's own message speaks of Python."""


@dataclass(frozen=True)
class SettingProblem:
    """A setting, and what is wrong with it."""

    setting: Place
    text: str


def telling_details(details: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """`details` without lists called too short because pydantic dropped the items that are wrong."""
    return [
        detail
        for detail in details
        if detail["type"] != "too_short"
        or not any(_is_inside(other["loc"], detail["loc"]) for other in details if other is not detail)
    ]


def _is_inside(setting: Place, group: Place) -> bool:
    return len(setting) > len(group) and setting[: len(group)] == group


def problem_of(raw: object, detail: Mapping[str, Any]) -> SettingProblem:
    """What pydantic found in the settings `raw`, as a person can mend it."""
    setting = _in_file(raw, detail["loc"])
    name = ".".join(map(str, setting))
    if detail["type"] == "extra_forbidden":
        keys = sorted(_keys(_model_at(PipelineSpec, detail["loc"][:-1])))
        near = _nearest(str(setting[-1]), keys)
        hint = f"did you mean {near!r}?" if near else f"known keys here: {listing(keys, 20)}"
        return SettingProblem(setting, f"unknown key {name!r}; {hint}")
    if detail["type"] == "missing":
        return SettingProblem(setting, f"{name!r} is missing")
    message = WORDING.get(detail["type"], str(detail["msg"]).removeprefix("Value error, "))
    given = detail.get("input")
    shown = f" (seen: {str(given)[:60]!r})" if isinstance(given, str | int | float | bool) else ""
    empty = "; it is empty" if given is None else ""
    return SettingProblem(setting, f"{name}: {message[:1].lower()}{message[1:]}{shown}{empty}")


def kind_problems(raw: Mapping[str, Any]) -> list[SettingProblem]:
    """What is wrong with the kind of task: the settings' model takes any name, as it knows of no kind."""
    kind = raw.get("kind")
    if not isinstance(kind, str) or kind in kinds.names():
        return []
    text = f"kind: {kind!r} is not a kind of task; there are: {', '.join(kinds.names())} (seen: {kind[:60]!r})"
    return [SettingProblem(("kind",), text)]


def _nearest(word: str, keys: Sequence[str]) -> str | None:
    """The one of `keys` that is one slip of a finger away from `word`, or else the most alike; None: none is alike."""
    slips = [name for name in keys if _is_one_slip(word, name)]
    near = difflib.get_close_matches(word, slips or keys, 1, cutoff=0.0 if slips else 0.5)
    return near[0] if near else None


def _is_one_slip(one: str, other: str) -> bool:
    """Whether one character put in, left out or replaced, or two neighbours swapped, makes `one` of `other`."""
    start = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    a, b = one[start:], other[start:]
    return a[1:] == b or a == b[1:] or a[1:] == b[1:] or (a[:2] == b[:2][::-1] and a[2:] == b[2:])


def _in_file(raw: object, setting: Place) -> Place:
    """`setting` without the steps pydantic adds and the file does not have, such as a source's type."""
    kept: list[str | int] = []
    for number, step in enumerate(setting):
        is_there = step in raw if isinstance(raw, dict) else isinstance(raw, list) and isinstance(step, int)
        last = number == len(setting) - 1 and isinstance(raw, dict)
        if is_there or last:
            kept.append(step)
        if is_there:
            raw = raw[step]  # type: ignore[index]
    return tuple(kept)


def _model_at(model: object, setting: Place) -> type[BaseModel] | None:
    """The settings model at `setting`, found by walking the annotations; a tuple's and a union's members are tried."""
    if not setting:
        return _settings(model)[0] if len(_settings(model)) == 1 else None
    step, rest = setting[0], setting[1:]
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
