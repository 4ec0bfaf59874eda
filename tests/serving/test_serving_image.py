"""The server's image, as far as it can be checked without building it: what is in it is enough, and no more."""

import importlib.metadata
import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from serving_helpers import TEXTS, promote, serving

from perennial.core.home import Home

REPOSITORY = Path(__file__).parents[2]
DOCKERFILE = REPOSITORY / "infra" / "serving.Dockerfile"
HEAVY = {"torch", "transformers", "prefect", "great_expectations", "datasets", "pandas", "pyarrow", "sklearn", "onnx"}


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions, each with its arguments."""
    lines = [line for line in DOCKERFILE.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in joined.splitlines())]


def all_of(name: str) -> list[str]:
    return [rest for instruction, rest in instructions() if instruction == name]


def extra() -> set[str]:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return set(project["optional-dependencies"]["serving"])


def with_what_they_need(names: set[str]) -> set[str]:
    """The distributions `names` and all that they ask for, here."""
    modules: set[str] = set()
    open_ones = {canonicalize_name(name) for name in names}
    while open_ones:
        name = open_ones.pop()
        modules.add(name)
        try:
            asked = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # of another platform
        needed = {Requirement(text) for text in asked}
        new = {canonicalize_name(one.name) for one in needed if not one.marker or one.marker.evaluate({"extra": ""})}
        open_ones |= new - modules
    return modules


def left_out() -> Iterator[str]:
    """The packages that can be imported here and not in the image."""
    there = with_what_they_need(extra())
    for package, owners in importlib.metadata.packages_distributions().items():
        if not there & {canonicalize_name(owner) for owner in owners} and package not in {"perennial", "flows"}:
            yield package


def test_its_packages_are_the_extra_and_pinned() -> None:
    (install,) = (rest for rest in all_of("RUN") if "pip install" in rest)
    arguments = shlex.split(install)
    assert arguments[arguments.index("--constraint") + 1] == "/opt/perennial/constraints.txt"
    assert set(arguments[arguments.index("--constraint") + 2 :]) == extra()
    pinned = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
    names = {canonicalize_name(line.partition("==")[0]) for line in pinned}
    assert sorted(with_what_they_need(extra()) - names - {"pywin32", "setuptools"}) == []


def test_what_it_copies_exists_and_is_not_ignored() -> None:
    sources = [source for rest in all_of("COPY") for source in shlex.split(rest)[:-1]]
    ignored = Path(f"{DOCKERFILE}.dockerignore").read_text(encoding="utf-8").splitlines()
    assert ignored[0] == "*"
    assert {line.removeprefix("!") for line in ignored if line.startswith("!")} == set(sources)
    assert all((REPOSITORY / source).exists() for source in sources)


def test_it_runs_as_nobody_special_and_says_whether_it_is_well() -> None:
    names = [name for name, _ in instructions()]
    assert re.fullmatch(r"python:3\.\d+-slim-[a-z]+", all_of("FROM")[0])
    assert int(all_of("USER")[-1].split(":")[0]) > 1000
    assert names.index("USER") > max(number for number, name in enumerate(names) if name == "RUN")
    check = json.loads(all_of("HEALTHCHECK")[0].partition("CMD ")[2])
    assert check[:2] == ["python", "-c"]
    compile(check[2], "healthcheck", "exec")
    entry = json.loads(all_of("ENTRYPOINT")[0])
    assert entry[:4] == ["python", "-m", "flows.cli", "serve"]
    assert f":{entry[entry.index('--port') + 1]}/healthz" in check[2]
    assert all_of("EXPOSE") == [entry[entry.index("--port") + 1]]
    assert not re.search(r"PASSWORD|SECRET|KEY|_URL|TOKEN", " ".join([*all_of("ENV"), *all_of("ARG")]))


def test_it_serves_with_what_the_image_has(remote: tuple[str, Path], tmp_path: Path) -> None:
    address, _ = remote
    missing = sorted(left_out())
    assert set(missing) >= HEAVY
    (tmp_path / "missing.json").write_text(json.dumps(missing))
    promote(Home(tmp_path / "trainer").with_mlflow_at(address), "c", None, "image")
    home = Home(tmp_path / "elsewhere")
    home.root.mkdir()
    program = (str(REPOSITORY / "tests" / "only_these.py"), str(tmp_path / "missing.json"))
    with serving(home, "image", program=program, MLFLOW_TRACKING_URI=address) as server:
        assert len(server.predict(texts=TEXTS).json["predictions"]) == len(TEXTS)
        assert server.end() == 0
