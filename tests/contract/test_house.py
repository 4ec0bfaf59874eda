"""The house stays plain: rooms and files of a size that fits in the head, and names with one meaning."""

import ast
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PACKAGES = ("perennial", "flows", "tasks")
FILES = sorted(path for package in PACKAGES for path in (REPOSITORY / package).rglob("*.py"))
USERS = [*FILES, *(path for folder in ("benchmarks", "tests") for path in sorted((REPOSITORY / folder).rglob("*.py")))]
"""Those that import what lies in FILES."""
MOST_FILES, MOST_LINES = 20, 400
VAGUE = {"of", "find", "make", "get"}


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def public(path: Path, kind: type[ast.ClassDef] | type[ast.FunctionDef]) -> Iterator[str]:
    """The public names of a kind that a file defines at its top level."""
    for node in parsed(path).body:
        if isinstance(node, kind) and not node.name.startswith("_"):
            yield node.name


def test_there_is_something_to_look_at() -> None:
    assert len(FILES) > 300


def test_no_folder_holds_more_files_than_can_be_overlooked() -> None:
    counts = Counter(path.parent for path in FILES)
    assert {str(folder): n for folder, n in counts.items() if n > MOST_FILES} == {}


def test_no_file_is_longer_than_fits_in_the_head() -> None:
    lengths = {str(path): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert {path: n for path, n in lengths.items() if n > MOST_LINES} == {}


def test_no_public_class_name_has_two_meanings() -> None:
    counts = Counter(name for path in FILES for name in public(path, ast.ClassDef))
    assert [name for name, n in counts.items() if n > 1] == []


@pytest.mark.parametrize("name", sorted(VAGUE))
def test_no_function_is_named_so_that_nobody_can_search_for_it(name: str) -> None:
    assert [str(path) for path in FILES if name in public(path, ast.FunctionDef)] == []


def test_no_module_of_ours_is_imported_under_another_name() -> None:
    modules = {".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__") for path in FILES}
    aliases = [
        f"{path}: {node.module}.{one.name} as {one.asname}"
        for path in USERS
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ImportFrom)
        for one in node.names
        if one.asname and f"{node.module}.{one.name}" in modules
    ]
    assert aliases == []


VAGUE_VARIABLES = {"found", "told", "known", "place", "seen"}


def variables(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and name of every variable, attribute and parameter; of fields not: records are stored under their names."""
    fields = {
        id(line.target)
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for line in node.body
        if isinstance(line, ast.AnnAssign)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and id(node) not in fields:
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg


def test_variables_are_named_by_what_they_hold() -> None:
    every = [*FILES, *(REPOSITORY / "benchmarks").rglob("*.py")]
    vague = [
        f"{path.relative_to(REPOSITORY)}:{line}: {name}"
        for path in every
        for line, name in variables(ast.parse(path.read_text(encoding="utf-8")))
        if name in VAGUE_VARIABLES
    ]
    assert vague == []
