"""No code asks which kind of task it is: each kind answers for itself, in its package and its decoder."""

import ast
import inspect
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Protocol

import pytest

from perennial import kinds
from perennial.kinds.base import KindBase
from perennial.kinds.protocols import (
    GivesAnswers,
    JudgesAnswers,
    Kind,
    LearnsTargets,
    ReadsRows,
    RecognisesFiles,
    ReviewsTargets,
)

STEPS = (ReadsRows, LearnsTargets, GivesAnswers, JudgesAnswers, ReviewsTargets, RecognisesFiles)
REPOSITORY = Path(__file__).parents[2]
OWN = (REPOSITORY / "perennial" / "kinds", REPOSITORY / "perennial" / "inference" / "decoders")
FILES = sorted(path for room in ("perennial", "flows", "tasks") for path in (REPOSITORY / room).rglob("*.py"))
REGISTRIES = {OWN[0] / "registry.py", OWN[1] / "__init__.py"}


def folder(kind: str) -> str:
    return kind.replace("-", "_")


def members(step: type) -> set[str]:
    """What a protocol asks for, but for the name."""
    methods = {name for name, value in vars(step).items() if getattr(value, "__isabstractmethod__", False)}
    return methods | set(inspect.get_annotations(step))


def is_own(path: Path, kind: str) -> bool:
    """Whether the file belongs to this kind, or lists all of them by name."""
    return path in REGISTRIES or path.is_relative_to(OWN[0] / folder(kind)) or path == OWN[1] / f"{folder(kind)}.py"


def constants(tree: ast.Module) -> Iterator[str]:
    """Every piece of text that is no docstring and no comment on an attribute."""
    documented = {
        id(statement.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        for statement in node.body
        if isinstance(statement, ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documented:
            yield node.value


def names_it(text: str, kind: str) -> bool:
    # A kind whose name is a word of the language may stand in a sentence, as in "logistic regression".
    return text == kind or f"--kind {kind}" in text or ("-" in kind and kind in text)


def imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def read(path: Path) -> tuple[list[str], list[str]]:
    """The texts in a file, and what it imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return list(constants(tree)), list(imports(tree))


@pytest.mark.parametrize("kind", kinds.names())
def test_a_kind_is_named_in_its_package_and_its_decoder_only(kind: str) -> None:
    others = [path for path in FILES if not is_own(path, kind)]
    assert [str(path) for path in others if any(names_it(text, kind) for text in read(path)[0])] == []


@pytest.mark.parametrize("kind", kinds.names())
def test_nobody_imports_the_package_of_one_kind(kind: str) -> None:
    package = f"perennial.kinds.{folder(kind)}"
    users = {
        str(path)
        for path in FILES
        if not is_own(path, kind)
        for name in read(path)[1]
        if name == package or name.startswith(f"{package}.")
    }
    assert users == set()


@pytest.mark.parametrize("kind", kinds.names())
def test_no_kind_inherits_what_another_means(kind: str) -> None:
    parents = type(kinds.kind_named(kind)).__mro__[1:]
    others = {type(kinds.kind_named(name)) for name in kinds.names()} - {type(kinds.kind_named(kind))}
    assert KindBase in parents
    assert others & set(parents) == set()


@pytest.mark.parametrize(
    "step", [ReadsRows, LearnsTargets, GivesAnswers, JudgesAnswers, ReviewsTargets, RecognisesFiles]
)
def test_what_a_step_asks_is_asked_by_no_other_and_answered_by_every_kind(step: type) -> None:
    asked = members(step)
    others = [other for other in Kind.__bases__ if other not in (step, Protocol)]
    assert {other.__name__: asked & members(other) for other in others if asked & members(other)} == {}
    for name in kinds.names():
        assert [member for member in asked if not hasattr(kinds.kind_named(name), member)] == []


def test_a_kind_that_leaves_something_out_is_no_kind() -> None:
    with pytest.raises(TypeError, match="abstract"):
        type("Unfinished", (KindBase,), {"name": "unfinished"})()


def test_the_contract_finds_what_it_forbids() -> None:
    asking = ast.parse('def floor(kind):\n    """Of text-pair."""\n    return kind == \'text-pair\'\n')
    assert [text for text in constants(asking) if names_it(text, "text-pair")] == ["text-pair"]
    assert names_it("add --kind regression", "regression")
    assert not names_it("logistic regression", "regression")
