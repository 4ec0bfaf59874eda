"""`make setup`: from where torch comes, with a Python that only writes down what it is asked."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from infra_files import REPOSITORY

FAKE = """\
#!/bin/sh
printf '%s|' "index=$PIP_EXTRA_INDEX_URL" "folder=$PIP_FIND_LINKS" "$@" >> "$(dirname "$0")/asked"
echo >> "$(dirname "$0")/asked"
"""


def set_up(folder: Path, **variables: str) -> list[list[str]]:
    """What `make setup` asks Python, call by call."""
    make = shutil.which("make")
    assert make
    python = folder / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(FAKE, encoding="utf-8")
    python.chmod(0o755)
    given = {"VENV": str(folder / "venv"), "PYTHON": sys.executable, **variables}
    command = [make, "--no-print-directory", "setup", *(f"{name}={value}" for name, value in given.items())]
    own = {name: value for name, value in os.environ.items() if name not in {"PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"}}
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, env=own)
    asked = (python.parent / "asked").read_text(encoding="utf-8").splitlines()
    return [line.rstrip("|").split("|") for line in asked]


def of_torch(calls: list[list[str]]) -> list[str]:
    """The words of the call that installs torch."""
    [words] = [words for words in calls if words[-1] == "torch"]
    return words


def test_torch_alone_comes_from_the_index_that_is_named(tmp_path: Path) -> None:
    calls = set_up(tmp_path, ACCEL="cpu", TORCH_INDEX="https://wheels.example/cpu")
    words = of_torch(calls)
    assert words[:2] == ["index=https://wheels.example/cpu", "folder="]
    assert "constraints.txt" in words
    assert all(other[0] == "index=" for other in calls if other != words)


def test_or_from_a_folder_of_wheels(tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()
    words = of_torch(set_up(tmp_path, ACCEL="cpu", TORCH_INDEX=str(tmp_path / "wheels")))
    assert words[:2] == ["index=", f"folder={tmp_path / 'wheels'}"]


@pytest.mark.parametrize("variables", [{"ACCEL": "cpu"}, {"ACCEL": "gpu", "TORCH_INDEX": "https://wheels.example/cpu"}])
def test_else_from_where_pip_looks(variables: dict[str, str], tmp_path: Path) -> None:
    assert of_torch(set_up(tmp_path, **variables))[:2] == ["index=", "folder="]


@pytest.mark.parametrize(("accel", "said"), [("cpu", True), ("gpu", False)])
def test_only_without_a_gpu_it_looks_for_libraries_that_nobody_needs(accel: str, said: bool, tmp_path: Path) -> None:
    calls = set_up(tmp_path, ACCEL=accel)
    assert any("cuda_libraries.say()" in word for words in calls for word in words) is said
