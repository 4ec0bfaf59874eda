"""The worker's image, as far as it can be checked without building it."""

import json
import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from infra_files import APP, INFRA, REPOSITORY, Dockerfile, beside_python, compose, pool
from packaging.requirements import Requirement

from perennial.core import incompatible_packages, telemetry

WORKER = Dockerfile(INFRA / "worker.Dockerfile")
DOCKERFILES = sorted([REPOSITORY / "mlflow" / "Dockerfile", *INFRA.glob("*.Dockerfile")])
# Debian keeps one version of a package: one that is pinned is soon not to be had.
IGNORED = "DL3008"


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_hadolint_finds_nothing(path: Path) -> None:
    tool = beside_python("hadolint")
    assert tool
    checked = subprocess.run([tool, "--ignore", IGNORED, path], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_bases_are_pinned() -> None:
    bases = [WORKER.all_of("ARG")[0], *re.findall(r"BASE=\S+", WORKER.path.read_text(encoding="utf-8"))]
    assert WORKER.all_of("FROM") == ["${BASE}"]
    assert len(bases) >= 2
    assert all(re.fullmatch(r"BASE=(python:3\.\d+-slim-\w+|nvidia/cuda:[\d.]+-cudnn-\S+)", base) for base in bases)


def test_what_it_copies_is_there_and_let_through() -> None:
    copied = [word for rest in WORKER.all_of("COPY") for word in shlex.split(rest)[:-1]]
    assert all((REPOSITORY / source).exists() for source in copied)
    ignored = Path(f"{WORKER.path}.dockerignore").read_text(encoding="utf-8").splitlines()
    assert ignored[0] == "*"
    assert {line[1:] for line in ignored if line.startswith("!")} == set(copied)
    # No secret gets in with the folder that it lies in.
    assert {"infra/secrets", "infra/.env"} <= set(ignored[ignored.index("!infra") :])


def test_it_installs_what_the_project_names_and_pins() -> None:
    installs = [shlex.split(rest) for rest in WORKER.all_of("RUN") if "pip install" in rest]
    assert all("--constraint" in words and "constraints.txt" in words for words in installs)
    assert installs[-1][-1] == ".[${ACCEL},worker]"
    extras = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "optional-dependencies"
    ]
    assert {"cpu", "gpu", "worker"} <= set(extras)
    pinned = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").lower()
    for text in extras["worker"]:
        assert f"\n{Requirement(text).name}==" in pinned


def test_torch_alone_comes_from_the_index_that_is_named() -> None:
    assert "TORCH_INDEX" in WORKER.all_of("ARG")
    [install] = [rest for rest in WORKER.all_of("RUN") if "TORCH_INDEX" in rest]
    assert install.startswith('PIP_EXTRA_INDEX_URL="${TORCH_INDEX}" pip install ')
    assert install.split()[-1] == "torch"


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_no_image_has_versions_that_are_known_not_to_work_together(path: Path) -> None:
    installs = [shlex.split(rest) for rest in Dockerfile(path).all_of("RUN") if "pip install" in rest]
    assert installs
    for words in installs:
        assert Path(words[words.index("--constraint") + 1]).name == "constraints.txt"
    text = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8")
    pinned = {name.lower(): version for name, version in re.findall(r"^([\w.-]+)==([^\s;#]+)", text, re.MULTILINE)}
    assert {"prefect", "sqlalchemy", "fastapi"} <= set(pinned)
    assert list(incompatible_packages.installed_pairs(lambda name: pinned[name.lower()])) == []
    assert (
        list(incompatible_packages.installed_pairs(lambda name: {**pinned, "sqlalchemy": "2.1.9"}[name.lower()])) != []
    )


def test_it_runs_as_nobody_special_and_writes_to_the_volume_only() -> None:
    names = [name for name, _ in WORKER.instructions]
    assert int(WORKER.all_of("USER")[-1].split(":")[0]) > 1000
    assert names.index("USER") > max(number for number, name in enumerate(names) if name == "RUN")
    (volume,) = WORKER.all_of("VOLUME")
    environment = WORKER.environment
    for variable in ("HOME", "PERENNIAL_HOME", "PREFECT_HOME"):
        assert Path(environment[variable]).is_relative_to(volume)
    assert Path(environment["PREFECT_UI_STATIC_DIRECTORY"]).is_relative_to("/tmp")


def test_telemetry_is_off_also_where_perennial_does_not_start_it() -> None:
    from flows import environment

    assert telemetry._OFF.items() <= WORKER.environment.items()
    assert WORKER.environment["OMP_WAIT_POLICY"] == "PASSIVE"
    assert '"OMP_WAIT_POLICY", "PASSIVE"' in Path(environment.__file__).read_text(encoding="utf-8")


def test_it_is_in_the_folder_of_the_code_where_the_pipelines_and_runs_are() -> None:
    assert WORKER.all_of("WORKDIR")[-1] == APP == WORKER.environment["PERENNIAL_CODE"]
    assert pool(INFRA / "work-pools" / "process.json")["variables"]["properties"]["working_dir"]["default"] == APP
    mounted = [volume.split(":")[-2] for volume in compose()["services"]["worker"]["volumes"]]
    assert f"{APP}/pipelines" in mounted
    # What is deployed goes to the pool that is made.
    for path in INFRA.glob("prefect.yaml"):
        pools = {
            deployment["work_pool"]["name"]
            for deployment in yaml.safe_load(path.read_text(encoding="utf-8"))["deployments"]
        }
        assert pools == {"perennial"}


def test_its_entry_point_is_there_and_no_secret_is_inside() -> None:
    (entry,) = json.loads(WORKER.all_of("ENTRYPOINT")[0])
    script = REPOSITORY / entry.removeprefix(f"{APP}/")
    assert script.stat().st_mode & 0o111 == 0o111
    assert not re.search(
        r"PASSWORD|SECRET|KEY|_URL\b|TOKEN", " ".join([*WORKER.environment, *WORKER.all_of("ARG")[:-1]])
    )
