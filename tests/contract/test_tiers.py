"""Two tiers: what `make soak` shows at full size, a twin shows small in `make test`, and CI runs both."""

import ast
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import COLLECTED

REPOSITORY = Path(__file__).parents[2]
FILES = sorted((REPOSITORY / "tests").rglob("test_*.py"))
FEWEST_ASSERTIONS = 4_376
"""`assert` and `pytest.raises` in tests/ when the tiers were made; tests may move from one to the other, not away."""


@dataclass(frozen=True)
class Test:
    """A test function: where, whether all of its cases are for `make soak`, and the twins it or its cases name."""

    name: str
    soak: bool
    twins: tuple[ast.expr | None, ...]


def twins(node: ast.AST) -> Iterator[ast.expr | None]:
    """What the marks `soak` in a piece of code name as twins; None: a mark that names nothing."""
    called = {id(call.func): call for call in ast.walk(node) if isinstance(call, ast.Call)}
    for mark in ast.walk(node):
        if isinstance(mark, ast.Attribute) and mark.attr == "soak":
            call = called.get(id(mark))
            yield next((one.value for one in call.keywords if one.arg == "twin"), None) if call else None


def is_mark(node: ast.expr) -> bool:
    """Whether it marks the whole of what it stands at: the mark itself, not one within the parameters of another."""
    return ast.unparse(node).startswith("pytest.mark.soak")


def tests_of(path: Path) -> Iterator[Test]:
    """The test functions of a file; a mark of a parameter, also of a fixture, stands for a case of them."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    file = path.relative_to(REPOSITORY).as_posix()
    marks = [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark" and is_mark(node.value)
    ]
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            soak = bool(marks) or any(is_mark(decorator) for decorator in node.decorator_list)
            yield Test(f"{file}::{node.name}", soak, tuple(twins(node)) + tuple(t for m in marks for t in twins(m)))


TESTS = {test.name: test for path in FILES for test in tests_of(path)}
SOURCES = {path: path.read_text(encoding="utf-8") for path in sorted((REPOSITORY / "tests").rglob("*.py"))}
