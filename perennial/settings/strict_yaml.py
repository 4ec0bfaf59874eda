"""YAML as Perennial reads it: the core schema of YAML 1.2, each key once, and the line of every setting."""

import re
from pathlib import Path
from typing import Any

import yaml

from perennial.core.errors import SpecError

Place = tuple[str | int, ...]
"""The path of a setting, for example ("gates", 0, "metric")."""

_INT, _BOOL, _TIME = (f"tag:yaml.org,2002:{name}" for name in ("int", "bool", "timestamp"))


class _Loader(yaml.SafeLoader):
    """Labels are what is written: `no`, `010`, `12:30` and `2026-01-01` are texts; true and false are no labels."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in {_INT, _BOOL, _TIME}]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_BOOL, re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))
_Loader.add_implicit_resolver(_INT, re.compile(r"^[-+]?(?:0|[1-9][0-9]*)$"), list("-+0123456789"))


def parse(path: Path, expected: str = "name: …, kind: …, and so on") -> tuple[yaml.Node | None, dict[str, Any]]:
    """The settings in the file at `path`, and the YAML nodes that know their lines; `expected`: what they are.

    Raises SpecError when it can't be read, is not YAML, holds no settings, or names a key twice.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        root = compose(text)
        raw = load(text)
    except UnicodeDecodeError as error:
        raise SpecError(f"{path} is not UTF-8 (byte {error.start}).", remedy="Save it as UTF-8.") from error
    except OSError as error:
        raise SpecError(f"{path} can't be read: {error.strerror}.") from error
    except yaml.YAMLError as error:
        raise _broken(path, error) from error
    except ValueError as error:
        raise SpecError(f"{path} holds a value that can't be read: {error}.", remedy="Put it in quotes.") from error
    except RecursionError as error:
        raise SpecError(f"{path} is nested too deeply to be read.", remedy="Look for unclosed brackets.") from error
    if not isinstance(raw, dict):
        held = "no settings" if raw is None else f"a {type(raw).__name__}"
        raise SpecError(
            f"{path} holds {held}, expected {expected}.",
            remedy="`perennial init NAME --data FILE` writes a pipeline.yaml to start from.",
        )
    _refuse_repeated_keys(path, root)
    return root, raw


def compose(text: str) -> yaml.Node | None:
    """The nodes of the YAML `text`, which know their places in it. Raises as `load` does."""
    root: yaml.Node | None = yaml.compose(text, Loader=_Loader)
    return root


def load(text: str) -> Any:
    """The value that the YAML `text` stands for. Raises yaml.YAMLError, ValueError or RecursionError."""
    return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader


def line(node: yaml.Node | None, setting: Place) -> int:
    """The line, from 1, of the setting at `setting`, or of the innermost group there is on the way."""
    here = node.start_mark.line + 1 if node is not None else 1
    if not setting:
        return here
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(setting[0]):
                at_key: int = key.start_mark.line + 1
                return max(at_key, line(value, setting[1:])) if setting[1:] else at_key
    if isinstance(node, yaml.SequenceNode) and isinstance(setting[0], int) and setting[0] < len(node.value):
        return line(node.value[setting[0]], setting[1:])
    return here


def _refuse_repeated_keys(path: Path, root: yaml.Node | None) -> None:
    # PyYAML would silently keep the last one, and with it drop settings that somebody wrote down.
    waiting, visited = [root], set()
    while waiting:
        node = waiting.pop()
        if id(node) in visited:
            continue
        visited.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value
        elif isinstance(node, yaml.MappingNode):
            first: dict[str, int] = {}
            for key, value in node.value:
                number = key.start_mark.line + 1
                if isinstance(key, yaml.ScalarNode) and first.setdefault(key.value, number) != number:
                    raise SpecError(
                        f"{path}:{number}: the key {key.value!r} is there twice; first in line {first[key.value]}.",
                        remedy="Put all its settings in one place.",
                    )
                waiting.append(value)


def _broken(path: Path, error: yaml.YAMLError) -> SpecError:
    mark = getattr(error, "problem_mark", None)
    where = f"{path}:{mark.line + 1}" if mark is not None else str(path)
    problem = getattr(error, "problem", None) or "it can't be parsed"
    return SpecError(
        f"{where} is not YAML: {problem}.",
        remedy="Check the indentation, and quote texts that hold a colon or start with a special character.",
    )
