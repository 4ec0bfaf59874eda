"""Two tiers: what `make soak` shows at full size, a twin shows small in `make test`, and CI runs both."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tiers import COLLECTED

REPOSITORY = Path(__file__).parents[2]
MARK = "pytest.mark.soak"
TEXTS = {
    path.relative_to(REPOSITORY).as_posix(): path.read_text(encoding="utf-8")
    for path in sorted((REPOSITORY / "tests").rglob("*.py"))
}


def twin_of(mark: ast.Call) -> str | None:
    """The twin that a mark names; None: it names none."""
    twin = {keyword.arg: keyword.value for keyword in mark.keywords}.get("twin")
    return twin.value if isinstance(twin, ast.Constant) and isinstance(twin.value, str) else None


def marks() -> Iterator[tuple[str, str | None]]:
    """Every mark in tests/, of functions, files and single cases: in which file, and the twin it names."""
    for file in (file for file, text in TEXTS.items() if MARK in text):
        tree = ast.parse(TEXTS[file])
        calls = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and ast.unparse(node) == MARK:
                yield file, twin_of(calls[id(node)]) if id(node) in calls else None


def quick(file: str) -> set[str]:
    """The test functions of a file of which not every case is for `make soak`."""
    body = ast.parse(TEXTS.get(file, "")).body
    if any(isinstance(node, ast.Assign) and ast.unparse(node).startswith(f"pytestmark = {MARK}") for node in body):
        return set()
    return {
        node.name
        for node in body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
        if not any(ast.unparse(decorator).startswith(MARK) for decorator in node.decorator_list)
    }


def recipe(target: str) -> str:
    """What a target of the Makefile does."""
    text = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    (lines,) = re.findall(rf"^{target}:.*\n((?:\t.*\n)+)", text, re.MULTILINE)
    return str(lines)


def test_there_are_some() -> None:
    assert len(list(marks())) > 10


@pytest.mark.parametrize(("file", "twin"), marks())
def test_each_soak_test_names_a_twin_that_is_in_make_test(
    file: str, twin: str | None, request: pytest.FixtureRequest
) -> None:
    assert twin, f"a mark in {file} names no twin: soak(twin='tests/…/test_….py::test_…')"
    path, _, name = twin.partition("::")
    assert name.split("[")[0] in quick(path), twin
    # Single cases are those of files that are collected; `make test` collects all.
    cases = {case: soak for case, soak in request.config.stash[COLLECTED].items() if case.startswith(f"{path}::")}
    if cases:
        assert any(not soak for case, soak in cases.items() if case == twin or case.startswith(f"{twin}[")), twin


def test_the_tiers_are_all_tests_and_ci_runs_both() -> None:
    assert '-m "not soak"' in recipe("test")
    assert '-m "soak or hypothesis" --hypothesis-profile=soak' in recipe("soak")
    commands = re.findall(r"^make (\w+)$", (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8"), re.MULTILINE)
    assert commands == ["check", "test", "soak"]
