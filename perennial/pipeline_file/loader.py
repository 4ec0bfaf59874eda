"""Reading pipeline.yaml and what lies beside it: where a pipeline is found, overrides, every problem with its line."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from perennial import kinds
from perennial.core import progress
from perennial.core.errors import SpecError, listing
from perennial.evaluation import slices
from perennial.evaluation.behaviours import problems
from perennial.pipeline_file.problems import SettingProblem, kind_problems, problem_of, telling_details
from perennial.settings import strict_yaml
from perennial.settings.base import Settings
from perennial.settings.pipeline import PipelineSpec
from perennial.settings.rollout import RolloutSpec
from perennial.settings.serving import ServingSpec
from perennial.settings.strict_yaml import Place

FILE = "pipeline.yaml"
BEHAVIOURS = "behaviours.yaml"
PIPELINES = Path("pipelines")
_Group = TypeVar("_Group", bound=Settings)


@dataclass(frozen=True)
class _File:
    """A file that settings came from, and the YAML nodes that know their lines."""

    path: Path
    root: yaml.Node | None
    group: Place = ()
    """The group of settings that it holds."""


def find_pipeline(pipeline: str) -> Path:
    """The pipeline.yaml that `pipeline` means: a name under pipelines/, a folder, or the file itself."""
    for candidate in (Path(pipeline), Path(pipeline) / FILE, PIPELINES / pipeline / FILE):
        # A name too long for any file, or a home folder of nobody, is no pipeline either.
        with suppress(OSError, RuntimeError):
            if candidate.expanduser().is_file():
                return candidate.expanduser()
    pipelines = sorted(file.parent.name for file in PIPELINES.glob(f"*/{FILE}"))
    near = difflib.get_close_matches(pipeline, pipelines, 1)
    hint = f"Did you mean {near[0]!r}? " if near else ""
    there = f"There are: {listing(pipelines, 12)}." if pipelines else f"There is no folder {PIPELINES}/ here."
    raise SpecError(
        f"There is no pipeline {pipeline[:80]!r}: no such folder or file, and no {PIPELINES / pipeline[:80] / FILE}.",
        remedy=f"{hint}{there} `perennial init NAME --data FILE` makes one.",
    )


def read_pipeline(path: Path, overrides: Sequence[str] = ()) -> PipelineSpec:
    """The pipeline in the file at `path`, and in behaviours.yaml beside it, with `overrides` ("a.b=value") applied.

    Raises SpecError that lists every problem, each with its line and, for an unknown key, the nearest known one.
    """
    root, raw = strict_yaml.parse(path)
    files = [*_beside(path, root, raw), _File(path, root)]
    for override in overrides:
        _apply(raw, override)
    spec, problems = _build(raw)
    if spec is None or problems:
        raise _invalid(path, files, problems)
    return spec.located(path.parent)


def note_doubts(path: Path, spec: PipelineSpec) -> None:
    """Tell what in the files of `spec`, read from `path`, is valid and yet may not do what it is there for, with its
    line."""
    root, raw = strict_yaml.parse(path)
    files = [*_beside(path, root, raw), _File(path, root)]
    for setting, text in problems.behaviour_doubts(spec):
        file, line = _line(files, setting)
        progress.note(f"{file}:{line}: {text}.")


def read_serving(overrides: Sequence[str]) -> ServingSpec:
    """The settings of `serving` where no pipeline.yaml is at hand: the defaults, with `overrides` applied.

    Raises SpecError as `read_pipeline` does, and for any other setting.
    """
    return _read_group(overrides, "serving", ServingSpec, "a server has settings of", "--set serving.poll_seconds=5")


def read_rollout(overrides: Sequence[str]) -> RolloutSpec:
    """The settings of `rollout` where no pipeline.yaml is at hand, as `read_serving` reads those of `serving`."""
    return _read_group(overrides, "rollout", RolloutSpec, "a trial has settings of", "--set rollout.share=0.05")


def _read_group(overrides: Sequence[str], name: str, group: type[_Group], whose: str, example: str) -> _Group:
    raw: dict[str, Any] = {}
    for override in overrides:
        _apply(raw, override)
    if others := sorted(set(raw) - {name}):
        raise SpecError(
            f"There is no pipeline here whose {listing(others)} could be set: {whose} `{name}` only.",
            remedy=f"Example: {example}.",
        )
    try:
        return group.model_validate(raw.get(name, {}))
    except ValidationError as error:
        details = [dict(detail) | {"loc": (name, *detail["loc"])} for detail in error.errors()]
        found_problems = [problem_of(raw, detail) for detail in details]
    listed = "".join(f"\n  {problem.text}" for problem in found_problems)
    raise SpecError(
        f"--set has {len(found_problems)} problem{'s' * (len(found_problems) > 1)}:{listed}\n", remedy="Mend the --set."
    )


def _beside(path: Path, root: yaml.Node | None, raw: dict[str, Any]) -> Iterator[_File]:
    """Puts the settings of behaviours.yaml into `raw`, if the file is there."""
    beside = path.parent / BEHAVIOURS
    if not beside.is_file():
        return
    if "behaviours" in raw:
        raise SpecError(
            f"{path}:{strict_yaml.line(root, ('behaviours',))}: there are behaviours here and in {beside}.",
            remedy="Keep them in one of the two files.",
        )
    nodes, raw["behaviours"] = strict_yaml.parse(beside, "slots: …, tests: …")
    yield _File(beside, nodes, ("behaviours",))


def _build(raw: dict[str, Any]) -> tuple[PipelineSpec | None, list[SettingProblem]]:
    unknown = kind_problems(raw)
    try:
        spec = PipelineSpec.model_validate(raw)
    except ValidationError as error:
        return None, [*unknown, *(problem_of(raw, dict(detail)) for detail in telling_details(error.errors()))]
    if unknown:
        return None, unknown
    findings = [
        *kinds.kind_named(spec.kind).spec_problems(spec),
        *slices.problems(spec),
        *problems.behaviour_problems(spec),
    ]
    return spec, [SettingProblem(setting, text) for setting, text in findings]


def _apply(raw: dict[str, Any], override: str) -> None:
    name, separator, value = override.partition("=")
    if not separator or not all(name.split(".")):
        raise SpecError(f"--set {override!r} is not of the form key.key=value.", remedy="Example: training.epochs=1.")
    *parents, last = name.split(".")
    node: Any = raw
    for parent in parents:
        node = _group(node, parent) if isinstance(node, dict) else _item(node, parent, override)
    try:
        parsed = strict_yaml.load(value)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise SpecError(f"The value of --set {override!r} is not YAML.", remedy="Quote it.") from error
    if isinstance(node, list):
        _item(node, last, override)
        node[int(last)] = parsed
    elif isinstance(node, dict):
        node[last] = parsed
    else:
        raise SpecError(f"--set {override!r}: {'.'.join(parents)} is a value, not a group of settings.")


def _group(node: dict[str, Any], name: str) -> Any:
    # A group with nothing below its key is None in YAML.
    if node.get(name) is None:
        node[name] = {}
    return node[name]


def _item(node: Any, step: str, override: str) -> Any:
    if isinstance(node, list) and step.isdecimal() and int(step) < len(node):
        return node[int(step)]
    raise SpecError(
        f"--set {override!r}: there is no {step!r} to set there.",
        remedy="Name a group of settings, or an item of a list by its number from 0.",
    )


def _invalid(path: Path, files: Sequence[_File], problems: Sequence[SettingProblem]) -> SpecError:
    # A setting of several possible types has a problem with each: the first says enough.
    first = {problem.setting: problem for problem in reversed(problems)}
    lines = sorted((*_line(files, problem.setting), problem.text) for problem in first.values())
    listed = "".join(f"\n  {file}:{line}: {text}" for file, line, text in lines)
    count = "a problem" if len(lines) == 1 else f"{len(lines)} problems"
    return SpecError(f"{path} has {count}:{listed}\n", remedy="Mend the file (or the --set) and run again.")


def _line(files: Sequence[_File], setting: Place) -> tuple[str, int]:
    """The file, and the line in it, of the setting at `setting`."""
    file = next(file for file in files if setting[: len(file.group)] == file.group)
    return str(file.path), strict_yaml.line(file.root, setting[len(file.group) :])
