"""The server's image, as far as it can be checked without building it."""

import json
import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

REPOSITORY = Path(__file__).parents[2]
FOLDER = REPOSITORY / "mlflow"
SCRIPTS = sorted(FOLDER.glob("*.sh"))
RUN = [script for script in SCRIPTS if script.name != "common.sh"]


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions, each with its arguments."""
    text = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in joined.splitlines())]


def all_of(name: str) -> list[str]:
    return [rest for instruction, rest in instructions() if instruction == name]


def copied() -> dict[str, str]:
    """Where in the image each copied file of the repository is."""
    pairs = [shlex.split(rest) for rest in all_of("COPY")]
    return {source: f"{files[-1]}{Path(source).name}" for files in pairs for source in files[:-1]}


def test_the_base_is_pinned_and_of_a_python_that_perennial_runs_on() -> None:
    assert re.fullmatch(r"python:3\.\d+-slim-[a-z]+", all_of("FROM")[0])


def test_every_file_that_it_copies_exists_and_none_is_left_out() -> None:
    assert all((REPOSITORY / source).is_file() for source in copied())
    wanted = {f"mlflow/{path.name}" for path in (*SCRIPTS, FOLDER / "basic_auth.ini")}
    assert set(copied()) == wanted | {"constraints.txt"}
    ignored = (FOLDER / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert ignored[0] == "*"
    kept = {path for line in ignored[1:] for path in REPOSITORY.glob(line.removeprefix("!"))}
    assert {REPOSITORY / source for source in copied()} == kept


def test_its_packages_are_the_extras_and_pinned() -> None:
    (install,) = (rest for rest in all_of("RUN") if "pip install" in rest)
    arguments = shlex.split(install)
    assert arguments[arguments.index("--constraint") + 1] == copied()["constraints.txt"]
    named = {part for part in arguments[arguments.index("--constraint") + 2 :] if not part.startswith("-")}
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert named == set(project["optional-dependencies"]["mlflow-server"])
    pinned = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").lower()
    for name in (*(Requirement(text).name for text in named), "flask-wtf", "wtforms", "psycopg-binary", "botocore"):
        assert f"\n{name}==" in pinned


def test_it_runs_as_nobody_special_and_says_whether_it_is_well() -> None:
    last = [name for name, _ in instructions()]
    user = all_of("USER")[-1]
    assert int(user.split(":")[0]) > 1000
    assert last.index("USER") > max(index for index, name in enumerate(last) if name == "RUN")
    check = json.loads(all_of("HEALTHCHECK")[0].partition("CMD ")[2])
    assert check[:2] == ["python", "-c"]
    compile(check[2], "healthcheck", "exec")
    assert "/health" in check[2]
    (entry,) = json.loads(all_of("ENTRYPOINT")[0])
    assert entry == copied()["mlflow/start.sh"]


def test_no_secret_is_in_the_image() -> None:
    settings = " ".join([*all_of("ENV"), *all_of("ARG")])
    assert not re.search(r"PASSWORD|SECRET|KEY|_URL|TOKEN", settings)
    assert not re.search(r"(?m)^\s*(admin_password|database_uri)\b", (FOLDER / "basic_auth.ini").read_text())


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_scripts_are_sound(script: Path) -> None:
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0
    if script in RUN:
        assert script.stat().st_mode & 0o111 == 0o111
        assert "\nset -euo pipefail\n" in script.read_text(encoding="utf-8")
    if shutil.which("shellcheck"):
        checked = subprocess.run(
            ["shellcheck", "--external-sources", "--source-path=SCRIPTDIR", script],
            capture_output=True,
            text=True,
            check=False,
        )
        assert checked.returncode == 0, checked.stdout


def test_the_scripts_are_all_told_of() -> None:
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert [script.name for script in RUN if f"mlflow/{script.name}" not in readme] == []
