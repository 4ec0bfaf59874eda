"""A build of Perennial: this working tree, or a commit of it laid beside it, with which scripts can be run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
SCRIPTS = Path(__file__).parent


@dataclass(frozen=True)
class Build:
    """A tree, and its name in the figures."""

    name: str
    tree: Path

    def run(self, script: str, *arguments: str, folder: Path) -> dict[str, Any]:
        """The JSON object that `script`, one of those beside this file, prints as its last line when run with this
        build in `folder`, in a process of its own."""
        environment = {**os.environ, "PYTHONPATH": str(self.tree), "PERENNIAL_HOME": str(folder / "home")}
        command = [sys.executable, str(SCRIPTS / script), *arguments]
        done = subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.PIPE, text=True)
        answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return answer


def ours() -> Build:
    """This working tree."""
    return Build("this build", REPOSITORY)


def earlier(revision: str, scratch: Path) -> Build:
    """The tree of `revision`, laid in `scratch`."""
    tree = scratch / f"build-{revision}"
    command = ["git", "archive", revision, "perennial", "tasks", "flows", "constraints.txt"]
    packed = subprocess.run(command, cwd=REPOSITORY, check=True, stdout=subprocess.PIPE).stdout
    with tarfile.open(fileobj=BytesIO(packed)) as archive:
        archive.extractall(tree, filter="data")
    return Build(revision, tree)
