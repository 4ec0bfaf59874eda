"""Importing has no effects, cheap things stay cheap, and names mean what they seem to."""

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

REPOSITORY = Path(__file__).parents[2]
HEAVY = {
    *("datasets", "duckdb", "great_expectations", "mlflow", "onnx", "onnxruntime", "pandas"),
    *("prefect", "pyarrow", "sklearn", "sqlalchemy", "torch", "transformers"),
}
# Scripts that MLflow and Alembic run: they do something when they are run, and are never imported.
SCRIPTS = {"perennial.registry.package_model", "perennial.registry.migrations.env", "flows.__main__"}
# Modules of training that subclass torch's and transformers' classes can't be without them.
SET_BY_TORCH = {"TORCHINDUCTOR_CACHE_DIR"}

EFFECTS = """
import importlib, json, logging, os, sys, threading, warnings
from pathlib import Path
warnings.simplefilter("ignore")
before, handlers = dict(os.environ), list(logging.getLogger().handlers)
for name in sys.argv[1:]:
    importlib.import_module(name)
print(json.dumps({
    "environment": sorted(key for key in {*before, *os.environ} if before.get(key) != os.environ.get(key)),
    "handlers": [str(item) for item in logging.getLogger().handlers if item not in handlers],
    "threads": [item.name for item in threading.enumerate() if item is not threading.main_thread()],
    "files": sorted(str(path) for folder in (Path.cwd(), Path.home()) for path in folder.rglob("*")),
    "loaded": sorted(sys.modules),
}))
"""


def modules(package: str) -> list[str]:
    """The dotted names of all modules of `package`, itself included."""
    paths = sorted((REPOSITORY / package).rglob("*.py"))
    names = (".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__") for path in paths)
    return [name for name in names if name not in SCRIPTS]


def imported(tmp_path: Path, *names: str) -> dict[str, list[str]]:
    """What importing `names` in a fresh process, home and working folder does."""
    home, work, prefect = tmp_path / "home", tmp_path / "work", tmp_path / "prefect"
    home.mkdir()
    work.mkdir()
    # Prefect makes its own home as soon as it is imported; the command line names one before that, as here.
    environment = {
        "HOME": str(home),
        "PREFECT_HOME": str(prefect),
        "PYTHONPATH": str(REPOSITORY),
        "OMP_NUM_THREADS": "1",
    }
    environment["PATH"] = os.environ["PATH"]
    done = subprocess.run(
        [sys.executable, "-B", "-c", EFFECTS, *names],
        cwd=work,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    effects: dict[str, list[str]] = json.loads(done.stdout)
    return effects


def tracked() -> list[Path]:
    """The files in git that are text, or all of them where there is no git."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    names = done.stdout.split("\0") if done.returncode == 0 else []
    files = [REPOSITORY / name for name in names if name]
    return [path for path in files if path.is_file()]


def test_importing_the_library_and_the_command_line_changes_nothing(tmp_path: Path) -> None:
    names = [*modules("perennial"), "flows.cli"]
    assert len(names) > 80
    effects = imported(tmp_path, *names)
    assert effects["files"] == []
    assert set(effects["environment"]) <= SET_BY_TORCH
    assert effects["handlers"] == []
    assert effects["threads"] == []
    assert "prefect" not in effects["loaded"]
    assert "great_expectations" not in effects["loaded"]
    assert "mlflow" not in effects["loaded"]


@pytest.mark.parametrize("package", ["tasks", "flows"])
def test_importing_tasks_and_flows_makes_no_files(tmp_path: Path, package: str) -> None:
    assert imported(tmp_path, *modules(package))["files"] == []


@pytest.mark.parametrize(
    "name", ["perennial.pipeline_file.loader", "perennial.kinds.text_classification.kind", "flows.cli"]
)
def test_what_must_be_instant_loads_nothing_heavy(tmp_path: Path, name: str) -> None:
    assert not HEAVY & set(imported(tmp_path, name)["loaded"])


def test_every_kind_is_known_without_heavy_libraries(tmp_path: Path) -> None:
    names = [name for name in modules("perennial") if name.startswith("perennial.kinds")]
    assert not HEAVY & set(imported(tmp_path, *names)["loaded"])


def test_inference_loads_only_what_the_serving_image_has(tmp_path: Path) -> None:
    names = [name for name in modules("perennial") if name.startswith("perennial.inference")]
    loaded = set(imported(tmp_path, *names)["loaded"])
    assert not loaded & ((HEAVY - {"onnxruntime"}) | {"pydantic"})


def test_mlflow_is_the_installed_package_even_here() -> None:
    folder = REPOSITORY / "mlflow"
    assert not list(folder.rglob("*.py")), "the folder holds configuration; a module there could shadow the package"
    code = "import importlib.util; print(importlib.util.find_spec('mlflow').origin)"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    origin = Path(done.stdout.strip())
    assert origin.name == "__init__.py"
    assert origin.parent != folder


def test_ruff_takes_mlflow_for_a_third_partys(tmp_path: Path) -> None:
    ruff = project()["tool"]["ruff"]["lint"]
    assert "mlflow" in ruff["isort"]["known-third-party"]
    assert "I" in ruff["select"]


def project() -> dict[str, dict[str, dict[str, dict[str, dict[str, list[str]]]]]]:
    return tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))


# Put together here, so that this file holds none of them.
REGISTRIES = [
    ".".join(parts) for parts in [("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("anaconda", "org")]
]
INDEX_OPTIONS = ["--" + option for option in ("index-url", "extra-index-url", "find-links", "trusted-host")]


@pytest.mark.parametrize("text", [*REGISTRIES, *INDEX_OPTIONS])
def test_no_file_names_a_package_registry(text: str) -> None:
    files = [path for path in tracked() if text.encode() in path.read_bytes()]
    assert files == []


def test_no_code_pickles() -> None:
    calls = re.compile(
        r"^\s*(?:import|from)\s+(?:pickle|cPickle|cloudpickle|dill|joblib|shelve|marshal)\b"
        r"|\b(?:pickle|cloudpickle|dill|joblib)\.(?:dump|load)s?\("
        r"|\btorch\.(?:load|save)\(|allow_pickle\s*=\s*True|weights_only\s*=\s*False",
        re.MULTILINE,
    )
    for folder in ("perennial", "tasks", "flows", "pipelines", "benchmarks", "docs"):
        for path in (REPOSITORY / folder).rglob("*.py"):
            call = calls.search(path.read_text(encoding="utf-8"))
            assert call is None, f"{path}: {call}"


def test_no_pickled_file_is_kept() -> None:
    assert [path for path in tracked() if path.suffix in {".pkl", ".pickle", ".joblib", ".pt", ".pth", ".bin"}] == []


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def constraints() -> dict[str, str]:
    lines = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if line.strip() and not line.startswith("#")]
    for line in kept:
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line), f"{line!r} is not name==version"
    pinned = {canonical(line.split("==")[0]): line.split("==")[1] for line in kept}
    assert len(pinned) == len(kept), "a name is pinned once"
    return pinned


def test_constraints_pin_every_dependency() -> None:
    declared = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [
        *declared["dependencies"],
        *(name for extra in declared["optional-dependencies"].values() for name in extra),
    ]
    names = {canonical(Requirement(text).name) for text in wanted}
    assert sorted(names - set(constraints())) == []


def test_what_is_installed_here_is_what_is_pinned() -> None:
    for name, version in constraints().items():
        try:
            installed = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        assert installed.split("+")[0] == version, name
