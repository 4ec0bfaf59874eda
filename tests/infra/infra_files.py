"""Reading what lies in infra/."""

import json
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonpatch
import yaml

REPOSITORY = Path(__file__).parents[2]
INFRA = REPOSITORY / "infra"
KUBERNETES = INFRA / "kubernetes"
POOLS = sorted((INFRA / "work-pools").glob("*.json"))
OVERLAYS = sorted(path.parent for path in KUBERNETES.glob("overlays/*/kustomization.yaml"))
APP = "/opt/perennial/app"
"""Where the repository is in the worker's image."""
MISSING_PROMTOOL = (
    "promtool is not installed, so alerts can't be checked. `make test` takes it out of Debian's package `prometheus`; "
    "elsewhere install Prometheus, or put promtool on the PATH, and run the tests again."
)

Record = dict[str, Any]


def beside_python(name: str) -> str | None:
    """A program on the PATH or in this environment."""
    return shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))


def promtool() -> str:
    program = beside_python("promtool")
    assert program, MISSING_PROMTOOL
    return program


def compose() -> Record:
    """compose.yaml, anchors resolved."""
    return _yaml(INFRA / "compose.yaml")[0]


def settled(text: str) -> str:
    """`text` with each ${NAME:-default} as its default."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


def command(service: str) -> list[str]:
    """The command of a compose service, with default settings."""
    return [settled(word) for word in compose()["services"][service]["command"]]


def pool(path: Path) -> Record:
    loaded: Record = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def render(folder: Path) -> list[Record]:
    """What `kubectl kustomize FOLDER` prints, for as much of kustomize as infra/ uses; anything else is an error."""
    (said,) = _yaml(folder / "kustomization.yaml")
    assert set(said) <= {"apiVersion", "kind", "namespace", "resources", "images", "patches"}, said
    objects = [item for name in said["resources"] for item in _resource(folder / name)]
    for patch in said.get("patches", []):
        _patch(objects, patch)
    for item in objects:
        _name_space(item, said["namespace"])
        _rename_images(item, said.get("images", []))
    return objects


def of_kind(objects: list[Record], kind: str) -> dict[str, Record]:
    """The objects of a kind, by name."""
    return {item["metadata"]["name"]: item for item in objects if item["kind"] == kind}


def pod_templates(objects: list[Record]) -> dict[str, Record]:
    """The template of pods of each object that has one, by the object's name."""
    return {item["metadata"]["name"]: template for item in objects for template in _templates(item)}


def containers(template: Record) -> list[Record]:
    spec = template["spec"]
    return [*spec.get("initContainers", []), *spec["containers"]]


def walk(value: Any) -> Iterator[Record]:
    """Every mapping in `value`."""
    if isinstance(value, dict):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from walk(part)


@dataclass(frozen=True)
class Dockerfile:
    """The instructions of a Dockerfile, each with its arguments."""

    path: Path

    @property
    def instructions(self) -> list[tuple[str, str]]:
        text = self.path.read_text(encoding="utf-8")
        joined = "\n".join(line for line in text.splitlines() if line.strip() and not line.startswith("#"))
        parts = (line.partition(" ") for line in joined.replace("\\\n", " ").splitlines())
        return [(name, rest.strip()) for name, _, rest in parts]

    def all_of(self, name: str) -> list[str]:
        return [rest for instruction, rest in self.instructions if instruction == name]

    @property
    def environment(self) -> dict[str, str]:
        return dict(word.split("=", 1) for rest in self.all_of("ENV") for word in shlex.split(rest))


def _resource(path: Path) -> list[Record]:
    return render(path) if path.is_dir() else _yaml(path)


def _yaml(path: Path) -> list[Record]:
    return [item for item in yaml.safe_load_all(path.read_text(encoding="utf-8")) if item]


def _patch(objects: list[Record], patch: Record) -> None:
    kind, name = patch["target"]["kind"], patch["target"]["name"]
    assert name in of_kind(objects, kind), patch
    jsonpatch.apply_patch(of_kind(objects, kind)[name], yaml.safe_load(patch["patch"]), in_place=True)


def _name_space(item: Record, name: str) -> None:
    if item["kind"] != "Namespace":
        item["metadata"]["namespace"] = name
    for subject in item.get("subjects", []):
        subject["namespace"] = name


def _rename_images(item: Record, images: list[Record]) -> None:
    for part in walk(item):
        for image in images:
            if str(part.get("image", "")).partition(":")[0] == image["name"]:
                part["image"] = f"{image['newName']}:{image['newTag']}"


def _templates(item: Record) -> Iterator[Record]:
    if item["kind"] == "CronJob":
        yield item["spec"]["jobTemplate"]["spec"]["template"]
    elif "template" in item.get("spec", {}):
        yield item["spec"]["template"]
