"""A run and `perennial reproduce` build a model by the same chain: no step can be in one of them only."""

import ast
from dataclasses import MISSING, fields
from pathlib import Path

import pytest

from perennial.promotion import reproduction
from perennial.runs import candidate
from perennial.runs.candidate import CandidateSteps
from tasks.candidate import STEPS

REPOSITORY = Path(__file__).parents[2]
NAMES = [field.name for field in fields(CandidateSteps)]
HANDED_IN = {"find_champion", "find_anchor", "say_power", "find_start", "count_look"}
"""What a run has to ask the registry for, and the evidence of a version says."""


def calls(path: Path) -> list[str]:
    """What a file calls, as it is written, in the order of its lines."""
    nodes = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    return [ast.unparse(node.func) for node in sorted(nodes, key=lambda node: (node.lineno, node.col_offset))]


def test_each_step_is_called_once_in_the_order_that_is_written_down() -> None:
    called = [name.removeprefix("steps.") for name in calls(Path(candidate.__file__)) if name.startswith("steps.")]
    assert called == NAMES


def test_no_step_can_be_forgotten() -> None:
    assert all(field.default is field.default_factory is MISSING for field in fields(CandidateSteps))
    given = {name: getattr(STEPS, name) for name in NAMES}
    for name in NAMES:
        with pytest.raises(TypeError, match=f"missing 1 required keyword-only argument: '{name}'"):
            CandidateSteps(**{other: step for other, step in given.items() if other != name})


@pytest.mark.parametrize("name", [name for name in NAMES if name not in HANDED_IN])
def test_a_version_is_made_again_by_the_function_that_the_task_wraps(name: str) -> None:
    again = reproduction.steps_again(None, reproduction.JudgedAgainst())
    assert getattr(STEPS, name).fn is getattr(again, name)


def test_tasks_keep_their_names() -> None:
    assert [getattr(STEPS, name).name for name in NAMES] == [name.replace("_", " ") for name in NAMES]


def test_evidence_is_made_by_the_chain_only() -> None:
    """Whoever calls the steps on their own would have to make it."""
    files = [path for package in ("perennial", "flows", "tasks") for path in (REPOSITORY / package).rglob("*.py")]
    called = {path.relative_to(REPOSITORY).as_posix(): calls(path) for path in files}
    assert [path for path, names in called.items() if "Evidence" in names] == ["perennial/runs/candidate.py"]
    both = {path for path, names in called.items() if any(name.endswith("build_candidate") for name in names)}
    assert both == {"flows/retrain.py", "perennial/promotion/reproduction.py"}
