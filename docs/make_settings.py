"""Writes settings.md: every setting of pipeline.yaml, from `perennial.settings` and the docstrings below its fields."""

import ast
import inspect
import itertools
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeGuard

from perennial import kinds
from perennial.kinds.protocols import JudgesAnswers
from perennial.settings.base import Settings
from perennial.settings.pipeline import PipelineSpec

PAGE = Path(__file__).with_name("settings.md")
HEAD = """\
# Settings of pipeline.yaml

Made by `make docs` from `perennial/settings/`; change it there. Any setting can be overridden for one run:
`perennial run NAME --set training.epochs=1`; an item of a list is named by its number: `--set gates.0.min=0.9`.
An unknown key is an error that names the nearest known one.
"""
Schema = Mapping[str, Any]


def page() -> str:
    """The whole page, as Markdown."""
    schema = PipelineSpec.model_json_schema()
    sections = "".join(_section("", schema, schema["$defs"]))
    return HEAD + sections + "".join(_metrics(name) for name in kinds.names())


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")


def groups() -> dict[str, type[Settings]]:
    """Every group of settings, by its name."""
    return {group.__name__: group for group in _below(Settings) if not group.__name__.startswith("_")}


def _below(group: type[Settings]) -> Iterator[type[Settings]]:
    yield group
    for one in group.__subclasses__():
        yield from _below(one)


def _section(prefix: str, group: Schema, groups: Mapping[str, Schema]) -> Iterator[str]:
    """The section of `group`, whose settings start with `prefix`, and those of the groups inside it."""
    described = _docstrings(group["title"])
    inner = {name: _inner(field, groups) for name, field in group["properties"].items()}
    rows = [
        f"| `{prefix}{name}` | {_type(field, inner[name])} | {_default(name, field, group)} | {described[name]} |\n"
        for name, field in group["properties"].items()
    ]
    title = f"`{prefix.rstrip('.')}`" if prefix else "The pipeline"
    if variant := group["properties"].get("type", {}).get("const"):
        title += f" of type {variant}"
    yield f"\n## {title}\n\n{_line(group['description'])}\n\n"
    yield "| setting | value | default | what it is |\n|---|---|---|---|\n" + "".join(rows)
    for name, settings in inner.items():
        number = "0." if group["properties"][name].get("type") == "array" else ""
        for one in settings:
            yield from _section(f"{prefix}{name}.{number}", one, groups)


def _inner(field: Schema, groups: Mapping[str, Schema]) -> list[Schema]:
    """The groups of settings that `field` may hold."""
    return [groups[name] for name in re.findall(r"'\$ref': '#/\$defs/(\w+)'", str(field))]


def _docstrings(group: str) -> dict[str, str]:
    """What stands below each field of the settings class `group`, and below those it inherits."""
    classes = [parent for parent in reversed(groups()[group].__mro__) if issubclass(parent, Settings)]
    bodies = [node.body for parent in classes for node in ast.parse(inspect.getsource(parent)).body if _is_class(node)]
    return {
        field.target.id: _line(text.value.value)
        for body in bodies
        for field, text in itertools.pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }


def _is_class(node: ast.stmt) -> TypeGuard[ast.ClassDef]:
    return isinstance(node, ast.ClassDef)


def _line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("None:", "none:")


def _type(field: Schema, inner: list[Schema]) -> str:
    if inner:
        return "list of groups" if field.get("type") == "array" else "group"
    if "anyOf" in field:
        return " or ".join(_type(one, []) for one in field["anyOf"] if one.get("type") != "null")
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if field["type"] == "array":
        items = field.get("items") or field["prefixItems"][0]
        return f"list of: {_type(items, [])}" if "enum" in items else f"list of {_type(items, [])}s"
    names = {
        "string": "text",
        "integer": "whole number",
        "number": "number",
        "boolean": "`true`, `false`",
        "object": "group of your own names",
    }
    return names[field["type"]] + _limits(field)


def _limits(field: Schema) -> str:
    words = {"exclusiveMinimum": "> ", "minimum": "≥ ", "exclusiveMaximum": "< ", "maximum": "≤ "}
    limits = [f"{sign}{field[name]:,g}" for name, sign in words.items() if name in field]
    return f", {' and '.join(limits)}" if limits else ""


def _default(name: str, field: Schema, group: Schema) -> str:
    if name in group.get("required", ()):
        return "required"
    value = field["default"]
    if value in (None, [], "") or field.get("type") == "object":
        return "none"
    if isinstance(value, dict):
        return "below"
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def _metrics(name: str) -> str:
    kind = kinds.kind_named(name)
    lines = [f"\n## Metrics of {name}\n\n", "| metric | better | of |\n|---|---|---|\n"]
    lines += [_metric(kind, metric, "all test rows") for metric in kind.metrics]
    lines += [_metric(kind, metric, "each label: `per: label`") for metric in kind.label_metrics]
    lines.append(
        f"\n`{kind.headline_metric}` is what `export.max_drop` limits; `{kind.selection_metric}` on the validation "
        "rows chooses the best checkpoint.\n"
    )
    return "".join(lines)


def _metric(kind: JudgesAnswers, metric: str, scope: str) -> str:
    return f"| `{metric}` | {'lower' if metric in kind.lower_is_better else 'higher'} | {scope} |\n"


if __name__ == "__main__":
    main()
