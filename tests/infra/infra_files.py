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
    found = beside_python("promtool")
    assert found, MISSING_PROMTOOL
    return found


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
    objects = [found for name in said["resources"] for found in _resource(folder / name)]
    for patch in said.get("patches", []):
        _patch(objects, patch)
    for found in objects:
        _name_space(found, said["namespace"])
        _rename_images(found, said.get("images", []))
    return objects


def of_kind(objects: list[Record], kind: str) -> dict[str, Record]:
    """The objects of a kind, by name."""
    return {found["metadata"]["name"]: found for found in objects if found["kind"] == kind}


def pod_templates(objects: list[Record]) -> dict[str, Record]:
    """The template of pods of each object that has one, by the object's name."""
    return {found["metadata"]["name"]: template for found in objects for template in _templates(found)}


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
        return [rest for found, rest in self.instructions if found == name]

    @property
    def environment(self) -> dict[str, str]:
        return dict(word.split("=", 1) for rest in self.all_of("ENV") for word in shlex.split(rest))


def _resource(path: Path) -> list[Record]:
    return render(path) if path.is_dir() else _yaml(path)


def _yaml(path: Path) -> list[Record]:
    return [found for found in yaml.safe_load_all(path.read_text(encoding="utf-8")) if found]


def _patch(objects: list[Record], patch: Record) -> None:
    kind, name = patch["target"]["kind"], patch["target"]["name"]
    assert name in of_kind(objects, kind), patch
    jsonpatch.apply_patch(of_kind(objects, kind)[name], yaml.safe_load(patch["patch"]), in_place=True)


def _name_space(found: Record, name: str) -> None:
    if found["kind"] != "Namespace":
        found["metadata"]["namespace"] = name
    for subject in found.get("subjects", []):
        subject["namespace"] = name


def _rename_images(found: Record, images: list[Record]) -> None:
    for part in walk(found):
        for image in images:
            if str(part.get("image", "")).partition(":")[0] == image["name"]:
                part["image"] = f"{image['newName']}:{image['newTag']}"


def _templates(found: Record) -> Iterator[Record]:
    if found["kind"] == "CronJob":
        yield found["spec"]["jobTemplate"]["spec"]["template"]
    elif "template" in found.get("spec", {}):
        yield found["spec"]["template"]
